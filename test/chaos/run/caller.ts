/**
 * Requests that outlive daemons: sent again with the same key until there is an answer.
 * Owns what counts as an answer. Knows nothing of what is asked.
 */
import { setTimeout as pass } from 'node:timers/promises';
import type { World } from './world.ts';

export interface Reply {
  readonly status: number;
  // oxlint-disable-next-line typescript/no-explicit-any -- what a client sees before it looks
  readonly body: any;
  /** What came of earlier tries of it: a status that is not the last word, or why there was no answer. */
  readonly before: readonly string[];
}

/** A daemon that is frozen, or that waits for its disk, gets this long. */
const REQUEST_MS = 6000;
/** A report has so many. */
const TRIES_KEPT = 20;

export class Caller {
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  /** Rejects when `signal` is aborted before there was an answer. */
  async ask(
    request: {
      readonly method: string;
      readonly path: string;
      readonly body?: unknown;
      readonly key?: string;
    },
    signal: AbortSignal,
  ): Promise<Reply> {
    for (const before: string[] = []; ;) {
      signal.throwIfAborted();
      const reply = await this.#once(request, signal);
      if (typeof reply !== 'string' && !passes(reply.status)) return { ...reply, before };
      if (before.length < TRIES_KEPT) before.push(typeof reply === 'string' ? reply : String(reply.status));
      await pass(20);
    }
  }

  /** A text: why nobody knows what became of it. */
  async #once(
    request: Parameters<Caller['ask']>[0],
    signal: AbortSignal,
  ): Promise<Omit<Reply, 'before'> | string> {
    const { url, token } = await this.#world.reach(signal);
    try {
      const response = await fetch(`${url}${request.path}`, {
        method: request.method,
        headers: {
          authorization: `Bearer ${token}`,
          ...(request.body === undefined ? {} : { 'content-type': 'application/json' }),
          ...(request.key === undefined ? {} : { 'idempotency-key': request.key }),
        },
        ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
        signal: AbortSignal.any([signal, AbortSignal.timeout(REQUEST_MS)]),
      });
      const text = await response.text();
      // Before it is parsed: what is answered with 500 need not be JSON.
      if (response.status === 500)
        this.#world.trouble(
          'P5',
          `${request.method} ${request.path} was answered with 500: ${text.slice(0, 300)}`,
        );
      const body = text === '' ? undefined : JSON.parse(text);
      return { status: response.status, body };
    } catch (error) {
      return error instanceof Error ? `${error.message} ${String(error.cause)}` : String(error);
    }
  }
}

/** Starting, draining, too many, no room on the disk, another home's daemon on that port: not the last word. */
function passes(status: number): boolean {
  return [401, 429, 500, 503, 504, 507].includes(status);
}
