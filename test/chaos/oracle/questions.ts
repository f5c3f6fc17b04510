/** P8: what an agent asks is open until it is resolved, once; who was first is who it says; the agent hears that and nothing else. */
import { isEnding, type Event } from '../../support/daemon.ts';
import type { Answered, History, SessionHistory, Violation } from './history.ts';
import { turnsOf } from './endings.ts';

export function questionViolations(history: History): Violation[] {
  return history.sessions.flatMap((session) => [
    ...requestsOf(session.journal).flatMap((request) => ofRequest(session, request)),
    ...unasked(session),
    ...turnsOf(session.journal).flatMap(([turn, events]) => heard(session, turn, events)),
  ]);
}

interface Request {
  readonly id: string;
  readonly asked: Event;
  readonly resolved: readonly Event[];
  /** The ending of its turn. */
  readonly ending: Event | undefined;
}

function requestsOf(journal: readonly Event[]): Request[] {
  return journal
    .filter(({ type }) => type === 'permission.requested')
    .map((asked) => {
      const id = String(asked.data['id']);
      return {
        id,
        asked,
        resolved: journal.filter(({ type, data }) => type === 'permission.resolved' && data['id'] === id),
        ending: journal.find((event) => event.turn === asked.turn && isEnding(event)),
      };
    });
}

function ofRequest(session: SessionHistory, request: Request): Violation[] {
  const { id, asked, resolved, ending } = request;
  const found: string[] = [];
  if (session.journal.filter(({ type, data }) => type === asked.type && data['id'] === id).length > 1)
    found.push('is asked twice');
  const [first] = resolved;
  if (resolved.length > 1) found.push(`is resolved ${String(resolved.length)} times`);
  if (first === undefined) {
    if (ending !== undefined) found.push(`is open behind the ending of its turn at ${String(ending.seq)}`);
  } else {
    if (first.seq < asked.seq) found.push('is resolved before it is asked');
    if (ending !== undefined && first.seq > ending.seq)
      found.push('is resolved behind the ending of its turn');
    found.push(
      ...wrongAnswers(
        session.answers.filter(({ request: of }) => of === id),
        first,
      ),
    );
  }
  return found.map((what) => violation(session, asked.turn, `request ${id} ${what}`));
}

/** What people were told of a request that was resolved so. */
function wrongAnswers(answers: readonly Answered[], resolved: Event): string[] {
  const { decision, by } = resolved.data;
  const taken = answers.filter(({ status }) => status === 200);
  const found = taken
    .filter((one) => one.decision !== decision)
    .map((one) => `was answered with ${one.decision} and resolved as ${String(decision)}`);
  if (taken.length > 1) found.push(`was answered ${String(taken.length)} times`);
  const byClient = by?.kind === 'client';
  // An interrupt of a client cancels it, too.
  if (byClient && decision !== 'cancelled' && taken.length === 0 && !answers.some(({ unsure }) => unsure))
    found.push('is said to be answered by a client, and nobody did');
  if (!byClient && taken.length > 0)
    found.push(`was answered by a client and is said to be by ${String(by?.kind)}`);
  if (by?.kind === 'deadline' && decision !== 'deny')
    found.push(`was resolved as ${String(decision)} by its deadline`);
  return [...found, ...answers.flatMap((answer) => wrongRefusal(answer, resolved))];
}

/** A session that is closed, and an agent that takes no edited input. */
const OWN_ANSWERS: ReadonlySet<string | undefined> = new Set(['session_closed', 'unsupported']);

/** Who comes too late is told how it was resolved, and by whom. */
function wrongRefusal({ status, code, told }: Answered, { data }: Event): string[] {
  if (status === undefined || status === 200 || OWN_ANSWERS.has(code)) return [];
  if (code !== 'already_resolved') return [`was answered with ${String(status)} ${String(code)}`];
  const [said, is] = [
    [told?.decision, told?.by?.kind],
    [data['decision'], data['by']?.kind],
  ].map(([decision, by]) => `${String(decision)} by ${String(by)}`);
  return said === is ? [] : [`is said to be ${String(said)}, and is ${String(is)}`];
}

/** Resolved and never asked. */
function unasked(session: SessionHistory): Violation[] {
  const asked = new Set(requestsOf(session.journal).map(({ id }) => id));
  return session.journal
    .filter(({ type, data }) => type === 'permission.resolved' && !asked.has(String(data['id'])))
    .map(({ turn, data }) =>
      violation(session, turn, `request ${String(data['id'])} is resolved and was never asked`),
    );
}

/** The fakes that are told to ask say what they heard: `permission: allowed: …` or `permission: denied: …`, and `answer: …` to a question. */
function heard(session: SessionHistory, turn: string, events: readonly Event[]): Violation[] {
  if (!events.some(({ type }) => type === 'turn.completed')) return [];
  if (!String(events[0]?.data['input']).endsWith('then ask')) return [];
  // What is steered into a turn may have its agent leave off in the middle of a tool.
  if (session.journal.some(({ data }) => data['steered'] === turn)) return [];
  const said = events
    .filter(({ type }) => type === 'message.completed')
    .flatMap(({ data }) =>
      [...String(data['text']).matchAll(/permission: (allowed|denied)/g)].map(([, how]) => how),
    );
  const decided = events
    .filter(({ type, data }) => type === 'permission.resolved' && data['decision'] !== 'cancelled')
    .filter(({ data }) =>
      events.some(
        (one) =>
          one.type === 'permission.requested' &&
          one.data['id'] === data['id'] &&
          one.data['kind'] !== 'question',
      ),
    )
    .map(({ data }) => (data['decision'] === 'deny' ? 'denied' : 'allowed'));
  if (said.join() === decided.join()) return [];
  return [
    violation(
      session,
      turn,
      `was resolved as ${decided.join() || 'nothing'}, and its agent heard ${said.join() || 'nothing'}`,
    ),
  ];
}

function violation(session: SessionHistory, turn: string | undefined, what: string): Violation {
  return { promise: 'P8', session: session.id, turn, what };
}
