/**
 * The sessions that one process serves. Usually one; with several, a signal names the agent's conversation and goes to the session of it.
 * Knows nothing of what is said.
 */
import type { Addressed } from '../agents/dialect.ts';
import type { Draft, Listener, RuntimeInput } from '../session/ports.ts';

export class Audience {
  readonly #sessions: readonly Listener[];
  readonly #byConversation: (conversation: string) => Listener | undefined;

  /** `byConversation`: the session of an agent's conversation; needed only where there are several. */
  constructor(
    sessions: readonly Listener[],
    byConversation?: (conversation: string) => Listener | undefined,
  ) {
    this.#sessions = sessions;
    this.#byConversation = byConversation ?? (() => undefined);
  }

  get ids(): readonly string[] {
    return this.#sessions.map((session) => session.id);
  }

  /** The life of the process concerns every session. */
  tellAll(draft: Draft, input: RuntimeInput): void {
    for (const session of this.#sessions) session.apply(draft, [input]);
  }

  /** Signals in the order of their lines; neighbours of one session are applied together. What is addressed to nobody is passed over. */
  tell(draft: Draft, runtime: string, signals: readonly Addressed[]): void {
    let batch: RuntimeInput[] = [];
    let target: Listener | undefined;
    for (const signal of signals) {
      const listener = signal.to === undefined ? this.#sessions[0] : this.#byConversation(signal.to);
      if (listener !== target) {
        if (batch.length > 0) target?.apply(draft, batch);
        batch = [];
        target = listener;
      }
      batch.push({ kind: 'agent', runtime, signal });
    }
    if (batch.length > 0) target?.apply(draft, batch);
  }

  output(): void {
    for (const session of this.#sessions) session.output();
  }

  pause(): void {
    for (const session of this.#sessions) session.pause();
  }
}
