/** P2: seq is contiguous from 1, and whoever follows sees each event once, in order, as it is in the journal. */
import { isDeepStrictEqual } from 'node:util';
import type { Event } from '../../support/daemon.ts';
import type { History, Leg, SessionHistory, Violation } from './history.ts';

export function orderViolations(history: History): Violation[] {
  return history.sessions.flatMap((session) => [
    ...contiguous(session),
    ...shown(session),
    ...session.followers.flatMap((follower, place) =>
      follower.legs.flatMap((leg) => followed(session, leg, `follower ${String(place)}`)),
    ),
  ]);
}

function contiguous(session: SessionHistory): Violation[] {
  const wrong = session.journal.findIndex((event, index) => event.seq !== index + 1);
  if (wrong < 0) return [];
  const seq = String(session.journal[wrong]?.seq);
  return [violation(session, `the journal has seq ${seq} at place ${String(wrong + 1)}`)];
}

/** The API shows the journal: what was stopped later may have added to its end. */
function shown(session: SessionHistory): Violation[] {
  if (session.shown.length > session.journal.length)
    return [
      violation(
        session,
        `shown up to ${String(session.shown.length)}, in the file up to ${String(session.journal.length)}`,
      ),
    ];
  const wrong = session.shown.findIndex((event, index) => !isDeepStrictEqual(event, session.journal[index]));
  return wrong < 0
    ? []
    : [violation(session, `event ${String(wrong + 1)} is shown otherwise than it is in the file`)];
}

function followed(session: SessionHistory, leg: Leg, who: string): Violation[] {
  const found = leg.breaks.map((what) => violation(session, `${who} after ${String(leg.after)}: ${what}`));
  let last = leg.after;
  for (const { id, event } of leg.seen) {
    const wrong = wrongFrame({ id, event, last, journal: session.journal });
    if (wrong !== undefined)
      return [...found, violation(session, `${who} after ${String(leg.after)}: ${wrong}`)];
    last = id;
  }
  return found;
}

function wrongFrame(frame: {
  readonly id: number;
  readonly event: Event;
  readonly last: number;
  readonly journal: readonly Event[];
}): string | undefined {
  const { id, event, last, journal } = frame;
  if (id !== event.seq) return `id ${String(id)} on event ${String(event.seq)}`;
  if (id !== last + 1) return `saw ${String(id)} behind ${String(last)}`;
  const kept = journal[id - 1];
  if (kept === undefined) return `saw ${String(id)} ${event.type}, which is not in the journal`;
  if (!isDeepStrictEqual(event, kept)) return `saw ${String(id)} otherwise than it is in the journal`;
  return undefined;
}

function violation(session: SessionHistory, what: string): Violation {
  return { promise: 'P2', session: session.id, what };
}
