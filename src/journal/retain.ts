/**
 * What is removed when it is old or when there is too much: first the deltas of ended turns (their whole texts stay), then whole old
 * sessions' events, oldest first, never of one with an open turn. What is gone is a gap that says so.
 * Works in small transactions and lets the event loop turn between them.
 */
import type { Ends } from './ends.ts';
import { addGap, rangesOf } from './gaps.ts';
import { integer, object, optionalText, text } from './rows.ts';
import type { Statements } from './statements.ts';
import type { Store } from './store.ts';

export interface RetentionReport {
  /** Events removed. */
  readonly events: number;
  /** Turns whose deltas were looked through. */
  readonly turns: number;
  /** Sessions of which no event is left. */
  readonly sessions: number;
  /** Stored answers removed. */
  readonly answers: number;
  readonly bytesBefore: number;
  readonly bytesAfter: number;
}

export interface RetentionPorts {
  readonly store: Store;
  readonly ends: Ends;
  readonly keepDays: number;
  readonly maxMb: number;
  /** Called after every transaction. */
  readonly wrote: () => void;
  readonly signal: AbortSignal;
}

const DELTAS: ReadonlySet<string> = new Set(['message.delta', 'reasoning.delta', 'tool.output']);
const PIECE = 1000;
const DAY_MS = 24 * 60 * 60 * 1000;
/** So much free room stays in the file: giving it back and taking it again costs more than it frees. */
const SPARE_BYTES = 8 * 1024 * 1024;
const ANY_AGE = '~';

export class Retention {
  readonly #ports: RetentionPorts;
  #counts = { events: 0, turns: 0, sessions: 0, answers: 0 };

  constructor(ports: RetentionPorts) {
    this.#ports = ports;
  }

  async run(now: number): Promise<RetentionReport> {
    const { store, keepDays } = this.#ports;
    const bytesBefore = store.bytes;
    this.#counts = { events: 0, turns: 0, sessions: 0, answers: 0 };
    const cutoff = now - keepDays * DAY_MS;
    const always = (): boolean => true;
    const tooMuch = (): boolean => store.usedBytes > this.#ports.maxMb * 1024 * 1024;
    await this.#trimTurns(cutoff, always);
    await this.#pruneSessions(new Date(cutoff).toISOString(), always);
    await this.#dropTurns(cutoff);
    await this.#dropAnswers(now - DAY_MS);
    await this.#trimTurns(Number.MAX_SAFE_INTEGER, tooMuch);
    await this.#pruneSessions(ANY_AGE, tooMuch);
    await this.#giveBack();
    return { ...this.#counts, bytesBefore, bytesAfter: store.bytes };
  }

  async #trimTurns(endedBefore: number, wanted: () => boolean): Promise<void> {
    const { store, ends } = this.#ports;
    while (this.#goOn && wanted()) {
      const turn = store.statements.oldTurns.get(endedBefore);
      if (turn === undefined) return;
      const id = text(turn, 'id');
      const end = ends.of(text(turn, 'session'));
      const endSeq = object(turn, 'json')['endSeq'];
      const to = typeof endSeq === 'number' ? endSeq : (end?.lastSeq ?? 0);
      let at: number | undefined = end === undefined ? undefined : integer(turn, 'seq') - 1;
      while (at !== undefined && this.#goOn) at = await this.#trimPiece({ sid: end!.key, turn: id, at, to });
      if (!this.#goOn) return;
      await this.#piece(() => {
        store.statements.trimmed.run(id);
      });
      this.#counts.turns += 1;
    }
  }

  /** Answers where the next piece begins. */
  async #trimPiece(piece: {
    readonly sid: number;
    readonly turn: string;
    readonly at: number;
    readonly to: number;
  }): Promise<number | undefined> {
    const { statements } = this.#ports.store;
    const rows = statements.window.all(piece.sid, piece.at, piece.to, PIECE);
    const deltas = rows
      .filter((row) => optionalText(row, 'turn') === piece.turn && DELTAS.has(text(row, 'type')))
      .map((row) => ({ cursor: integer(row, 'cursor'), seq: integer(row, 'seq') }));
    if (deltas.length > 0)
      await this.#remove(deltas, () => {
        for (const range of rangesOf(deltas)) addGap(statements, piece.sid, range);
      });
    const last = rows.at(-1);
    return rows.length < PIECE || last === undefined ? undefined : integer(last, 'seq');
  }

  async #pruneSessions(activeBefore: string, wanted: () => boolean): Promise<void> {
    const { statements } = this.#ports.store;
    while (this.#goOn && wanted()) {
      // Asked again for every piece: a session that has begun a turn meanwhile is left alone.
      const session = statements.oldSessions.get(activeBefore);
      if (session === undefined) return;
      const sid = integer(session, 'key');
      const through = integer(session, 'pruned_through');
      const lastSeq = integer(session, 'last_seq');
      const rows = statements.window
        .all(sid, through, lastSeq, PIECE)
        .map((row) => ({ cursor: integer(row, 'cursor'), seq: integer(row, 'seq') }));
      const last = rows.at(-1);
      const done = rows.length < PIECE || last?.seq === lastSeq;
      await this.#remove(rows, () => {
        const gone =
          last === undefined
            ? lastSeq
            : addGap(statements, sid, { from: through + 1, to: last.seq, toCursor: last.cursor });
        statements.prunedThrough.run(done ? lastSeq : gone, sid);
      });
      if (done) this.#counts.sessions += 1;
    }
  }

  /** Of sessions whose events are gone. */
  async #dropTurns(endedBefore: number): Promise<void> {
    let dropped: number | bigint = PIECE;
    while (dropped === PIECE && this.#goOn)
      dropped = await this.#piece(({ dropOldTurns }) => dropOldTurns.run(endedBefore, PIECE).changes);
  }

  /** Answers whose turn or session is no more. */
  async #dropAnswers(createdBefore: number): Promise<void> {
    const { statements } = this.#ports.store;
    let at: readonly [number, number] | undefined = [0, 0];
    while (at !== undefined && this.#goOn) {
      const rows: Readonly<Record<string, unknown>>[] = statements.oldIdempotency.all(
        ...at,
        createdBefore,
        PIECE,
      );
      await this.#piece(() => {
        for (const row of rows)
          this.#counts.answers += Number(statements.dropIdempotency.run(integer(row, 'place')).changes);
      });
      const last = rows.at(-1);
      at =
        rows.length < PIECE || last === undefined
          ? undefined
          : [integer(last, 'created'), integer(last, 'place')];
    }
  }

  async #remove(rows: readonly { readonly cursor: number }[], besides: () => void): Promise<void> {
    const { ends } = this.#ports;
    await this.#piece(
      (statements) => {
        for (const { cursor } of rows) statements.dropEvent.run(cursor);
        besides();
        statements.putMeta.run('gone', String(ends.gone + rows.length));
      },
      () => {
        ends.gone += rows.length;
        this.#counts.events += rows.length;
      },
    );
  }

  /** One transaction, then (at once) what follows from it, then whatever else waits. */
  async #piece<T>(work: (statements: Statements) => T, done?: () => void): Promise<T> {
    const value = this.#ports.store.transact(work);
    done?.();
    this.#ports.wrote();
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    return value;
  }

  async #giveBack(): Promise<void> {
    const { store } = this.#ports;
    let free = store.freeBytes;
    while (this.#goOn && free > SPARE_BYTES) {
      // A pragma gives back one page a step: all of them only when it is read to its end.
      store.statements.vacuum.all();
      this.#ports.wrote();
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
      if (store.freeBytes >= free) return;
      free = store.freeBytes;
    }
  }

  get #goOn(): boolean {
    return !this.#ports.signal.aborted;
  }
}
