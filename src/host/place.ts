/** One runtime's place in the pool, and how the policy sees it. */
import type { Lease } from '../pool/index.ts';
import { holdOf, type Hold } from '../session/hold.ts';
import type { Session } from '../session/session.ts';

export interface Place {
  readonly runtime: string;
  readonly session: Session;
  perMessage: boolean;
  /** When it was last used, in awake ms. */
  usedAt: number;
  /** An earlier daemon made it: if it was being started then, it will end. */
  readonly recovered: boolean;
  /** There while it waits in the line. */
  gate?: PromiseWithResolvers<void> | undefined;
  /** Since when background tasks run in it. */
  backgroundAt?: number | undefined;
  /** Its session is being asked to let the process go. */
  unloading?: boolean;
  /** It ends in order to be started anew. */
  replacing?: boolean;
}

/** The lease of a place that does not wait. */
export function leaseOf(place: Place, now: number, rssMb: number | undefined): Lease {
  const { runtime, session, perMessage, usedAt, backgroundAt } = place;
  const hold = holdOfPlace(place);
  return {
    runtime,
    sessions: [session.id],
    kind: perMessage ? 'per-message' : 'warm',
    idleMs: hold === undefined ? Math.max(0, now - usedAt) : 0,
    order: session.state.lastActivityAt,
    ...(hold === undefined ? {} : { hold }),
    ...(backgroundAt === undefined ? {} : { backgroundMs: now - backgroundAt }),
    ...(rssMb === undefined ? {} : { rssMb }),
  };
}

/** A runtime that its session has left behind, or that was cut short at its start by a takeover, is on its way out. */
function holdOfPlace({ runtime, session, recovered }: Place): Hold | undefined {
  const link = session.state.runtime;
  const left = link.kind === 'none' || link.id !== runtime || (recovered && link.kind === 'starting');
  return left ? { kind: 'ending', words: 'it is being ended' } : holdOf(session.state);
}
