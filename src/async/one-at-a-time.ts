/** Runs of the same name go one after the other; other names do not wait. Owns which are under way. */
export class OneAtATime {
  readonly #running = new Map<string, Promise<unknown>>();

  /** Settles as `act` does, which starts when every earlier run of this name has settled. */
  async run<T>(name: string, act: () => Promise<T>): Promise<T> {
    for (;;) {
      const first = this.#running.get(name);
      if (first === undefined) break;
      await Promise.allSettled([first]);
    }
    const mine = act();
    this.#running.set(name, mine);
    try {
      return await mine;
    } finally {
      this.#running.delete(name);
    }
  }
}
