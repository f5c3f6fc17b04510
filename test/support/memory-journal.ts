/**
 * A journal in plain memory, for properties of what stands on it: commits in the real one's manner (units in order, rollbacks
 * newest first), and a crash after any transaction. Not for anything that the real journal itself promises.
 */
import type {
  Draft,
  EventPage,
  Followed,
  IdempotencyRecord,
  Journal,
  OutboxRecord,
  RuntimeRecord,
  SessionRecord,
} from '../../src/session/ports.ts';
import { PilotlightError, type SessionEvent, type TurnView } from '../../src/protocol/index.ts';

interface Durable {
  events: SessionEvent[];
  sessions: Map<string, SessionRecord>;
  turns: Map<string, TurnView>;
  runtimes: Map<string, RuntimeRecord>;
  outbox: Map<string, OutboxRecord>;
  idempotency: Map<string, IdempotencyRecord>;
}

interface Unit {
  readonly decide: (draft: Draft) => unknown;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** Thrown into every commit after the crash. */
export class Crashed extends Error {}

export class MemoryJournal implements Journal {
  readonly homeId = 'home_test';
  readonly epoch = 'epoch';
  generation = 1;
  commits = 0;
  /** The commit with this number (from 1) is made and then the daemon is dead: nothing after it happens. */
  crashAfter = Number.POSITIVE_INFINITY;
  /** Commits with these numbers fail as on a full disk. */
  readonly failing = new Set<number>();
  onCrash: () => void = () => undefined;
  #durable: Durable = {
    events: [],
    sessions: new Map(),
    turns: new Map(),
    runtimes: new Map(),
    outbox: new Map(),
    idempotency: new Map(),
  };
  #queue: Unit[] = [];
  #dead = false;

  /** The next daemon's journal: the same contents. */
  reopen(): MemoryJournal {
    const next = new MemoryJournal();
    next.#durable = structuredClone(this.#durable);
    next.generation = this.generation + 1;
    return next;
  }

  get dead(): boolean {
    return this.#dead;
  }

  get all(): readonly SessionEvent[] {
    return this.#durable.events;
  }

  commit<T>(decide: (draft: Draft) => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#queue.push({ decide, resolve: resolve as (value: unknown) => void, reject });
      if (this.#queue.length === 1) setImmediate(() => this.#flush());
    });
  }

  #flush(): void {
    const units = this.#queue;
    this.#queue = [];
    if (this.#dead) return;
    this.commits += 1;
    const next: Durable = {
      events: [...this.#durable.events],
      sessions: new Map(this.#durable.sessions),
      turns: new Map(this.#durable.turns),
      runtimes: new Map(this.#durable.runtimes),
      outbox: new Map(this.#durable.outbox),
      idempotency: new Map(this.#durable.idempotency),
    };
    const done: { unit: Unit; value: unknown; after: (() => void)[] }[] = [];
    const rollbacks: (() => void)[] = [];
    for (const unit of units) {
      const draft = new MemoryDraft();
      try {
        const value = unit.decide(draft);
        draft.write(next);
        rollbacks.push(...draft.undo);
        done.push({ unit, value, after: draft.after });
      } catch (error) {
        for (const undo of draft.undo.toReversed()) undo();
        unit.reject(error);
      }
    }
    if (this.failing.has(this.commits)) {
      for (const undo of rollbacks.toReversed()) undo();
      for (const { unit } of done) unit.reject(new PilotlightError('journal_full', 'full'));
      return;
    }
    this.#durable = structuredClone(next);
    if (this.commits >= this.crashAfter) {
      this.#dead = true;
      this.onCrash();
      return;
    }
    for (const { after } of done) for (const act of after) act();
    for (const { unit, value } of done) unit.resolve(value);
  }

  events(session: string, after: number): EventPage {
    const events = this.#durable.events
      .filter((event) => event.session === session && event.seq > after)
      .map((event, index) => ({
        cursor: index,
        session,
        seq: event.seq,
        type: event.type,
        json: JSON.stringify(event),
      }));
    return { events, through: events.at(-1)?.seq ?? after, gaps: [] };
  }

  allEvents(): EventPage {
    return { events: [], through: 0, gaps: [] };
  }

  // oxlint-disable-next-line eslint/require-yield -- nobody follows here
  async *follow(): AsyncGenerator<readonly Followed[]> {
    throw new Error('not here');
  }

  sessions(filter: { readonly closed?: boolean; readonly after?: string }): readonly SessionRecord[] {
    const list = [...this.#durable.sessions.values()].filter(
      (one) => filter.closed === undefined || one.closed === filter.closed,
    );
    return list.filter((one) => filter.after === undefined || one.id > filter.after);
  }

  session(id: string): SessionRecord | undefined {
    return this.#durable.sessions.get(id);
  }

  sessionsWithOpenTurns(): readonly string[] {
    const open = [...this.#durable.turns.values()].filter((turn) => turn.endedAt === undefined);
    return [...new Set(open.map((turn) => turn.sessionId))];
  }

  openSessions(): number {
    return [...this.#durable.sessions.values()].filter((one) => !one.closed).length;
  }

  turns(session: string): readonly TurnView[] {
    return [...this.#durable.turns.values()].filter((turn) => turn.sessionId === session);
  }

  turn(id: string): TurnView | undefined {
    return this.#durable.turns.get(id);
  }

  runtimes(): readonly RuntimeRecord[] {
    return [...this.#durable.runtimes.values()];
  }

  outboxOf(runtime: string): readonly OutboxRecord[] {
    return [...this.#durable.outbox.values()]
      .filter((one) => one.runtime === runtime)
      .sort((a, b) => a.n - b.n);
  }

  idempotency(scope: string, key: string): IdempotencyRecord | undefined {
    return this.#durable.idempotency.get(`${scope}\n${key}`);
  }

  async onDisk(): Promise<void> {
    // Memory is as durable as it gets.
  }

  status(): ReturnType<Journal['status']> {
    return { bytes: 0, events: this.#durable.events.length, epoch: this.epoch, full: false };
  }
}

class MemoryDraft implements Draft {
  readonly now = Date.now();
  readonly undo: (() => void)[] = [];
  readonly after: (() => void)[] = [];
  readonly #writes: ((to: Durable) => void)[] = [];

  write(to: Durable): void {
    for (const write of this.#writes) write(to);
  }

  event(event: SessionEvent): void {
    this.#writes.push((to) => {
      const last = to.events.findLast((one) => one.session === event.session)?.seq ?? 0;
      if (event.seq !== last + 1) throw new Error(`seq ${String(event.seq)} after ${String(last)}`);
      to.events.push(event);
    });
  }

  session(record: SessionRecord): void {
    this.#writes.push((to) => to.sessions.set(record.id, record));
  }

  turn(record: TurnView): void {
    this.#writes.push((to) => to.turns.set(record.id, record));
  }

  runtime(record: RuntimeRecord): void {
    this.#writes.push((to) => to.runtimes.set(record.id, record));
  }

  dropRuntime(id: string): void {
    this.#writes.push((to) => {
      to.runtimes.delete(id);
      for (const [key, one] of to.outbox) if (one.runtime === id) to.outbox.delete(key);
    });
  }

  outbox(record: OutboxRecord): void {
    this.#writes.push((to) => to.outbox.set(`${record.runtime} ${String(record.n)}`, record));
  }

  confirmed(runtime: string, n: number): void {
    this.#writes.push((to) => {
      for (const [key, one] of to.outbox) if (one.runtime === runtime && one.n <= n) to.outbox.delete(key);
    });
  }

  idempotency(record: IdempotencyRecord): void {
    this.#writes.push((to) => to.idempotency.set(`${record.scope}\n${record.key}`, record));
  }

  syncToDisk(): void {
    // Memory is as durable as it gets.
  }

  afterCommit(act: () => void): void {
    this.after.push(act);
  }

  onRollback(undo: () => void): void {
    this.undo.push(undo);
  }
}
