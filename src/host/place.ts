/** One runtime's place in the pool: how the policy sees it, and what its session is told of it. */
import { seconds, worn, type Lease, type PoolLimits, type Takes, type Verdict } from '../pool/index.ts';
import { holdOf, type Hold } from '../session/hold.ts';
import type { SessionInput } from '../session/inputs.ts';
import type { RuntimeRecord, Slot } from '../session/ports.ts';
import type { Session } from '../session/session.ts';
import type { HostedProcess } from './ports.ts';

export type UnloadReason = Extract<SessionInput, { kind: 'unload' }>['reason'];

export interface Place {
  /** Of the process. */
  readonly runtime: string;
  /** Whom it serves, by their own names for their runtime: one, or those that share it. */
  readonly seats: Map<string, Seated>;
  /** Sessions of this domain may take a seat. */
  readonly domain?: string;
  perMessage: boolean;
  /** When its session last wanted something of it (asked for it, began or ended a turn), in awake ms; before this daemon's time it is negative. */
  usedAt: number;
  /** When it was last held by anything or otherwise changed, in awake ms: idle time counts from here. */
  restsSince: number;
  /** A message or a turn was open when it was last looked at. */
  busy: boolean;
  /** An earlier daemon made it: if it was being started then, it will end. */
  readonly recovered: boolean;
  /** There while it waits in the line. */
  gate?: PromiseWithResolvers<void> | undefined;
  /** What it waits for. */
  takes?: Takes;
  /** It leaves the line with the commit that is being made, for a process of its own. */
  promised?: boolean;
  /** Since when background tasks run in it. */
  backgroundAt?: number | undefined;
  /** Its background tasks have just ended: they may wake the agent. */
  resting?: Disposable | undefined;
  /** Its session is being asked to let the process go. */
  unloading?: boolean;
  /** It ends in order to be started anew. */
  replacing?: boolean;
  /** When its process was started, in awake ms; before this daemon's time it is negative. */
  madeAt?: number;
  /** It is shared, and being ended for all. */
  over?: boolean;
}

export interface Seated {
  readonly session: Session;
  /** As of its place, for this session alone. */
  restsSince: number;
}

/** The session of a process that serves one. */
export function soleOf(place: Place): Session | undefined {
  const [first] = place.seats.values();
  return place.domain === undefined ? first?.session : undefined;
}

/** Whom its process serves. */
export function sessionsOf(place: Place): Session[] {
  return [...place.seats.values()].map(({ session }) => session);
}

/** What a session that needs a process gets: asked for `now`. */
export function placeFor(
  verdict: Exclude<Verdict, { kind: 'join' }>,
  of: {
    readonly runtime: string;
    readonly seat: string;
    readonly domain: string | undefined;
    readonly session: Session;
    readonly now: number;
  },
): Place {
  const { runtime, seat, session, domain, now } = of;
  const seats = new Map([[seat, { session, restsSince: now }]]);
  const shared = domain === undefined ? {} : { domain };
  const place = { runtime, seats, ...shared, usedAt: now, restsSince: now, busy: true, recovered: false };
  if (verdict.kind === 'start' || verdict.kind === 'per-message')
    return { ...place, perMessage: verdict.kind === 'per-message' };
  const { takes } = verdict;
  return { ...place, perMessage: takes === 'own', takes, gate: Promise.withResolvers<void>() };
}

/** The place of a runtime that an earlier daemon started. The order of use goes on; idle time is counted anew, by our clock. */
export function placeAgain(
  { id, kind, phase, startedAt }: Pick<RuntimeRecord, 'id' | 'kind' | 'phase' | 'startedAt'>,
  of: {
    readonly seats: readonly (readonly [string, Session])[];
    readonly domain: string | undefined;
    readonly now: number;
  },
): Place {
  const { seats, domain, now } = of;
  const last = Math.max(...seats.map(([, { state }]) => Date.parse(state.lastActivityAt)), 0);
  return {
    runtime: id,
    seats: new Map(seats.map(([seat, session]) => [seat, { session, restsSince: now }])),
    ...(domain === undefined ? {} : { domain }),
    perMessage: kind === 'per-message',
    usedAt: -Math.max(0, Date.now() - last),
    madeAt: -Math.max(0, Date.now() - Date.parse(startedAt)),
    restsSince: now,
    busy: seats.some(([, session]) => session.state.turn.kind !== 'none'),
    recovered: domain === undefined || phase !== 'ready',
  };
}

/** What a session gets: a place of its own for a process, or a seat (no slot) in one that is there. */
export interface Taken {
  /** The process. */
  readonly runtime: string;
  /** It is shared. */
  readonly domain: string | undefined;
  readonly slot: Slot | undefined;
  readonly inputs: readonly SessionInput[];
}

/** It was to share a process, which others go on waiting for. */
export const TOO_LONG = {
  code: 'spawn_failed',
  message: 'It waited for a process to share for longer than pool.maxWaitMs',
  retry: false,
} as const;

/** Its process, once there is one. */
export function pidOf(place: Place | undefined, process: HostedProcess | undefined): number | undefined {
  const [link] = place === undefined ? [] : sessionsOf(place).map(({ state }) => state.runtime);
  return process?.pid ?? (link?.kind === 'ready' ? link.pid : undefined);
}

/** Whether it stands in the line. */
export function waits(place: Place): boolean {
  return place.gate !== undefined && place.promised !== true;
}

/** The lease of a place that does not wait. */
export function leaseOf(place: Place, now: number, rssMb: number | undefined): Lease {
  const { runtime, domain, usedAt, restsSince, backgroundAt } = place;
  const perMessage = place.perMessage || place.promised === true;
  const hold = holdOfPlace(place);
  return {
    runtime,
    sessions: sessionsOf(place).map(({ id }) => id),
    ...(domain === undefined || place.over === true ? {} : { domain }),
    kind: perMessage ? 'per-message' : 'warm',
    idleMs: hold === undefined ? Math.max(0, now - restsSince) : 0,
    usedAt,
    ...(hold === undefined ? {} : { hold }),
    ...(backgroundAt === undefined ? {} : { backgroundMs: now - backgroundAt }),
    ...(rssMb === undefined ? {} : { rssMb }),
  };
}

const ENDING: Hold = { kind: 'ending', words: 'it is being ended' };

/** A runtime that its session has left behind, or that was cut short at its start by a takeover, is on its way out. */
function holdOfPlace(place: Place): Hold | undefined {
  const { recovered, resting } = place;
  const session = soleOf(place);
  if (session === undefined) return holdOfShared(place);
  const link = session.state.runtime;
  const left = link.kind === 'none' || link.id !== place.runtime || (recovered && link.kind === 'starting');
  if (left) return ENDING;
  const rest: Hold = { kind: 'background', words: 'a background task has just ended and may wake the agent' };
  return holdOf(session.state) ?? (resting === undefined ? undefined : rest);
}

/** What any of its sessions holds, it holds for all of them. */
function holdOfShared(place: Place): Hold | undefined {
  if (place.over === true || place.recovered) return ENDING;
  const holds = [...place.seats].flatMap(([seat, { session }]) => holdOfSeat(seat, session) ?? []);
  const [first] = holds;
  if (first === undefined || place.seats.size === 1) return first;
  const { kind, words } = first;
  return {
    kind,
    words: `${words} (${String(holds.length)} of ${String(place.seats.size)} sessions hold it)`,
  };
}

function holdOfSeat(seat: string, { state }: Session): Hold | undefined {
  if (state.runtime.kind === 'none' || state.runtime.id !== seat) return undefined;
  // While it goes, the process is in use; it is not the process that ends.
  if (state.runtime.kind === 'ending') return { kind: 'starting', words: 'a session is leaving it' };
  return holdOf(state);
}

/** Of a shared process that goes on for others: those who were idle for too long. They give up their seats. */
export function idleIn(
  place: Place,
  now: number,
  limits: Pick<PoolLimits, 'idleTimeoutMs'>,
): readonly { readonly session: Session; readonly input: Unload }[] {
  if (place.domain === undefined || place.over === true || place.seats.size < 2) return [];
  return [...place.seats.values()].flatMap(({ session, restsSince }) => {
    const idleMs = now - restsSince;
    if (idleMs < limits.idleTimeoutMs || holdOf(session.state) !== undefined) return [];
    const words = `it was idle for ${seconds(idleMs)} (pool.idleTimeoutMs)`;
    return [{ session, input: { kind: 'unload', reason: 'idle', words, despiteBackground: false } }];
  });
}

/** Why its process is worn by the turns of all whom it serves, or has grown, in words. */
export function wornOf(place: Place, rssMb: number | undefined, limits: PoolLimits): string | undefined {
  const links = sessionsOf(place).map(({ state }) => state.runtime);
  const turns = links.reduce((sum, link) => sum + (link.kind === 'ready' ? link.turns : 0), 0);
  return turns === 0 ? undefined : worn({ rssMb, turns }, limits);
}

/** The place as its process sees it. */
export function slotOf(
  place: Place,
  ports: {
    /** It is not wanted any more while it waits. */
    readonly leave: () => void;
    /** Resolves when it may start, or is not wanted any more. */
    readonly mayStart: (signal: AbortSignal) => Promise<void>;
  },
): Slot {
  return {
    get perMessage() {
      return place.perMessage;
    },
    granted: async (signal) => {
      await opened(place, ports.leave, signal);
      await ports.mayStart(signal);
    },
  };
}

async function opened(place: Place, leave: () => void, signal: AbortSignal): Promise<void> {
  const { gate } = place;
  if (gate === undefined) return;
  const goOn = (): void => {
    if (place.gate === undefined) return;
    leave();
    gate.resolve();
  };
  signal.addEventListener('abort', goOn);
  if (signal.aborted) goOn();
  await gate.promise;
  signal.removeEventListener('abort', goOn);
}

/** What the session is told of its place; in words where a person would wonder. */
export function placed(place: Place, seat: string, verdict: Verdict): SessionInput {
  const { perMessage } = place;
  const waiting = verdict.kind === 'line' && !verdict.full ? 'end' : 'slot';
  const words = wordsOf(verdict);
  const waits = place.gate === undefined ? {} : ({ waiting } as const);
  // A process before its message is a kindness: it neither stands in a line nor costs a process of its own.
  const room =
    verdict.kind === 'start' || verdict.kind === 'join' || (verdict.kind === 'line' && !verdict.full);
  const unwanted = room ? {} : ({ unwanted: true } as const);
  return {
    kind: 'slot',
    runtime: seat,
    perMessage,
    ...waits,
    ...unwanted,
    ...(words === undefined ? {} : { words }),
  };
}

function wordsOf(verdict: Verdict): string | undefined {
  if (verdict.kind === 'start' || verdict.kind === 'join') return undefined;
  if (verdict.kind !== 'refuse' && !verdict.full) return undefined;
  if (verdict.kind !== 'per-message')
    return `The message waits for ${WAITS_FOR[verdict.takes]}: ${verdict.reason}`;
  return `The message runs in a process of its own: ${verdict.reason}`;
}

const WAITS_FOR: Readonly<Record<Takes, string>> = {
  slot: 'a slot',
  own: 'a process of its own',
  either: 'a slot or a process of its own',
};

/** The pool wants the process of this lease back. */
export type Unload = Extract<SessionInput, { kind: 'unload' }>;

export function unloading(lease: Lease, reason: UnloadReason, words: string): Unload {
  return { kind: 'unload', reason, words, despiteBackground: lease.hold?.kind === 'background' };
}

/** Its rest is over. */
export function wake(place: Place): void {
  place.resting?.[Symbol.dispose]();
  place.resting = undefined;
}
