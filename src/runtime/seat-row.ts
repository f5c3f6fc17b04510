/**
 * Who has a seat in a shared process, as it is written in the row of its runtime and read back by the next daemon.
 */
import type { Json } from '../agents/dialect.ts';
import { PilotlightError, RuntimeEndReason } from '../protocol/index.ts';
import { asJson, readRow } from './row.ts';

const PHASES = ['asked', 'joining', 'in', 'leaving'] as const;

export interface SeatRow {
  /** The session's own name for its runtime. */
  readonly id: string;
  readonly session: string;
  /** ms since 1970: when it asked. */
  readonly since: number;
  /** `asked`: nothing was written for it yet. */
  readonly phase: (typeof PHASES)[number];
  /** Its session was told that it can speak. */
  readonly joined: boolean;
  /** The number of the write that carries its last prompt; 0 for none. */
  readonly prompt: number;
  /** Why it leaves. */
  readonly reason?: RuntimeEndReason;
  /** The first in a process that was there before any session. */
  readonly spare?: true;
  /** What its commands carry as the mark of their session, where its conversation was opened before the session was there. */
  readonly mark?: string;
}

/** What the commands of a seat carry. */
export function markOf({ mark, session }: Pick<SeatRow, 'mark' | 'session'>): string {
  return mark ?? session;
}

export function seatRows(domain: string, seats: readonly SeatRow[]): Json {
  const rows = seats.map(({ id, session, since, phase, joined, prompt, reason, spare, mark }) => ({
    id,
    session,
    since,
    phase,
    joined,
    prompt,
    ...(reason === undefined ? {} : { reason }),
    ...(spare === undefined ? {} : { spare }),
    ...(mark === undefined ? {} : { mark }),
  }));
  return { domain, seats: rows };
}

/** Throws when it cannot be read. */
export function seatsIn(state: unknown): { readonly domain: string; readonly seats: readonly SeatRow[] } {
  const { seats: rows } = readRow(state);
  const { domain, seats } = tableOf(rows);
  if (typeof domain !== 'string' || !Array.isArray(seats)) throw unknown();
  return { domain, seats: seats.map((seat: unknown) => seatOf(tableOf(seat))) };
}

type Table = Readonly<Record<string, unknown>>;

function seatOf({ id, session, since, phase, joined, prompt, reason, spare, mark }: Table): SeatRow {
  const known = PHASES.find((one) => one === phase);
  if (typeof id !== 'string' || typeof session !== 'string' || typeof since !== 'number') throw unknown();
  if (known === undefined || typeof prompt !== 'number') throw unknown();
  const why = RuntimeEndReason.safeParse(reason);
  const given = why.success ? { reason: why.data } : {};
  const first = spare === true ? ({ spare } as const) : {};
  const marked = typeof mark === 'string' ? { mark } : {};
  const seat = { id, session, since, phase: known, joined: joined === true, prompt };
  return { ...seat, ...given, ...first, ...marked };
}

function tableOf(value: unknown): Table {
  if (typeof value !== 'object' || value === null) throw unknown();
  const table = asJson(value);
  if (typeof table !== 'object' || table === null || Array.isArray(table)) throw unknown();
  return table as Table;
}

function unknown(): PilotlightError {
  return new PilotlightError('protocol', 'Seats of a shared runtime of an unknown form');
}
