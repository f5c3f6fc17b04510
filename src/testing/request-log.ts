/**
 * What the fake model remembers of its requests: the newest ones within a count and a size, who waits for one,
 * and how often the same request has come. Nothing here grows without bound.
 */
import { PilotlightError } from '../protocol/errors.ts';
import type { ModelRequest } from './script.ts';

export interface KeepLimits {
  /** Requests kept; 500 unless given. */
  readonly requests?: number;
  /** Bytes of request bodies kept, over all; 64 MiB unless given. One request is always kept. */
  readonly bytes?: number;
}

export class RequestLog {
  readonly #limits: Required<KeepLimits>;
  readonly #kept: ModelRequest[] = [];
  readonly #waiting = new Set<(request: ModelRequest | PilotlightError) => void>();
  #bytes = 0;

  constructor(limits: KeepLimits = {}) {
    this.#limits = { requests: limits.requests ?? 500, bytes: limits.bytes ?? 64 * 1024 * 1024 };
  }

  get kept(): readonly ModelRequest[] {
    return this.#kept;
  }

  add(request: ModelRequest): void {
    this.#kept.push(request);
    this.#bytes += request.bytes;
    while (
      this.#kept.length > 1 &&
      (this.#kept.length > this.#limits.requests || this.#bytes > this.#limits.bytes)
    ) {
      this.#bytes -= this.#kept.shift()?.bytes ?? 0;
    }
    for (const tell of this.#waiting) tell(request);
  }

  clear(): void {
    this.#kept.length = 0;
    this.#bytes = 0;
  }

  /** Ends every wait with `aborted`. */
  close(): void {
    for (const tell of this.#waiting) tell(new PilotlightError('aborted', 'The fake model was closed'));
  }

  /** The first kept request that fits, or the next one to come. Rejects with `timeout` after `timeoutMs`. */
  async waitFor(fits: (request: ModelRequest) => boolean, timeoutMs: number): Promise<ModelRequest> {
    const here = this.#kept.find(fits);
    if (here !== undefined) return here;
    const { promise, resolve, reject } = Promise.withResolvers<ModelRequest>();
    const tell = (said: ModelRequest | PilotlightError): void => {
      if (said instanceof PilotlightError) return reject(said);
      try {
        if (fits(said)) resolve(said);
      } catch (thrown) {
        reject(thrown);
      }
    };
    const late = (): void =>
      reject(
        new PilotlightError(
          'timeout',
          `No fitting model request within ${timeoutMs} ms; ${this.#kept.length} are kept`,
        ),
      );
    const timer = setTimeout(late, timeoutMs);
    this.#waiting.add(tell);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(tell);
    }
  }
}

/** Far above the faults that are under way at a time. */
const MOST_COUNTED = 1000;

/** Counts how often the same request came, until its answer went through. */
export class Attempts {
  readonly #counts = new Map<string, { readonly count: number; readonly position: number }>();

  /**
   * 0 for the first time. The same words further down the conversation (a greater `position`) are a new request;
   * further up they are a retry behind a compaction, which makes the conversation shorter.
   */
  next(key: string, position: number): number {
    const before = this.#counts.get(key);
    const count = before === undefined || position > before.position ? 0 : before.count;
    this.#counts.delete(key);
    this.#counts.set(key, { count: count + 1, position });
    for (const oldest of this.#counts.keys()) {
      if (this.#counts.size <= MOST_COUNTED) break;
      this.#counts.delete(oldest);
    }
    return count;
  }

  done(key: string): void {
    this.#counts.delete(key);
  }
}
