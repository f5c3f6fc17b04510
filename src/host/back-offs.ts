/** Domains whose shared processes fail: how long the next one waits. Counted in awake time. */
import { sleep } from '../async/after.ts';
import { backOffMs, failedAgain, type Failures } from '../pool/index.ts';
import type { HowGone } from './ports.ts';

export class BackOffs {
  readonly #failures = new Map<string, Failures>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** A process of the domain is gone. `since`: when it was started for a session, if it was. */
  ended(domain: string, how: HowGone & { readonly since?: number | undefined }): void {
    const now = this.#now();
    const before = this.#failures.get(domain);
    const { failed, ran, since } = how;
    if (failed) this.#failures.set(domain, failedAgain(before, { now, livedMs: now - (since ?? now) }));
    // One that never ran, or was there before the last failure, says nothing about it.
    else if (ran && before !== undefined && since !== undefined && since >= before.at)
      this.#failures.delete(domain);
  }

  /** How long the next one waits. */
  waitMs(domain: string): number {
    return backOffMs(this.#failures.get(domain), this.#now());
  }

  /** Resolves when the next one may start, or when it is not wanted any more. */
  passed(domain: string, signal: AbortSignal): Promise<void> {
    return sleep(this.waitMs(domain), signal);
  }
}
