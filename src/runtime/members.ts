/**
 * The sessions that share one process: who has a seat, who is coming and who is going, and what each of them is told.
 * Owns the seats; they are in the runtime's row, so that the next daemon knows of each where it stood. Knows no agent's protocol.
 *
 *   asked ──▶ joining ──▶ in ──▶ leaving ──▶ none      (a seat whose conversation never opened goes from wherever it is)
 */
import { isOfSeat, type Json, type SeatSignal, type Told } from '../agents/dialect.ts';
import { redactionOf } from '../redact/index.ts';
import type { AgentSignal, Draft, Listener, RuntimeInput } from '../session/ports.ts';
import type { Hearers } from './audience.ts';
import { Nobody } from './nobody.ts';
import { Redacting } from './redacting.ts';
import { seatRows, type SeatRow } from './seat-row.ts';

export interface Seat extends SeatRow {
  readonly listener: Listener;
}

/** What is told of the process with its readiness. */
export interface ProcessFacts {
  readonly pid: number;
  readonly startedAt: string;
  readonly version?: string;
}

export interface MembersOptions {
  readonly domain: string;
  /** The process is started for nobody yet. */
  readonly ahead: boolean;
  readonly seats: readonly Seat[];
  /** Of the process, once it runs. */
  readonly facts: () => ProcessFacts | undefined;
  /** Writes up to this one are known to have entered stdin. */
  readonly confirmed: () => number;
  /** A conversation is open, durably. */
  readonly onJoined: (seat: Seat, conversation: string) => void;
  /** The agent follows another conversation, durably. */
  readonly onConversation: (seat: Seat, conversation: string) => void;
  /** Nothing can be read of it for now. */
  readonly onPause: () => void;
  /** Something of the life of the process is about to be told to all. */
  readonly onLife: (draft: Draft, input: RuntimeInput) => void;
  /** A seat is gone, durably. */
  readonly onGone: (seat: Seat) => void;
}

export class Members implements Hearers {
  readonly shared = true;
  readonly #options: MembersOptions;
  readonly #hidden = new Set<string>();
  #seats: readonly Seat[];
  #unused: boolean;
  #redacting: Redacting | undefined;
  lines = { lines: 0, chunks: 0 };

  constructor(options: MembersOptions) {
    this.#options = options;
    this.#seats = options.seats;
    this.#unused = options.ahead;
  }

  get ids(): readonly string[] {
    return [...new Set(this.sessions.map((seat) => seat.session))];
  }

  get all(): readonly Seat[] {
    return this.#seats;
  }

  /** Without the one that nobody has: in the row of the process there is nothing of it. */
  get sessions(): readonly Seat[] {
    return this.#seats.filter(({ listener }) => !(listener instanceof Nobody));
  }

  /** The one that nobody has. */
  get nobodys(): Seat | undefined {
    return this.#seats.find(({ listener }) => listener instanceof Nobody);
  }

  get(id: string): Seat | undefined {
    return this.#seats.find((seat) => seat.id === id);
  }

  seats(): Json {
    return seatRows(this.#options.domain, this.sessions);
  }

  /** Secrets of one are masked in what any of them says, as long as the process lives. All that are hidden now, when there are more. */
  hide(...secrets: readonly (readonly string[] | undefined)[]): readonly string[] | undefined {
    const before = this.#hidden.size;
    for (const one of secrets.flat()) if (one !== undefined) this.#hidden.add(one);
    if (this.#hidden.size === before) return undefined;
    const redaction = redactionOf([...this.#hidden]);
    if (redaction === undefined) return undefined;
    if (this.#redacting === undefined) this.#redacting = new Redacting(redaction);
    else this.#redacting.become(redaction);
    return [...this.#hidden];
  }

  masked(state: unknown): unknown {
    return this.#redacting?.json(state) ?? state;
  }

  /** It was started for nobody, and nobody has had a seat. */
  get unused(): boolean {
    return this.#unused;
  }

  add(draft: Draft, seat: Seat): void {
    if (seat.listener instanceof Nobody) return this.#become(draft, [...this.#seats, seat]);
    this.#become(draft, [...this.#seats, this.#unused ? { ...seat, spare: true } : seat]);
    this.#use(draft);
  }

  /** Nobody's seat, where its conversation is open, is a session's. Gives its old name, and what was said in it. */
  give(
    draft: Draft,
    { id, listener }: Pick<Seat, 'id' | 'listener'>,
  ): { readonly from: string; readonly inputs: readonly RuntimeInput[] } | undefined {
    const { nobodys } = this;
    if (nobodys?.phase !== 'in' || !(nobodys.listener instanceof Nobody)) return undefined;
    const { id: from, session: mark, listener: nobody } = nobodys;
    const given = {
      ...nobodys,
      id,
      session: listener.id,
      listener,
      since: draft.now,
      spare: true,
      mark,
    } as const;
    this.#become(
      draft,
      this.#seats.map((seat) => (seat.id === from ? given : seat)),
    );
    this.#use(draft);
    return { from, inputs: nobody.unheard(id) };
  }

  #use(draft: Draft): void {
    const unused = this.#unused;
    this.#unused = false;
    draft.onRollback(() => {
      this.#unused = unused;
    });
  }

  change(draft: Draft, id: string, change: Partial<SeatRow>): void {
    this.#become(
      draft,
      this.#seats.map((seat) => (seat.id === id ? { ...seat, ...change } : seat)),
    );
  }

  /** It never got in, or will not: its session is told, and its place is free. */
  turnAway(draft: Draft, id: string, input: Refused): void {
    const seat = this.get(id);
    if (seat === undefined) return;
    this.#remove(draft, seat);
    const told = this.#redacting?.input({ kind: 'runtime-failed', runtime: id, ...input }) ?? {
      kind: 'runtime-failed',
      runtime: id,
      ...input,
    };
    seat.listener.apply(draft, [told]);
  }

  tellAll(draft: Draft, input: RuntimeInput): void {
    this.#options.onLife(draft, input);
    const told = this.#redacting?.input(input) ?? input;
    for (const seat of this.#seats) this.#tellOne(draft, seat, told);
  }

  #tellOne(draft: Draft, seat: Seat, input: RuntimeInput): void {
    switch (input.kind) {
      case 'agent':
      case 'runtime-ready':
        // The process is ready; a seat is when its conversation is open.
        return;
      case 'runtime-failed': {
        const { kind: _, runtime: __, ...rest } = input;
        return this.turnAway(draft, seat.id, rest);
      }
      case 'runtime-broken':
        if (seat.phase === 'in') seat.listener.apply(draft, [{ ...input, runtime: seat.id }]);
        return;
      case 'runtime-ended':
        return this.#ended(draft, seat, input);
    }
  }

  #ended(draft: Draft, seat: Seat, input: Extract<RuntimeInput, { kind: 'runtime-ended' }>): void {
    if (!seat.joined) {
      const lost = input.lost === true;
      const message = 'The process that it was to share ended before its conversation was open';
      const code = lost ? 'runtime_lost' : 'spawn_failed';
      return this.turnAway(draft, seat.id, { code, message, retry: lost });
    }
    this.#remove(draft, seat);
    const unwritten = input.lost !== true && seat.prompt > this.#options.confirmed();
    const reason = input.reason === 'stuck' ? 'stuck' : (seat.reason ?? input.reason);
    seat.listener.apply(draft, [{ ...input, runtime: seat.id, reason, unwritten }]);
  }

  tell(draft: Draft, _runtime: string, signals: readonly Told[]): void {
    if (this.#redacting !== undefined) draft.onRollback(this.#redacting.remember());
    const told = this.#redacting?.signals(signals) ?? signals;
    let batch: { readonly seat: Seat; readonly inputs: RuntimeInput[] } | undefined;
    const flush = (): void => {
      if (batch !== undefined) batch.seat.listener.apply(draft, batch.inputs);
      batch = undefined;
    };
    for (const { to, ...signal } of told) {
      if (isOfSeat(signal)) {
        flush();
        const seat = to === undefined ? undefined : this.get(to);
        if (seat !== undefined) this.#moved(draft, seat, signal);
        continue;
      }
      // Of a line that is told to all, nobody knows whose words are in it.
      const said = to === undefined ? withoutLine(signal) : signal;
      for (const seat of this.#seats) {
        if (seat.phase !== 'in' || (to !== undefined && seat.id !== to)) continue;
        if (batch?.seat.id !== seat.id) {
          flush();
          batch = { seat, inputs: [] };
        }
        batch.inputs.push({
          kind: 'agent',
          runtime: seat.id,
          signal: this.#seats.length > 1 ? said : signal,
        });
        if (signal.kind === 'agent-session')
          draft.afterCommit(() => this.#options.onConversation(seat, signal.id));
      }
    }
    flush();
  }

  #moved(draft: Draft, seat: Seat, signal: SeatSignal): void {
    switch (signal.kind) {
      case 'joined':
        return this.#joined(draft, seat, signal);
      case 'join-failed': {
        const { code, message, taken } = signal;
        const because = taken === undefined ? {} : { taken };
        return this.turnAway(draft, seat.id, { code, message, retry: false, ...because });
      }
      case 'left':
        return this.freed(draft, seat.id);
    }
  }

  #joined(draft: Draft, seat: Seat, signal: Extract<SeatSignal, { kind: 'joined' }>): void {
    const facts = this.#options.facts();
    if (seat.phase !== 'joining' || facts === undefined) return;
    this.change(draft, seat.id, { phase: 'in', joined: true });
    draft.afterCommit(() => this.#options.onJoined(seat, signal.conversation));
    const ready: RuntimeInput = {
      kind: 'runtime-ready',
      runtime: seat.id,
      ...facts,
      startupMs: Math.max(0, draft.now - seat.since),
      resumed: signal.resumed,
      shared: true,
      ...(seat.spare === undefined ? {} : { spare: seat.spare }),
      agentSessionId: signal.conversation,
    };
    seat.listener.apply(draft, [ready]);
  }

  /** Its conversation is closed, and the process goes on without it. */
  freed(draft: Draft, id: string): void {
    const seat = this.get(id);
    if (seat === undefined) return;
    if (!seat.joined)
      return this.turnAway(draft, id, { code: 'spawn_failed', message: 'It was called off', retry: false });
    this.#remove(draft, seat);
    const pid = this.#options.facts()?.pid ?? 0;
    const ended: RuntimeInput = {
      kind: 'runtime-ended',
      runtime: id,
      pid,
      reason: seat.reason ?? 'closed',
      ...this.lines,
    };
    seat.listener.apply(draft, [ended]);
  }

  output(about?: string): void {
    if (about !== undefined) this.get(about)?.listener.output();
  }

  pause(): void {
    for (const seat of this.#seats) seat.listener.pause();
    this.#options.onPause();
  }

  #remove(draft: Draft, seat: Seat): void {
    this.#become(
      draft,
      this.#seats.filter((one) => one.id !== seat.id),
    );
    draft.afterCommit(() => {
      this.#redacting?.forget(seat.id);
      this.#options.onGone(seat);
    });
  }

  #become(draft: Draft, seats: readonly Seat[]): void {
    const before = this.#seats;
    this.#seats = seats;
    draft.onRollback(() => {
      this.#seats = before;
    });
  }
}

function withoutLine(signal: AgentSignal): AgentSignal {
  if (signal.kind !== 'notice' || signal.raw === undefined) return signal;
  const { raw: _, ...rest } = signal;
  return rest;
}

export type Refused = Omit<Extract<RuntimeInput, { kind: 'runtime-failed' }>, 'kind' | 'runtime'>;
