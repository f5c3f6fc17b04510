/**
 * Plain requests: one JSON answer within a bound, sent again where that is safe.
 * Owns the address and the token of a daemon, the retries and the idempotency keys. Knows no route.
 */
import type { z } from 'zod';
import { messageOf, newId, PilotlightError } from '../protocol/index.ts';
import { refusalOf, unreachable } from './refusal.ts';
import { backoffMs, pause } from './wait.ts';

export type Fetch = (input: string, init: RequestInit) => Promise<Response>;

export interface Endpoint {
  /** Without a trailing slash. */
  readonly url: string;
  readonly token?: string;
}

export function addressOf(text: string): string {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new PilotlightError('bad_request', `${JSON.stringify(text)} is no http address`, {
      fix: 'Use the url of daemon.json.',
    });
  return url.href.replace(/\/+$/, '');
}

export interface WireOptions {
  /** Asked before every attempt: a daemon that was started again may be elsewhere. */
  readonly locate: () => Endpoint | Promise<Endpoint>;
  readonly fetch: Fetch;
  readonly timeoutMs: number;
  /** How long a command whose way failed (no connection, 503) is sent again. */
  readonly retryMs: number;
}

export interface Ask<T> {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  readonly body?: unknown;
  readonly answer: z.ZodType<T>;
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs?: number | undefined;
  /** Default: a new one for each call. Kept by every attempt of the call. */
  readonly idempotencyKey?: string | undefined;
}

/** A read that met a connection just being closed is asked again at once, no longer than this. */
const READ_RETRY_MS = 1000;
const MOST_BACKOFF_MS = 1000;

export class Wire {
  readonly #options: WireOptions;
  readonly #closed = new AbortController();

  constructor(options: WireOptions) {
    this.#options = options;
  }

  /** Ends what is under way; nothing can be asked afterwards. */
  close(): void {
    this.#closed.abort();
  }

  get closed(): AbortSignal {
    return this.#closed.signal;
  }

  async ask<T>(ask: Ask<T>): Promise<T> {
    const reads = ask.method === 'GET';
    const key = reads ? undefined : (ask.idempotencyKey ?? newId('cmd'));
    const until =
      performance.now() + (reads ? Math.min(READ_RETRY_MS, this.#options.retryMs) : this.#options.retryMs);
    for (let failures = 0; ; failures += 1) {
      try {
        return await this.#once(ask, key);
      } catch (error) {
        const waitMs = backoffMs(failures, MOST_BACKOFF_MS);
        if (!mayAskAgain(error) || performance.now() + waitMs > until) throw error;
        await pause(waitMs, this.#signal(ask.signal));
      }
    }
  }

  /** An answer whose body is a stream; the caller bounds it. Throws what a refusal says. */
  async open(
    path: string,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<Response> {
    const { url, token } = await this.#options.locate();
    const response = await this.#fetch(url + path, { headers: { ...headers, ...bearer(token) }, signal });
    if (!response.ok) throw await refusalOf(response);
    return response;
  }

  async #once<T>(ask: Ask<T>, key: string | undefined): Promise<T> {
    const { url, token } = await this.#options.locate();
    const timeoutMs = ask.timeoutMs ?? this.#options.timeoutMs;
    const late = AbortSignal.timeout(timeoutMs);
    const signal = AbortSignal.any([late, this.#signal(ask.signal)]);
    try {
      const response = await this.#fetch(url + ask.path + queryText(ask.query), {
        method: ask.method,
        headers: {
          accept: 'application/json',
          ...bearer(token),
          ...(key === undefined ? {} : { 'idempotency-key': key }),
          ...(ask.body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(ask.body === undefined ? {} : { body: JSON.stringify(ask.body) }),
        signal,
      });
      if (!response.ok) throw await refusalOf(response);
      return parsedAs(ask, await textOf(response, url));
    } catch (error) {
      if (error instanceof PilotlightError && error.code !== 'no_daemon') throw error;
      if (late.aborted)
        throw new PilotlightError(
          'timeout',
          `${ask.method} ${ask.path}: no answer within ${String(timeoutMs)} ms`,
        );
      if (signal.aborted) throw aborted(ask.path);
      throw error;
    }
  }

  async #fetch(url: string, init: RequestInit): Promise<Response> {
    try {
      return await this.#options.fetch(url, init);
    } catch (cause) {
      throw unreachable(new URL(url).origin, cause);
    }
  }

  #signal(signal: AbortSignal | undefined): AbortSignal {
    return signal === undefined ? this.closed : AbortSignal.any([signal, this.closed]);
  }
}

export function aborted(what: string): PilotlightError {
  return new PilotlightError('aborted', `${what} was cancelled`);
}

/** The connection may break in the middle of an answer: then it is not known here, and may be asked for again. */
async function textOf(response: Response, url: string): Promise<string> {
  try {
    return await response.text();
  } catch (cause) {
    throw unreachable(url, cause);
  }
}

function parsedAs<T>(ask: Ask<T>, text: string): T {
  try {
    return ask.answer.parse(JSON.parse(text));
  } catch (cause) {
    throw new PilotlightError(
      'protocol',
      `The answer to ${ask.method} ${ask.path} is not understood: ${messageOf(cause)}`,
      {
        fix: 'Use a client and a daemon of the same version.',
        cause,
      },
    );
  }
}

function mayAskAgain(error: unknown): boolean {
  return (
    error instanceof PilotlightError && (error.code === 'no_daemon' || error.detail?.['httpStatus'] === 503)
  );
}

function bearer(token: string | undefined): Record<string, string> {
  return token === undefined ? {} : { authorization: `Bearer ${token}` };
}

function queryText(query: Ask<unknown>['query'] = {}): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) search.set(name, String(value));
  return search.size === 0 ? '' : `?${search.toString()}`;
}
