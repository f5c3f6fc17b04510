/**
 * Gates: named points at which an answer stops until a test lets it go on. A gate that was released stays open,
 * so the order of "the model arrives" and "the test releases" does not matter. Use a fresh name for a fresh stop.
 */

/** Far above what a test names; only keeps a forgotten loop from growing without bound. */
const MOST_OPEN = 10_000;

export class Gates {
  readonly #open = new Set<string>();
  readonly #waiting = new Map<string, Set<() => void>>();

  /** Resolves when the gate is open; rejects with the signal's reason when the caller left first. */
  async pass(name: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#open.has(name)) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiters = this.#waiting.get(name) ?? new Set();
    this.#waiting.set(name, waiters.add(resolve));
    const leave = (): void => reject(signal.reason as Error);
    signal.addEventListener('abort', leave);
    try {
      await promise;
    } finally {
      signal.removeEventListener('abort', leave);
      waiters.delete(resolve);
      if (waiters.size === 0 && this.#waiting.get(name) === waiters) this.#waiting.delete(name);
    }
  }

  release(name: string): void {
    this.#open.add(name);
    for (const oldest of this.#open) {
      if (this.#open.size <= MOST_OPEN) break;
      this.#open.delete(oldest);
    }
    for (const resolve of this.#waiting.get(name) ?? []) resolve();
  }

  /** Names at which an answer waits now. */
  get held(): string[] {
    return [...this.#waiting.keys()];
  }
}
