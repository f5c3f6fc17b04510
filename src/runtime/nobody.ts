/** Hears a conversation that was opened before there is a session for it: what is said in it is kept for the one that takes it. */
import type { Draft, Listener, RuntimeInput } from '../session/ports.ts';

const MOST_UNHEARD = 100;

export class Nobody implements Listener {
  readonly id: string;
  #unheard: readonly RuntimeInput[] = [];

  constructor(id: string) {
    this.id = id;
  }

  apply(draft: Draft, inputs: readonly RuntimeInput[]): void {
    const before = this.#unheard;
    this.#unheard = [...before, ...inputs].slice(0, MOST_UNHEARD);
    draft.onRollback(() => {
      this.#unheard = before;
    });
  }

  /** In its words: `runtime` is its own name for the process. */
  unheard(runtime: string): readonly RuntimeInput[] {
    return this.#unheard.map((input) => ({
      ...input,
      runtime,
      ...(input.kind === 'runtime-ready' ? { spare: true } : {}),
    }));
  }

  output(): void {
    // Nobody waits.
  }

  pause(): void {
    // Nobody waits.
  }
}
