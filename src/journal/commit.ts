/**
 * Group commit: what asks in one turn of the event loop goes into one transaction, in the order in which it asked.
 * Owns the queue and the order of what happens around a transaction. Knows no SQL.
 */
import { PilotlightError } from '../protocol/index.ts';
import type { Draft, StoredEvent, TurnView } from '../session/ports.ts';
import { UnitDraft } from './draft.ts';
import type { Ends } from './ends.ts';
import { storedEvent } from './envelope.ts';
import type { Statements } from './statements.ts';
import type { Store } from './store.ts';

interface Unit {
  readonly decide: (draft: Draft) => unknown;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** A unit that decided: what it wrote down, with its place in the log. */
interface Accepted {
  readonly unit: Unit;
  readonly value: unknown;
  readonly draft: UnitDraft;
  readonly events: readonly StoredEvent[];
  /** The last seq of every session it touched, after it. */
  readonly ends: ReadonlyMap<string, number>;
}

export interface CommitPorts {
  readonly store: Store;
  readonly ends: Ends;
  /** The transaction is through, the acts have not run. Must not throw. */
  readonly written: (turns: readonly TurnView[]) => void;
  /** The transaction is through and the acts have run; `toDisk`: something of it is to be safe from a power cut soon. */
  readonly onCommitted: (events: readonly StoredEvent[], toDisk: boolean) => void;
  readonly onError: (error: unknown) => void;
}

export class GroupCommit {
  readonly #ports: CommitPorts;
  #queue: Unit[] = [];
  #closed = false;

  constructor(ports: CommitPorts) {
    this.#ports = ports;
  }

  commit<T>(decide: (draft: Draft) => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#closed) {
        reject(new PilotlightError('draining', 'The journal is closed', { fix: 'Start again.' }));
        return;
      }
      this.#queue.push({ decide, resolve: resolve as (value: unknown) => void, reject });
      if (this.#queue.length === 1)
        setImmediate(() => {
          this.flush();
        });
    });
  }

  /** Commits what is queued, and takes nothing more. */
  close(): void {
    this.#closed = true;
    this.flush();
  }

  flush(): void {
    const units = this.#queue;
    if (units.length === 0) return;
    this.#queue = [];
    const accepted = this.#decideAll(units);
    try {
      this.#write(accepted);
    } catch (error) {
      for (const one of accepted.toReversed()) this.#undo(one.draft);
      for (const { unit } of accepted) unit.reject(error);
      return;
    }
    this.#ports.written(accepted.flatMap(({ draft }) => draft.turns));
    for (const { draft } of accepted) for (const act of draft.acts) this.#guard(act);
    const toDisk = accepted.some(({ draft }) => draft.toDisk);
    if (toDisk || !accepted.every(isEmpty))
      this.#guard(() => {
        this.#ports.onCommitted(
          accepted.flatMap(({ events }) => events),
          toDisk,
        );
      });
    for (const { unit, value } of accepted) unit.resolve(value);
  }

  #decideAll(units: readonly Unit[]): Accepted[] {
    const now = Date.now();
    const accepted: Accepted[] = [];
    const group: Group = { ends: new Map(), cursor: this.#ports.ends.cursor };
    for (const unit of units) {
      const draft = new UnitDraft(now);
      try {
        const value = unit.decide(draft);
        const ends = this.#endsOf(draft, group);
        const events = draft.events.map((event) => storedEvent((group.cursor += 1), event));
        for (const [session, seq] of ends) group.ends.set(session, seq);
        accepted.push({ unit, value, draft, events, ends });
      } catch (error) {
        this.#undo(draft);
        unit.reject(error);
      }
    }
    return accepted;
  }

  /** Refuses a hole or a repetition before it is written: contiguous seqs are what followers count on. */
  #endsOf(draft: UnitDraft, group: Group): Map<string, number> {
    const ends = new Map<string, number>();
    const endOf = (session: string): number | undefined =>
      ends.get(session) ?? group.ends.get(session) ?? this.#ports.ends.of(session)?.lastSeq;
    for (const session of draft.sessions.keys()) ends.set(session, endOf(session) ?? 0);
    for (const { session, seq, type } of draft.events) {
      const last = endOf(session);
      if (last === undefined || seq !== last + 1)
        throw new PilotlightError(
          'internal',
          `${type} of ${session} has seq ${String(seq)} after ${String(last)}`,
        );
      ends.set(session, seq);
    }
    return ends;
  }

  #write(accepted: readonly Accepted[]): void {
    const { store, ends } = this.#ports;
    if (accepted.every(isEmpty)) return;
    const keys = new Map<string, number>();
    store.transact((statements) => {
      for (const one of accepted) this.#writeUnit(statements, one, keys);
    });
    for (const one of accepted) {
      ends.cursor = one.events.at(-1)?.cursor ?? ends.cursor;
      for (const [session, lastSeq] of one.ends) ends.set(session, { key: keys.get(session)!, lastSeq });
    }
  }

  /** Sessions first: their events name them by key. */
  #writeUnit(statements: Statements, one: Accepted, keys: Map<string, number>): void {
    const { draft, events } = one;
    for (const [session, lastSeq] of one.ends) {
      const row = draft.sessions.get(session);
      if (row === undefined) {
        const key = keys.get(session) ?? this.#ports.ends.of(session)!.key;
        statements.advanceSession.run(lastSeq, key);
        keys.set(session, key);
      } else {
        const { id, spec, state, closed, lastActivityAt } = row;
        const put = statements.putSession.get(id, spec, state, lastSeq, closed, lastActivityAt);
        keys.set(session, Number(put?.['key']));
      }
    }
    for (const [at, { session, seq, turn, time, type, data }] of draft.events.entries())
      statements.putEvent.run(events[at]!.cursor, keys.get(session)!, seq, turn ?? null, time, type, data);
    for (const row of draft.rows) row(statements);
  }

  #undo(draft: UnitDraft): void {
    for (const undo of draft.undo.toReversed()) this.#guard(undo);
  }

  #guard(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#ports.onError(error);
    }
  }
}

function isEmpty({ draft }: Accepted): boolean {
  return draft.empty;
}

/** What the units before have added in this group. */
interface Group {
  readonly ends: Map<string, number>;
  cursor: number;
}
