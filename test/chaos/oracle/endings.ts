/** P1: every turn ends in exactly one terminal event, and nothing of it comes behind. */
import { isEnding, type Event } from '../../support/daemon.ts';
import type { History, SessionHistory, Violation } from './history.ts';

export function endingViolations(history: History): Violation[] {
  return history.sessions.flatMap((session) => [
    ...turnsOf(session.journal).flatMap(([turn, events]) => ofTurn(session, turn, events)),
    ...accepted(session),
    ...oneAtATime(session),
  ]);
}

export function turnsOf(journal: readonly Event[]): [string, Event[]][] {
  const turns = new Map<string, Event[]>();
  for (const event of journal) {
    if (event.turn === undefined) continue;
    const known = turns.get(event.turn);
    if (known === undefined) turns.set(event.turn, [event]);
    else known.push(event);
  }
  return [...turns];
}

function ofTurn(session: SessionHistory, turn: string, events: readonly Event[]): Violation[] {
  const found: Violation[] = [];
  const say = (what: string): void => void found.push({ promise: 'P1', session: session.id, turn, what });
  const endings = events.filter(isEnding);
  if (endings.length !== 1)
    say(
      `${String(endings.length)} endings: ${endings.map(({ seq, type }) => `${String(seq)} ${type}`).join(', ')}`,
    );
  const [ending] = endings;
  if (ending !== undefined && events.at(-1) !== ending)
    say(
      `${events.at(-1)?.type ?? ''} at ${String(events.at(-1)?.seq)} behind its ending at ${String(ending.seq)}`,
    );
  const starts = events.filter((event) => event.type === 'turn.started');
  const [, second] = starts;
  // It may be handed to another process, but only as long as nothing came of the first.
  const done = second === undefined ? undefined : events.slice(0, events.indexOf(second)).find(isWork);
  if (done !== undefined)
    say(`started again at ${String(second?.seq)}, behind ${done.type} at ${String(done.seq)}`);
  const byUser = events[0]?.type === 'turn.queued';
  if (!byUser && starts[0]?.data['origin'] !== 'agent') say(`its first event is ${events[0]?.type ?? ''}`);
  const shown = ending === undefined ? [] : wronglyShown(session, turn, ending);
  return [...found, ...shown, ...openInside(session, turn, events)];
}

/** The turn's view, where it has one that is over, says what its ending says. */
function wronglyShown(session: SessionHistory, turn: string, ending: Event): Violation[] {
  const shown = session.turns.find(({ id }) => id === turn);
  if (shown === undefined || shown.state === 'queued' || shown.state === 'running') return [];
  const wrong: string[] = [];
  if (`turn.${shown.state}` !== ending.type)
    wrong.push(`it is shown as ${shown.state} and ended with ${ending.type}`);
  if (shown.endSeq !== ending.seq)
    wrong.push(`it is shown to end at ${String(shown.endSeq)}, not ${String(ending.seq)}`);
  return wrong.map((what) => ({ promise: 'P1', session: session.id, turn, what }));
}

function isWork({ type }: Event): boolean {
  return /^(?:message|reasoning|tool)\./.test(type);
}

/** What a turn began inside itself is closed when it ends. */
function openInside(session: SessionHistory, turn: string, events: readonly Event[]): Violation[] {
  const open = new Set<string>();
  for (const event of events) {
    if (event.type === 'tool.started') open.add(`tool ${String(event.data['id'])}`);
    if (event.type === 'tool.completed') open.delete(`tool ${String(event.data['id'])}`);
    if (event.type === 'message.delta') open.add(`message ${String(event.data['message'])}`);
    if (event.type === 'message.completed' || event.type === 'message.discarded')
      open.delete(`message ${String(event.data['message'])}`);
  }
  if (!events.some(isEnding)) return [];
  return [...open].map((what) => ({
    promise: 'P1',
    session: session.id,
    turn,
    what: `${what} is left open`,
  }));
}

/** Whatever was answered with 202 is in the journal, once. */
function accepted(session: SessionHistory): Violation[] {
  const queued = new Set(
    session.journal.filter(({ type }) => type === 'turn.queued').map(({ turn }) => turn),
  );
  return session.messages.flatMap(({ answers, marker }) =>
    answers.flatMap(({ status, turn }): Violation[] =>
      status === 202 && !queued.has(turn)
        ? [
            {
              promise: 'P1',
              session: session.id,
              turn,
              what: `${marker} was accepted and is not in the journal`,
            },
          ]
        : [],
    ),
  );
}

/** Of which nothing has come yet, one may be set back: behind a turn that its agent begins by itself. */
function oneAtATime(session: SessionHistory): Violation[] {
  let running: { readonly turn: string | undefined; worked: boolean } | undefined;
  const found: Violation[] = [];
  const say = (event: Event, what: string): void =>
    void found.push({ promise: 'P1', session: session.id, turn: event.turn, what });
  for (const event of session.journal) {
    if (event.type === 'turn.started' && event.data['steered'] === undefined) {
      const setBack = event.data['origin'] === 'agent' && running?.worked === false;
      if (running !== undefined && running.turn !== event.turn && !setBack)
        say(event, `started while ${running.turn ?? ''} ran`);
      running = { turn: event.turn, worked: false };
    }
    if (isWork(event)) {
      if (running !== undefined && running.turn !== event.turn)
        say(event, `${event.type} at ${String(event.seq)} while ${running.turn ?? ''} ran`);
      else if (running !== undefined) running.worked = true;
    }
    if (isEnding(event) && event.turn === running?.turn) running = undefined;
  }
  return found;
}
