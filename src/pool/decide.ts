/**
 * Who gets a slot, who waits, who is ended for whom. Pure: what holds, who waits, the limits → a verdict with its reason in words.
 *
 * A slot is a warm process, from the moment it may start until it is seen to be gone. Whoever waits in the line gets a slot as one frees;
 * nobody overtakes the line. In the line stand those for whom an idle process is being ended, those who found nothing idle
 * (`pool.whenFull = "wait"`), and those who would run per message and found as many such processes as there may be.
 */
import { evictable, type Lease } from './lease.ts';
import type { PoolLimits } from './limits.ts';

/** Assumed of a process whose memory was never read, where no other tells, MB. */
const USUAL_MB = 200;

export interface Asking {
  readonly model?: string | undefined;
  /** Processes of this domain may be shared. */
  readonly domain?: string | undefined;
  /** The session's warm processes fail: why. */
  readonly degraded?: string | undefined;
}

/** What one in the line goes on with: a slot, a process for one message, or whichever comes first. */
export type Takes = 'slot' | 'own' | 'either';

export type Verdict =
  /** A slot is free. */
  | { readonly kind: 'start' }
  /** A seat in a process that is there, or on its way, for others or for nobody yet: no slot is needed. */
  | { readonly kind: 'join'; readonly runtime: string }
  /** A process of its own for one message. `full`: only because no slot could be had. */
  | { readonly kind: 'per-message'; readonly reason: string; readonly full: boolean }
  /** A place in the line; these are ended now to make room. `full`: nothing makes room by itself, it waits until something is idle. */
  | {
      readonly kind: 'line';
      readonly evict: readonly Lease[];
      readonly reason: string;
      readonly full: boolean;
      readonly takes: Takes;
    }
  /** The line is full too. */
  | { readonly kind: 'refuse'; readonly reason: string; readonly takes: Takes };

export interface PoolView {
  readonly leases: readonly Lease[];
  /** How many stand in the line for a slot. */
  readonly waiting: number;
  /** How many stand in it only for a process for one message; default none. */
  readonly waitingOwn?: number;
  /** Those in the line, as they may be shared. */
  readonly line?: readonly Pick<Lease, 'runtime' | 'sessions' | 'domain' | 'hold'>[];
}

/** What a session that needs a process gets. */
export function decideLease(asking: Asking, pool: PoolView, limits: PoolLimits): Verdict {
  const never = notWarm(asking, limits);
  if (never !== undefined) return perMessage({ reason: never, full: false }, pool, limits);
  const seat = seatFor(asking, pool, limits);
  if (seat !== undefined) return { kind: 'join', runtime: seat };
  if (roomNow(pool.leases, limits) > pool.waiting) return { kind: 'start' };
  const evict = evictionsFor(pool, pool.waiting + 1, limits);
  if (evict !== undefined)
    return {
      kind: 'line',
      full: false,
      takes: 'slot',
      evict,
      reason:
        evict.length === 0 ? 'a process that is being ended makes room' : 'an idle process is ended for it',
    };
  const reason = `${fullness(pool.leases, limits)}, none is idle`;
  if (limits.whenFull === 'per-message') return perMessage({ reason, full: true }, pool, limits);
  return inLine({ reason, takes: 'slot' }, pool, limits);
}

/** The fullest of the domain that has a seat left, so that the others come to rest. */
function seatFor({ domain }: Asking, pool: PoolView, limits: PoolLimits): string | undefined {
  if (domain === undefined) return undefined;
  const open = openOf(domain, pool, limits);
  return open.toSorted((a, b) => b.sessions.length - a.sessions.length)[0]?.runtime;
}

/** Whether a process of the domain that sessions have takes one more. */
export function hasSeat(domain: string, pool: PoolView, limits: PoolLimits): boolean {
  return openOf(domain, pool, limits).some(({ sessions }) => sessions.length > 0);
}

function openOf(domain: string, pool: PoolView, limits: PoolLimits): NonNullable<PoolView['line']> {
  return [...pool.leases, ...(pool.line ?? [])].filter(
    (lease) =>
      lease.domain === domain &&
      lease.hold?.kind !== 'ending' &&
      lease.sessions.length < limits.sessionsPerProcess,
  );
}

/** A process of its own, or a place in the line when there are as many as there may be. */
function perMessage(
  why: { readonly reason: string; readonly full: boolean },
  pool: PoolView,
  limits: PoolLimits,
): Verdict {
  if (ownRoom(pool.leases, limits) > (pool.waitingOwn ?? 0)) return { kind: 'per-message', ...why };
  const reason = `${why.reason}; and ${allOwn(limits)}`;
  return inLine({ reason, takes: why.full ? 'either' : 'own' }, pool, limits);
}

function inLine(
  why: { readonly reason: string; readonly takes: Takes },
  pool: PoolView,
  limits: PoolLimits,
): Verdict {
  const waiting = pool.waiting + (pool.waitingOwn ?? 0);
  if (waiting >= limits.maxWaiting)
    return { ...why, kind: 'refuse', reason: `${why.reason}, and ${String(waiting)} sessions wait` };
  return { kind: 'line', full: true, evict: [], ...why };
}

/** Why one that has waited for long enough gets no process for one message either; undefined when it gets one. */
export function outOfPlaces(leases: readonly Lease[], limits: PoolLimits): string | undefined {
  return ownRoom(leases, limits) > 0 ? undefined : allOwn(limits);
}

/** How many more processes for one message may start. */
export function ownRoom(leases: readonly Lease[], limits: PoolLimits): number {
  return Math.max(0, limits.maxPerMessage - leases.filter((lease) => lease.kind === 'per-message').length);
}

function allOwn({ maxPerMessage }: PoolLimits): string {
  const all = maxPerMessage === 1 ? 'the one process' : `all ${String(maxPerMessage)} processes`;
  return `${all} for one message (pool.maxPerMessage) ${maxPerMessage === 1 ? 'is' : 'are'} in use`;
}

/** Why this session is never served by a warm process now. */
export function notWarm(asking: Asking, limits: PoolLimits): string | undefined {
  if (!limits.persistent) return 'warm processes are switched off (pool.persistent)';
  const { model, degraded } = asking;
  const part =
    model === undefined
      ? undefined
      : limits.blockedModels.find((one) => model.toLowerCase().includes(one.toLowerCase()));
  if (part !== undefined)
    return `the model ${String(model)} does not run warm (pool.blockedModels "${part}")`;
  return degraded;
}

/** How many of those in the line for a slot may start now. */
export function grants(pool: PoolView, limits: PoolLimits): number {
  return Math.max(0, Math.min(pool.waiting, roomNow(pool.leases, limits)));
}

/** What each in the line, in its order, may start with now; undefined for those that go on waiting. */
export function grantsInLine(
  line: readonly Takes[],
  pool: PoolView,
  limits: PoolLimits,
): readonly ('slot' | 'own' | undefined)[] {
  let slots = grants(pool, limits);
  let own = ownRoom(pool.leases, limits);
  return line.map((takes) => {
    if (takes !== 'own' && slots > 0) {
      slots -= 1;
      return 'slot';
    }
    if (takes === 'slot' || own === 0) return undefined;
    own -= 1;
    return 'own';
  });
}

/** Whom to end so that those in the line get on, as far as there are idle ones. */
export function evictionsForLine(pool: PoolView, limits: PoolLimits): readonly Lease[] {
  const idle = evictable(pool.leases, limits);
  const chosen: Lease[] = [];
  while (chosen.length < idle.length && roomAfter(pool.leases, chosen, limits) < pool.waiting)
    chosen.push(...idle.slice(chosen.length, chosen.length + 1));
  return chosen;
}

/** Whom to end so that memory keeps within its budget, as far as there are idle ones. */
export function evictionsForBudget(leases: readonly Lease[], limits: PoolLimits): readonly Lease[] {
  const { memoryBudgetMb } = limits;
  if (memoryBudgetMb === undefined) return [];
  const idle = evictable(leases, limits);
  const chosen: Lease[] = [];
  const stays = (lease: Lease): boolean => lease.hold?.kind !== 'ending' && !chosen.includes(lease);
  while (chosen.length < idle.length && total(leases.filter(stays), expected(leases)) > memoryBudgetMb)
    chosen.push(...idle.slice(chosen.length, chosen.length + 1));
  return chosen;
}

/** The fewest, least recently used first, whose end makes room for `wanted`; undefined when no room can be made. */
function evictionsFor(pool: PoolView, wanted: number, limits: PoolLimits): readonly Lease[] | undefined {
  const idle = evictable(pool.leases, limits);
  for (let count = 0; count <= idle.length; count += 1) {
    const chosen = idle.slice(0, count);
    if (roomAfter(pool.leases, chosen, limits) >= wanted) return chosen;
  }
  return undefined;
}

/** How many more could start now. */
function roomNow(leases: readonly Lease[], limits: PoolLimits): number {
  return room(leases, limits, expected(leases));
}

/** How many more could start once those that are being ended, and the `chosen`, are gone. */
function roomAfter(leases: readonly Lease[], chosen: readonly Lease[], limits: PoolLimits): number {
  const left = leases.filter((lease) => lease.hold?.kind !== 'ending' && !chosen.includes(lease));
  return room(left, limits, expected(leases));
}

function room(leases: readonly Lease[], limits: PoolLimits, each: number): number {
  const slots = limits.maxWarm - leases.filter((lease) => lease.kind === 'warm').length;
  const { memoryBudgetMb } = limits;
  if (memoryBudgetMb === undefined) return slots;
  // One may always run: a budget smaller than any process would otherwise stop everything.
  const memory = Math.floor((memoryBudgetMb - total(leases, each)) / each);
  return Math.min(slots, leases.length === 0 ? Math.max(1, memory) : memory);
}

function total(leases: readonly Lease[], each: number): number {
  return leases.reduce((sum, lease) => sum + (lease.rssMb ?? each), 0);
}

function expected(leases: readonly Lease[]): number {
  const known = leases.flatMap((lease) => (lease.rssMb === undefined ? [] : [lease.rssMb]));
  return known.length === 0 ? USUAL_MB : Math.max(1, total(leases.filter(sampled), 0) / known.length);
}

function sampled(lease: Lease): boolean {
  return lease.rssMb !== undefined;
}

function fullness(leases: readonly Lease[], limits: PoolLimits): string {
  const warm = leases.filter((lease) => lease.kind === 'warm').length;
  if (warm >= limits.maxWarm) return `all ${String(limits.maxWarm)} warm processes are in use`;
  return `the processes fill the memory budget of ${String(limits.memoryBudgetMb)} MB`;
}
