/**
 * What of a runtime is in its journal row, as JSON with a version: read back by the next daemon.
 */
import type { Json, OutgoingWrite } from '../agents/dialect.ts';
import { PilotlightError, RuntimeEndReason } from '../protocol/index.ts';
import type { OutboxRecord, RuntimeRecord } from '../session/ports.ts';

export interface RuntimeRow {
  readonly v: 1;
  /** JSON, as every dialect's state is. */
  readonly dialect: unknown;
  /** The offset lies inside a line that was cut. */
  readonly skipping: boolean;
  /** The number of the write that carries the prompt of the open turn; 0 for none. */
  readonly prompt: number;
  /** Why it is being ended; only in that phase. */
  readonly reason?: RuntimeEndReason;
  /** Of a process that several sessions share: see members.ts. */
  readonly seats?: Json;
}

/** The row of a process that is to be started: nothing was read from it, nothing written to it. */
export function startingRecord(
  of: Pick<RuntimeRecord, 'id' | 'agent' | 'sessions' | 'startedAt' | 'kind'>,
  seats?: Json,
): RuntimeRecord {
  const row: RuntimeRow | null =
    seats === undefined ? null : { v: 1, dialect: null, skipping: false, prompt: 0, seats };
  return { ...of, phase: 'starting', offset: 0, lastWrite: 0, state: row, lines: 0, chunks: 0 };
}

/** Throws when it cannot be read. */
export function readRow(state: unknown): RuntimeRow & { readonly dialect: Json } {
  if (
    typeof state !== 'object' ||
    state === null ||
    !('v' in state) ||
    state.v !== 1 ||
    !('dialect' in state)
  )
    throw new PilotlightError('protocol', 'A runtime row of an unknown version');
  const skipping = 'skipping' in state && state.skipping === true;
  const prompt = 'prompt' in state && typeof state.prompt === 'number' ? state.prompt : 0;
  const reason = RuntimeEndReason.safeParse('reason' in state ? state.reason : undefined);
  return {
    v: 1,
    dialect: asJson(state.dialect),
    skipping,
    prompt,
    ...(reason.success ? { reason: reason.data } : {}),
    ...('seats' in state ? { seats: asJson(state.seats) } : {}),
  };
}

export function readWrites(rows: readonly OutboxRecord[]): (OutgoingWrite & { readonly n: number })[] {
  return rows.map(({ n, kind, ref }) => ({ n, kind, ref: asJson(ref) }));
}

/** What JSON.parse gives is JSON; this says so to the compiler, checking what can be checked cheaply. */
export function asJson(value: unknown): Json {
  if (value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')
    return value;
  if (Array.isArray(value)) return value.map(asJson);
  if (typeof value === 'object')
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, asJson(item)]));
  throw new PilotlightError('protocol', 'Not JSON');
}
