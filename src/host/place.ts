/** One runtime's place in the pool: how the policy sees it, and what its session is told of it. */
import type { Lease, Takes, Verdict } from '../pool/index.ts';
import { holdOf, type Hold } from '../session/hold.ts';
import type { SessionInput } from '../session/inputs.ts';
import type { Slot } from '../session/ports.ts';
import type { Session } from '../session/session.ts';
import type { HostedRuntime } from './ports.ts';

export type UnloadReason = Extract<SessionInput, { kind: 'unload' }>['reason'];

export interface Place {
  readonly runtime: string;
  readonly session: Session;
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
}

/** What a session that needs a process gets: asked for `now`. */
export function placeFor(
  verdict: Verdict,
  of: { readonly runtime: string; readonly session: Session; readonly now: number },
): Place {
  const { runtime, session, now } = of;
  const place = { runtime, session, usedAt: now, restsSince: now, busy: true, recovered: false };
  if (verdict.kind === 'start' || verdict.kind === 'per-message')
    return { ...place, perMessage: verdict.kind === 'per-message' };
  const { takes } = verdict;
  return { ...place, perMessage: takes === 'own', takes, gate: Promise.withResolvers<void>() };
}

/** Its process, once there is one. */
export function pidOf(place: Place | undefined, runtime: HostedRuntime | undefined): number | undefined {
  const link = place?.session.state.runtime;
  return runtime?.pid ?? (link?.kind === 'ready' ? link.pid : undefined);
}

/** Whether it stands in the line. */
export function waits(place: Place): boolean {
  return place.gate !== undefined && place.promised !== true;
}

/** The lease of a place that does not wait. */
export function leaseOf(place: Place, now: number, rssMb: number | undefined): Lease {
  const { runtime, session, usedAt, restsSince, backgroundAt } = place;
  const perMessage = place.perMessage || place.promised === true;
  const hold = holdOfPlace(place);
  return {
    runtime,
    sessions: [session.id],
    kind: perMessage ? 'per-message' : 'warm',
    idleMs: hold === undefined ? Math.max(0, now - restsSince) : 0,
    usedAt,
    ...(hold === undefined ? {} : { hold }),
    ...(backgroundAt === undefined ? {} : { backgroundMs: now - backgroundAt }),
    ...(rssMb === undefined ? {} : { rssMb }),
  };
}

/** A runtime that its session has left behind, or that was cut short at its start by a takeover, is on its way out. */
function holdOfPlace({ runtime, session, recovered, resting }: Place): Hold | undefined {
  const link = session.state.runtime;
  const left = link.kind === 'none' || link.id !== runtime || (recovered && link.kind === 'starting');
  if (left) return { kind: 'ending', words: 'it is being ended' };
  const rest: Hold = { kind: 'background', words: 'a background task has just ended and may wake the agent' };
  return holdOf(session.state) ?? (resting === undefined ? undefined : rest);
}

/** The place as its process sees it. `leave`: it is not wanted any more while it waits. */
export function slotOf(place: Place, leave: () => void): Slot {
  return {
    get perMessage() {
      return place.perMessage;
    },
    granted: async (signal) => {
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
    },
  };
}

/** What the session is told of its place; in words where a person would wonder. */
export function placed(place: Place, verdict: Verdict): SessionInput {
  const { runtime, perMessage } = place;
  const waiting = verdict.kind === 'line' && !verdict.full ? 'end' : 'slot';
  const words = wordsOf(verdict);
  const waits = place.gate === undefined ? {} : ({ waiting } as const);
  // A process before its message is a kindness: it neither stands in a line nor costs a process of its own.
  const room = verdict.kind === 'start' || (verdict.kind === 'line' && !verdict.full);
  const unwanted = room ? {} : ({ unwanted: true } as const);
  return {
    kind: 'slot',
    runtime,
    perMessage,
    ...waits,
    ...unwanted,
    ...(words === undefined ? {} : { words }),
  };
}

function wordsOf(verdict: Verdict): string | undefined {
  if (verdict.kind === 'start') return undefined;
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
export function unloading(lease: Lease, reason: UnloadReason, words: string): SessionInput {
  return { kind: 'unload', reason, words, despiteBackground: lease.hold?.kind === 'background' };
}

/** Its rest is over. */
export function wake(place: Place): void {
  place.resting?.[Symbol.dispose]();
  place.resting = undefined;
}
