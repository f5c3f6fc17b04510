/** P4: a message enters an agent's stdin at most once, exactly once when its turn completed, never when it is said to have had no effect. */
import { isEnding, type Event } from '../../support/daemon.ts';
import { turnsOf } from './endings.ts';
import type { History, Message, SessionHistory, Violation } from './history.ts';

export function deliveryViolations(history: History): Violation[] {
  return history.sessions.flatMap((session) => [
    ...session.messages.flatMap((message) => ofMessage(session, message)),
    ...inOrder(session),
    ...foreign(session),
  ]);
}

function ofMessage(session: SessionHistory, message: Message): Violation[] {
  const { marker, answers } = message;
  const found: Violation[] = [];
  const say = (what: string, turn?: string): void =>
    void found.push({ promise: 'P4', session: session.id, turn, what: `${marker} ${what}` });
  const times = session.received.filter(({ text }) => text.includes(marker)).length;
  if (times > 1) say(`entered the agent ${String(times)} times`);
  const ids = new Set(answers.filter(({ status }) => status === 202).map(({ turn }) => turn));
  if (ids.size > 1) say(`has several turns for one key: ${[...ids].join(', ')}`);
  const turns = turnsOf(session.journal).filter(([, events]) => says(events[0], marker));
  if (turns.length > 1) say(`is in the journal ${String(turns.length)} times`);
  const [turn] = turns;
  if (turn === undefined) {
    if (times > 0) say('entered the agent and is in no turn');
    return found;
  }
  const [id, events] = turn;
  if (ids.size === 0 && !message.unsure) say('was refused and has a turn', id);
  const ending = events.findLast(isEnding);
  const started = events.some(({ type }) => type === 'turn.started');
  if (ending?.type === 'turn.completed' && times !== 1)
    say(`completed and entered the agent ${String(times)} times`, id);
  if (ending?.data['effects'] === 'none' && times > 0)
    say('entered the agent and is said to have had no effect', id);
  const steered = ending?.data['stopReason'] === 'steered';
  // One for a turn that runs may be on its way when that ends.
  const onItsWay = events.some(({ data }) => data['steered'] !== undefined);
  if (!started && !steered && !onItsWay && times > 0) say('entered the agent and was never started', id);
  return found;
}

function says(event: Event | undefined, marker: string): boolean {
  return event?.type === 'turn.queued' && JSON.stringify(event.data['input']).includes(marker);
}

/** Messages enter in the order in which their turns started; one that was taken into another turn has no start of its own. */
function inOrder(session: SessionHistory): Violation[] {
  const inputs = new Map(
    session.journal
      .filter(({ type }) => type === 'turn.queued')
      .map(({ turn, data }) => [turn, String(data['input'])]),
  );
  const started = session.journal
    .filter(({ type }) => type === 'turn.started')
    .map(({ turn }) => inputs.get(turn));
  const places = session.received.map(({ text }) => started.lastIndexOf(text)).filter((place) => place >= 0);
  const wrong = places.findIndex((place, index) => index > 0 && place < (places[index - 1] ?? 0));
  if (wrong < 0) return [];
  return [
    {
      promise: 'P4',
      session: session.id,
      what: `message ${String(places[wrong])} entered behind a later one`,
    },
  ];
}

/** Nothing enters that no client sent. */
function foreign(session: SessionHistory): Violation[] {
  const known = new Set(session.messages.map(({ input }) => input));
  return session.received
    .filter(({ text }) => !known.has(text))
    .map(({ text }) => ({ promise: 'P4', session: session.id, what: `nobody sent: ${text.slice(0, 100)}` }));
}
