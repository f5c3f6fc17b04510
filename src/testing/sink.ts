/**
 * The way out to one caller: collects small events into large writes, waits while the socket is full,
 * and tells everybody who waits when the caller has left. Knows nothing of what it carries.
 */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { PilotlightError } from '../protocol/errors.ts';

/** Measured on 5 MB in 64-byte deltas: larger writes gain nothing more. */
const WRITE_SIZE = 64 * 1024;

export class Sink {
  readonly #response: ServerResponse;
  readonly #leaving = new AbortController();
  #pending: string[] = [];
  #size = 0;

  constructor(response: ServerResponse) {
    this.#response = response;
    response.once('close', () => {
      if (!response.writableFinished)
        this.#leaving.abort(new PilotlightError('aborted', 'The caller has left'));
    });
    // A reset by the caller is the caller's leave, told by `close`; without a listener it would end the process.
    response.on('error', () => undefined);
  }

  /** Aborts when the caller leaves before the answer is complete. */
  get gone(): AbortSignal {
    return this.#leaving.signal;
  }

  head(status: number, headers: Readonly<Record<string, string>>): void {
    this.#response.writeHead(status, headers);
  }

  /** Keeps `text` for the next write. Returns a promise only when it is time to wait. */
  push(text: string): Promise<void> | undefined {
    this.#pending.push(text);
    this.#size += text.length;
    return this.#size < WRITE_SIZE ? undefined : this.flush();
  }

  async flush(): Promise<void> {
    this.gone.throwIfAborted();
    if (!this.#response.headersSent) return;
    if (this.#size === 0) {
      this.#response.flushHeaders();
      return;
    }
    const text = this.#pending.join('');
    this.#pending = [];
    this.#size = 0;
    if (!this.#response.write(text)) await once(this.#response, 'drain', { signal: this.gone });
  }

  async wait(milliseconds: number): Promise<void> {
    await this.flush();
    await pause(milliseconds, undefined, { signal: this.gone });
  }

  /** Nothing more is sent; returns (by throwing) when the caller has left. */
  async silence(): Promise<never> {
    await this.flush();
    if (!this.gone.aborted) await once(this.gone, 'abort');
    throw this.gone.reason;
  }

  /** Breaks the connection once the caller has been sent what came before: a plain destroy may overtake it. */
  async cut(): Promise<void> {
    await this.flush();
    this.#response.socket?.destroySoon();
  }

  end(text = ''): void {
    this.#response.end(this.#pending.join('') + text);
    this.#pending = [];
    this.#size = 0;
  }
}
