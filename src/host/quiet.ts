/** Waiting for the house to be quiet: woken by every change, bounded in awake time. For draining only. */
import { every } from '../async/after.ts';
import { within } from '../async/awake.ts';
import { PilotlightError } from '../protocol/index.ts';

/** Endings that come without a command are looked for this often while somebody waits. */
const LOOK_MS = 100;

export class Quiet {
  readonly #waiting = new Set<() => void>();

  /** Something ended. */
  changed(): void {
    for (const wake of this.#waiting) wake();
  }

  /** Resolves when `done`, or after `ms`; says which. */
  async until(done: () => boolean, ms: number): Promise<boolean> {
    if (done()) return true;
    const reached = Promise.withResolvers<boolean>();
    const wake = (): void => {
      if (done()) reached.resolve(true);
    };
    this.#waiting.add(wake);
    using _looking = every(LOOK_MS, wake);
    try {
      return await within(reached.promise, ms, () => new PilotlightError('timeout', 'Not done in time'));
    } catch {
      return false;
    } finally {
      this.#waiting.delete(wake);
    }
  }
}
