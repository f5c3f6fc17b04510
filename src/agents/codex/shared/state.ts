/**
 * What the dialect remembers of a process that several sessions share: a thread a seat, and where its opening or closing stands. Plain JSON, versioned.
 * Owns the shape and its bounds. Knows nothing of what lines mean.
 */
import { z } from 'zod';
import { BOUNDS, CodexStateShape, type Work } from '../state.ts';
import type { Json, OutgoingWrite, RequestIds, SharedStep, Step, Told } from '../../dialect.ts';

/** Seats that nobody waits for any more are forgotten beyond this many, the oldest first. */
export const MOST_FORSAKEN = 32;
/** Providers of the configuration whose bounds are remembered while a thread is being opened. */
export const MOST_PROVIDERS = 16;

const name = z.string().max(BOUNDS.id);

/** What `config/read` says that matters for a thread. */
export const Seen = z.object({
  provider: name.nullable(),
  /** Provider → its own idle bound, ms. */
  idle: z.record(name, z.number().nullable()),
  /** Nothing of its own is configured for workspaces. */
  plain: z.boolean(),
});
export type Seen = Readonly<z.infer<typeof Seen>>;

const Opening = z.object({
  phase: z.literal('opening'),
  seat: name,
  /** The request that is to be answered, and what it asked for. */
  id: z.number(),
  asked: z.enum(['config', 'resume', 'start']),
  tries: z.number(),
  seen: Seen.nullable(),
  /** The conversation to be taken up. */
  resume: name.nullable(),
  /** Codex had no record of it. */
  lost: z.boolean(),
  model: name.nullable(),
  effort: name.nullable(),
  /** What its turns will go by; plain as far as the session is concerned. */
  told: CodexStateShape.shape.told,
  plan: z.boolean(),
  /** Nobody wants it any more: it is closed as soon as it is open. `forsaken`: and nobody waits for that. */
  unwanted: z.enum(['no', 'leaving', 'forsaken']),
});
export type Opening = Readonly<z.infer<typeof Opening>>;

const Open = z.object({ phase: z.literal('open'), seat: name, thread: CodexStateShape });
export type Open = Readonly<z.infer<typeof Open>>;

const Closing = z.object({
  phase: z.literal('closing'),
  seat: name,
  thread: CodexStateShape,
  /** The `thread/unsubscribe`, once its turn is over. */
  id: z.number().nullable(),
  forsaken: z.boolean(),
});
export type Closing = Readonly<z.infer<typeof Closing>>;

const Member = z.discriminatedUnion('phase', [Opening, Open, Closing]);
export type Member = Opening | Open | Closing;

const SharedStateShape = z.object({ v: z.literal(1), members: z.array(Member) });
export interface SharedState {
  readonly v: 1;
  readonly members: readonly Member[];
}

/** Throws when it is of another version or shape. */
export function reviveShared(state: Json): SharedState {
  return SharedStateShape.parse(state);
}

export function memberOf(state: SharedState, seat: string): Member | undefined {
  return state.members.find((one) => one.seat === seat);
}

/** One step in the making, over all seats. */
export interface SharedWork {
  state: SharedState;
  readonly signals: Told[];
  readonly writes: OutgoingWrite[];
  readonly ids: RequestIds;
}

export function beginShared(state: SharedState, ids: RequestIds): SharedWork {
  return { state, signals: [], writes: [], ids };
}

export function stepOf({ state, signals, writes }: SharedWork, about?: string): SharedStep<SharedState> {
  return { state, signals, writes, ...(about === undefined ? {} : { about }) };
}

export function replaceMember(work: SharedWork, member: Member): void {
  const members = work.state.members.map((one) => (one.seat === member.seat ? member : one));
  work.state = { ...work.state, members };
}

export function dropMember(work: SharedWork, seat: string): void {
  work.state = { ...work.state, members: work.state.members.filter((one) => one.seat !== seat) };
}

/** See `write` of one thread. */
export function writeShared(work: SharedWork, kind: string, ref: (id: number) => Json): number {
  const id = work.ids.next();
  work.writes.push({ kind, ref: ref(id) });
  return id;
}

/** What one thread's step gave, as its seat's. */
export function takeIn(
  work: SharedWork,
  seat: string,
  of: Pick<Work, 'signals' | 'writes'> | Step<unknown>,
): void {
  for (const signal of of.signals) work.signals.push({ ...signal, to: seat });
  work.writes.push(...of.writes);
}
