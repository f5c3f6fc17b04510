/** P3: what a completed turn said is whole, and a turn that nothing but a daemon's death befell completes. */
import { isEnding, textOf, type Event } from '../../support/daemon.ts';
import { turnsOf } from './endings.ts';
import type { Expectation, History, Message, SessionHistory, Violation } from './history.ts';

export function textViolations(history: History): Violation[] {
  return history.sessions.flatMap((session) =>
    turnsOf(session.journal).flatMap(([turn, events]) => {
      const message = session.messages.find(({ answers }) => answers.some((answer) => answer.turn === turn));
      // What was taken into the turn speaks in it too.
      const steered = session.journal.some(
        ({ data, turn: own }) => data['steered'] === turn || (own === turn && data['steered'] !== undefined),
      );
      const said = [
        ...(steered ? [] : wrongText(events, turn, message?.expects)),
        ...(message?.expects.kind === 'garbled'
          ? []
          : wrongPreviews(events, history.secrets ? MOST_HELD : 0)),
      ];
      const lost = message === undefined ? undefined : unexplained(session, message, { events, history });
      return [...said, ...(lost === undefined ? [] : [lost])].map((what): Violation => ({
        promise: 'P3',
        session: session.id,
        turn,
        what,
      }));
    }),
  );
}

function wrongText(events: readonly Event[], turn: string, expects: Expectation | undefined): string[] {
  const ending = events.findLast(isEnding);
  if (ending?.type !== 'turn.completed') return [];
  const last = events.findLast(
    ({ type, data }) => type === 'message.completed' && data['parent'] === undefined,
  );
  const found: string[] = [];
  if (last !== undefined && last.data['text'] !== ending.data['text'])
    found.push('its ending has another text than its last message');
  const text = words(textOf(events, turn));
  if (expects?.kind === 'words' && text !== words(expects.text))
    found.push(`said ${shorten(text)}, not ${shorten(words(expects.text))}`);
  if (expects?.kind === 'has' && !text.includes(words(expects.text)))
    found.push(`said ${shorten(text)} without ${shorten(expects.text)}`);
  if (expects?.kind === 'flood') found.push(...wrongNumbers(text, expects.lines));
  return found;
}

function wrongNumbers(text: string, lines: number): string[] {
  const numbers = [...text.matchAll(/(?<!\d)\d{12}(?!\d)/g)].map(([number]) => Number(number));
  const wrong = numbers.findIndex((number, index) => number !== index);
  if (wrong >= 0) return [`line ${String(numbers[wrong])} of the flood stands at place ${String(wrong)}`];
  return numbers.length === lines ? [] : [`${String(numbers.length)} of ${String(lines)} lines of the flood`];
}

/** A message that came in pieces is the sum of its pieces, unless it came only whole. */
function wrongPreviews(events: readonly Event[], held: number): string[] {
  // An interrupt may come between what an agent thinks it has said and what it has printed.
  if (events.findLast(isEnding)?.type === 'turn.interrupted') return [];
  const pieces = new Map<string, string>();
  const found: string[] = [];
  const completed = new Set<string>();
  for (const { type, data, seq } of events) {
    const id = String(data['message']);
    if (type === 'message.delta') {
      if (completed.has(id)) found.push(`a delta at ${String(seq)} behind the whole message`);
      pieces.set(id, (pieces.get(id) ?? '') + String(data['text']));
    }
    if (type === 'message.discarded') pieces.delete(id);
    if (type !== 'message.completed') continue;
    if (completed.has(id)) found.push(`message ${id} is completed twice`);
    completed.add(id);
    const sum = pieces.get(id);
    const whole = String(data['text']);
    if (sum !== undefined && !(whole.startsWith(sum) && whole.length - sum.length <= held))
      found.push(`the pieces of message ${id} make ${shorten(sum)}, the whole is ${shorten(whole)}`);
  }
  return found;
}

/** Longer than any secret of a run. */
const MOST_HELD = 100;

/** What a turn fails with when something took longer than it may. */
const BOUNDS = new Set([
  'echo_timeout',
  'inactivity_timeout',
  'tool_timeout',
  'start_timeout',
  'stdin_timeout',
  'runtime_stuck',
]);

/** Why a calm message's turn may not have completed; undefined when there is a reason. */
function unexplained(
  session: SessionHistory,
  message: Message,
  seen: { readonly events: readonly Event[]; readonly history: History },
): string | undefined {
  const { events, history } = seen;
  const { done } = history;
  const ending = events.findLast(isEnding);
  if (ending === undefined || ending.type === 'turn.completed' || !message.calm) return undefined;
  if (ending.type === 'turn.interrupted') {
    const by = String(ending.data['by']?.kind);
    if (by === 'shutdown' ? done.shutdowns > 0 : session.interrupted || session.closed) return undefined;
    return `interrupted by ${by}, and nobody asked for it`;
  }
  if (history.shortBounds && BOUNDS.has(String(ending.data['code']))) return undefined;
  const harmed = done.agentKills + done.keeperKills + done.agentStops + done.keeperStops + done.shutdowns;
  if (harmed > 0 || session.interrupted || session.closed || done.diskFills > 0) return undefined;
  return `failed with ${String(ending.data['code'])} (${String(ending.data['message'])}), and nothing befell its agent`;
}

function words(text: string): string {
  return text.split(/\s+/).filter(Boolean).join(' ');
}

function shorten(text: string): string {
  return text.length <= 120
    ? `“${text}”`
    : `“${text.slice(0, 60)} … ${text.slice(-50)}” (${String(text.length)})`;
}
