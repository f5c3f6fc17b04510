/**
 * Processes that are started before there is a session for them (R21): which are wanted, which fits, which end. Pure.
 * Knows of a key only that equal ones are started alike, and of a stamp only that what was on the disk then is no more what it was.
 *
 * A spare is the least of all: it never waits in the line, nothing is ended for it, and it is ended first.
 */
import { decideLease, hasSeat, type PoolView } from './decide.ts';
import type { PoolLimits } from './limits.ts';

/** How a process is started: agent, workspace, settings and environment in one. */
export interface SpareKey {
  readonly key: string;
  /** Sessions of this domain take a seat in it; absent for a process of one session. */
  readonly domain?: string;
  /** The agent's binary and the files that it reads at its start, as they are on the disk now. */
  readonly stamp: string;
}

/** A session was created that a spare would have served. */
export interface SpareWant extends SpareKey {
  /** Awake ms, on the clock of {@link SparesView.now}. */
  readonly usedAt: number;
}

export interface Spare extends SpareKey {
  readonly runtime: string;
  readonly phase: 'starting' | 'ready' | 'ending';
  /** A conversation is open in it, for a session that is started alike. */
  readonly converses?: boolean;
}

export interface SparesView {
  readonly wants: readonly SpareWant[];
  readonly spares: readonly Spare[];
  readonly pool: PoolView;
  readonly now: number;
}

export interface SparesVerdict {
  readonly end: readonly { readonly runtime: string; readonly why: string }[];
  /** The key of the one to be started next, in an idle moment. */
  readonly start?: string;
}

/**
 * One for each key that is wanted, the last used first, as far as `limits.spares` and free slots go; one starts at a time. A domain whose process has a free
 * seat wants none.
 */
export function decideSpares(view: SparesView, limits: PoolLimits): SparesVerdict {
  const wanted = wantedNow(view, limits);
  const kept = new Set<string>();
  const end: { runtime: string; why: string }[] = [];
  for (const spare of view.spares.filter(({ phase }) => phase !== 'ending')) {
    const why = kept.has(spare.key) ? 'there is another one like it' : unwanted(spare, wanted);
    if (why === undefined) kept.add(spare.key);
    else end.push({ runtime: spare.runtime, why });
  }
  const settled = view.spares.every(({ phase }) => phase === 'ready') && end.length === 0;
  const free = decideLease({}, view.pool, limits).kind === 'start' && view.pool.waiting === 0;
  const next = settled && free ? wanted.find(({ key }) => !kept.has(key)) : undefined;
  return { end, ...(next === undefined ? {} : { start: next.key }) };
}

/** The one that a session started alike may have for itself. */
export function fitting(spares: readonly Spare[], asked: SpareKey): Spare | undefined {
  return spares.find(
    ({ phase, key, stamp, domain }) =>
      domain === undefined && phase === 'ready' && key === asked.key && stamp === asked.stamp,
  );
}

/** What a person reads of a spare. */
export function verdictOfSpare(spare: Spare, want: SpareWant | undefined, now: number): string {
  if (spare.phase === 'ending') return 'a spare process, it is being ended';
  const unused =
    want === undefined ? '' : `, last wanted ${String(Math.round((now - want.usedAt) / 1000))} s ago`;
  const what = spare.phase === 'starting' ? 'a spare process that is being started' : 'a spare process';
  const open = spare.converses === true ? ', a conversation is open in it' : '';
  return `${what}: no session has it yet${open}${unused}; it is the first to end when a slot is needed`;
}

function wantedNow({ wants, now, pool }: SparesView, limits: PoolLimits): readonly SpareWant[] {
  return wants
    .filter(({ usedAt }) => now - usedAt < limits.spareForMs)
    .filter(({ domain }) => domain === undefined || !hasSeat(domain, pool, limits))
    .toSorted((a, b) => b.usedAt - a.usedAt)
    .slice(0, limits.persistent ? limits.spares : 0);
}

function unwanted(spare: Spare, wanted: readonly SpareWant[]): string | undefined {
  const want = wanted.find(({ key }) => key === spare.key);
  if (want === undefined)
    return spare.domain === undefined
      ? 'its workspace and settings were not used of late'
      : 'its domain was not used of late, or has a process with a free seat';
  return want.stamp === spare.stamp
    ? undefined
    : 'its agent, or what the agent reads at its start, has changed';
}
