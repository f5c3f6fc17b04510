/**
 * Where the log ends: of the home by global cursor, of every session by seq. In memory for what was touched, from its row otherwise.
 * Moves only with a commit that is through.
 */
import { integer, text } from './rows.ts';
import type { Statements } from './statements.ts';

export interface SessionEnd {
  /** The session's number in the events table. */
  readonly key: number;
  readonly lastSeq: number;
}

/** More sessions than this are read again from their rows. */
const MOST_REMEMBERED = 10_000;

export class Ends {
  readonly #statements: Statements;
  readonly #sessions = new Map<string, SessionEnd>();
  /** The cursor of the last event ever written: a removed one is not given again. */
  cursor: number;
  /** Events that retention has removed. */
  gone: number;

  constructor(statements: Statements) {
    this.#statements = statements;
    const last = statements.lastCursor.get();
    this.cursor = last === undefined ? 0 : integer(last, 'cursor');
    const gone = statements.goneEvents.get();
    this.gone = gone === undefined ? 0 : Number(text(gone, 'value'));
  }

  /** Events that are kept. */
  get events(): number {
    return this.cursor - this.gone;
  }

  of(session: string): SessionEnd | undefined {
    const known = this.#sessions.get(session);
    if (known !== undefined) return known;
    const row = this.#statements.sessionEnd.get(session);
    if (row === undefined) return undefined;
    const end = { key: integer(row, 'key'), lastSeq: integer(row, 'last_seq') };
    this.set(session, end);
    return end;
  }

  set(session: string, end: SessionEnd): void {
    if (this.#sessions.size >= MOST_REMEMBERED) this.#sessions.clear();
    this.#sessions.set(session, end);
  }
}
