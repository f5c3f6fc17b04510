/** P2: seq is contiguous from 1, and whoever follows sees each event once, in order, as it is in the journal. */
import { isDeepStrictEqual } from 'node:util';
import type { Event } from '../../support/daemon.ts';
import type { History, Leg, SessionHistory, Violation } from './history.ts';

export function orderViolations(history: History): Violation[] {
  return [...ofSessions(history), ...everywhere(history)];
}

function ofSessions(history: History): Violation[] {
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

/** Over all sessions: cursors without a hole, each event as it is in its session, none missing that the sessions show. */
function everywhere({ sessions, everywhere: { legs } }: History): Violation[] {
  const known = new Map(sessions.map((session) => [session.id, session]));
  const seen = new Set<string>();
  const found: string[] = [];
  for (const leg of legs) {
    found.push(...leg.breaks);
    let last = leg.after;
    for (const { id, event } of leg.seen) {
      if (id !== last + 1) found.push(`saw cursor ${String(id)} behind ${String(last)}`);
      last = id;
      seen.add(`${event.session} ${String(event.seq)}`);
      // One whose creation was answered to nobody is nobody's session here.
      const session = known.get(event.session);
      if (session !== undefined && !isDeepStrictEqual(event, session.journal[event.seq - 1]))
        found.push(`saw ${String(event.seq)} of ${event.session} otherwise than it is in the journal`);
    }
  }
  const missing = sessions.flatMap(({ id, shown }) =>
    shown.filter(({ seq }) => !seen.has(`${id} ${String(seq)}`)).map(({ seq }) => `${String(seq)} of ${id}`),
  );
  if (missing.length > 0)
    found.push(`never saw ${String(missing.length)} events, ${String(missing[0])} first`);
  return found.map((what) => ({ promise: 'P2', what: `who follows all: ${what}` }));
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
