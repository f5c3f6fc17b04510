/**
 * Pages of events, from one session or from all, with what retention has removed in between.
 * Owns where a page ends. A page costs its own rows however long the log is.
 */
import { PilotlightError } from '../protocol/index.ts';
import type { EventPage, Gap, StoredEvent } from '../session/ports.ts';
import type { Ends } from './ends.ts';
import { storedEvent } from './envelope.ts';
import { integer, optionalText, text, type Row } from './rows.ts';
import type { Statements } from './statements.ts';

/** A gap and the position behind it, in the numbers of the page: seqs of one session, cursors of all. */
export interface PlacedGap {
  readonly gap: Gap;
  readonly position: number;
}

export interface Page {
  readonly events: readonly StoredEvent[];
  readonly gaps: readonly PlacedGap[];
  /** Everything up to here is in this page or before it. */
  readonly through: number;
  readonly atEnd: boolean;
}

const MOST_ROWS = 1000;
/** A page ends behind the event with which it has so many characters. */
const MOST_CHARS = 8 * 1024 * 1024;

export class EventReader {
  readonly #statements: Statements;
  readonly #ends: Ends;

  constructor(statements: Statements, ends: Ends) {
    this.#statements = statements;
    this.#ends = ends;
  }

  /** The position of the last event: of a session its seq, of all the cursor. */
  end(session: string | undefined): number {
    return session === undefined ? this.#ends.cursor : (this.#ends.of(session)?.lastSeq ?? 0);
  }

  /** Throws `cursor_ahead` with `{lastSeq}` for a position beyond the end. */
  eventPage(session: string | undefined, after: number, limit: number): EventPage {
    const lastSeq = this.end(session);
    if (after > lastSeq)
      throw new PilotlightError('cursor_ahead', `There is nothing at ${String(after)} yet`, {
        fix: `Ask again from the start: the end is at ${String(lastSeq)}.`,
        detail: { lastSeq },
      });
    const { events, gaps, atEnd, through } = this.page(session, after, limit);
    return { events, ...(atEnd ? {} : { next: through }), through, gaps: gaps.map(({ gap }) => gap) };
  }

  page(session: string | undefined, after: number, limit: number): Page {
    const most = Math.max(1, Math.min(Math.trunc(limit) || 1, MOST_ROWS));
    return session === undefined ? this.#ofAll(after, most) : this.#ofSession(session, after, most);
  }

  #ofSession(session: string, after: number, most: number): Page {
    const end = this.#ends.of(session);
    if (end === undefined) return { events: [], gaps: [], through: 0, atEnd: true };
    const rows = this.#statements.events.iterate(end.key, after, most);
    const { events, whole } = take(rows, most, () => session);
    const last = events.at(-1)?.seq ?? after;
    const atEnd = whole || last >= end.lastSeq;
    const through = atEnd ? end.lastSeq : last;
    // Between two events lies one gap at most: there are never more than events.
    const gaps = this.#statements.gaps.all(end.key, after, through, most + 1).map((row) => {
      const to = integer(row, 'to_seq');
      const from = Math.max(integer(row, 'from_seq'), after + 1);
      return { gap: { session, from, to, reason: text(row, 'reason') }, position: to };
    });
    return { events, gaps, through, atEnd };
  }

  #ofAll(after: number, most: number): Page {
    const rows = this.#statements.allEvents.iterate(after, most);
    const { events, whole } = take(rows, most, (row) => text(row, 'session'));
    const last = events.at(-1)?.cursor ?? after;
    const atEnd = whole || last >= this.#ends.cursor;
    const through = atEnd ? this.#ends.cursor : last;
    const gaps = this.#statements.allGaps.all(after, through, MOST_ROWS).map((row) => ({
      gap: {
        session: text(row, 'session'),
        from: integer(row, 'from_seq'),
        to: integer(row, 'to_seq'),
        reason: text(row, 'reason'),
      },
      position: integer(row, 'to_cursor'),
    }));
    const lastGap = gaps.at(-1);
    if (gaps.length < MOST_ROWS || lastGap === undefined) return { events, gaps, through, atEnd };
    // More gaps than a page holds: it ends behind the last of them.
    const { position } = lastGap;
    return {
      events: events.filter(({ cursor }) => cursor <= position),
      gaps,
      through: position,
      atEnd: position >= this.#ends.cursor,
    };
  }
}

/** `whole`: there were no more rows. */
function take(
  rows: Iterable<Row>,
  most: number,
  sessionOf: (row: Row) => string,
): { readonly events: StoredEvent[]; readonly whole: boolean } {
  const events: StoredEvent[] = [];
  let chars = 0;
  for (const row of rows) {
    const event = storedEvent(integer(row, 'cursor'), {
      session: sessionOf(row),
      seq: integer(row, 'seq'),
      turn: optionalText(row, 'turn'),
      time: text(row, 'time'),
      type: text(row, 'type'),
      data: text(row, 'data'),
    });
    events.push(event);
    chars += event.json.length;
    if (chars >= MOST_CHARS) return { events, whole: false };
  }
  return { events, whole: events.length < most };
}
