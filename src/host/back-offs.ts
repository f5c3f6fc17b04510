/** Domains whose shared processes fail: how long the next one waits. Counted in awake time. */
import { sleep } from '../async/after.ts';
import { backOffMs, failedAgain, type Failures } from '../pool/index.ts';

export class BackOffs {
  readonly #failures = new Map<string, Failures>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** A process of the domain is gone. `since`: when it was started. */
  ended(domain: string, how: { readonly failed: boolean; readonly since: number }): void {
    const now = this.#now();
    const before = this.#failures.get(domain);
    if (!how.failed) this.#failures.delete(domain);
    else this.#failures.set(domain, failedAgain(before, { now, livedMs: now - how.since }));
  }

  /** Resolves when the next one may start, or when it is not wanted any more. */
  passed(domain: string, signal: AbortSignal): Promise<void> {
    return sleep(backOffMs(this.#failures.get(domain), this.#now()), signal);
  }
}
