/**
 * The sessions that one process serves, or will serve: what it says before it has one is kept for the first. Usually one; with several, a signal names the agent's conversation and goes to the session of it.
 * Knows nothing of what is said, but what may not be: known secrets are masked here, before anything is committed.
 */
import { isOfSeat, type Json, type Told } from '../agents/dialect.ts';
import { redactionOf } from '../redact/index.ts';
import type { Draft, Listener, RuntimeInput } from '../session/ports.ts';
import type { RuntimePorts } from './ports.ts';
import { Redacting } from './redacting.ts';

const MOST_UNHEARD = 100;

/** Whom a process speaks to: the one session that it serves, or several that share it. */
export interface Hearers {
  /** Of the sessions. */
  readonly ids: readonly string[];
  readonly shared: boolean;
  /** What of them is kept in the row of the runtime, where it is shared. */
  seats?(): Json;
  /** From now on these are masked. */
  hide(...secrets: readonly (readonly string[] | undefined)[]): unknown;
  /** What of the runtime is written beside. */
  masked(state: unknown): unknown;
  /** The life of the process. */
  tellAll(draft: Draft, input: RuntimeInput): void;
  /** What its agent says, in the order of its lines. */
  tell(draft: Draft, runtime: string, signals: readonly Told[]): void;
  /** The agent printed something: for all; or a line was about this seat. */
  output(about?: string): void;
  pause(): void;
}

export class Audience implements Hearers {
  readonly shared = false;
  #sessions: readonly Listener[];
  readonly #byConversation: (conversation: string) => Listener | undefined;

  #redacting: Redacting | undefined;
  /** While there is no session: what the first one is told. */
  #unheard: readonly RuntimeInput[] = [];

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

  /** It has no session yet, and one that comes would be told that the process is ready. */
  get waits(): boolean {
    return this.#sessions.length === 0 && this.#unheard.length > 0;
  }

  /** A process that was started ahead has its session from this draft on; what came before is for the session to apply. */
  join(draft: Draft, session: Listener): readonly RuntimeInput[] {
    const before = { sessions: this.#sessions, unheard: this.#unheard };
    draft.onRollback(() => {
      this.#sessions = before.sessions;
      this.#unheard = before.unheard;
    });
    this.#sessions = [...before.sessions, session];
    this.#unheard = [];
    return before.unheard;
  }

  /** From now on these are masked. */
  hide(...secrets: readonly (readonly string[] | undefined)[]): void {
    const redaction = redactionOf(secrets.flatMap((some) => some ?? []));
    this.#redacting = redaction === undefined ? undefined : new Redacting(redaction);
  }

  /** What of the runtime is written beside. */
  masked(state: unknown): unknown {
    return this.#redacting?.json(state) ?? state;
  }

  /** The life of the process concerns every session. */
  tellAll(draft: Draft, input: RuntimeInput): void {
    const told = this.#redacting?.input(input) ?? input;
    if (this.#sessions.length === 0) return this.#keep(draft, [told]);
    for (const session of this.#sessions) session.apply(draft, [told]);
  }

  /** Signals in the order of their lines; neighbours of one session are applied together. What is addressed to nobody is passed over. */
  tell(draft: Draft, runtime: string, signals: readonly Told[]): void {
    if (this.#redacting === undefined) return this.#tell(draft, runtime, signals);
    draft.onRollback(this.#redacting.remember());
    this.#tell(draft, runtime, this.#redacting.signals(signals));
  }

  #tell(draft: Draft, runtime: string, signals: readonly Told[]): void {
    if (this.#sessions.length === 0)
      return this.#keep(
        draft,
        signals.flatMap((signal) => (isOfSeat(signal) ? [] : [{ kind: 'agent' as const, runtime, signal }])),
      );
    let batch: RuntimeInput[] = [];
    let target: Listener | undefined;
    for (const signal of signals) {
      if (isOfSeat(signal)) continue;
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

  /** The first is that it is ready; of what a process says while nobody has spoken to it, a hundred lines tell enough. */
  #keep(draft: Draft, inputs: readonly RuntimeInput[]): void {
    const before = this.#unheard;
    draft.onRollback(() => {
      this.#unheard = before;
    });
    this.#unheard = [...before, ...inputs].slice(0, MOST_UNHEARD);
  }

  output(): void {
    for (const session of this.#sessions) session.output();
  }

  pause(): void {
    for (const session of this.#sessions) session.pause();
  }
}

/** What a process is started with is secret in what it says, too. */
export function guarded(ports: RuntimePorts, audience: Hearers): RuntimePorts {
  return {
    ...ports,
    async settings(why) {
      const had = await ports.settings(why);
      audience.hide(had.settings.secrets);
      return had;
    },
  };
}
