import { expect, test } from 'vitest';
import type { Event } from '../../support/daemon.ts';
import { NOTHING_DONE, type Done, type History, type Message, type SessionHistory } from './history.ts';
import { judge } from './oracle.ts';

/** The oracle sees each kind of wrong history, and nothing in a good one. */
const SESSION = 'ses_1';
const INPUT = 'say m1 hello there';

function event(
  seq: number,
  type: string,
  data: Event['data'] = {},
  turn: string | undefined = 'trn_1',
): Event {
  const of =
    type.startsWith('turn.') || type.startsWith('message.') || type.startsWith('tool.') ? { turn } : {};
  return { session: SESSION, seq, ...of, time: '2030-01-01T00:00:00.000Z', type, data };
}

const GOOD: readonly Event[] = [
  event(1, 'session.created'),
  event(2, 'runtime.started', { pid: 1 }),
  event(3, 'turn.queued', { input: INPUT }),
  event(4, 'turn.started', { origin: 'user' }),
  event(5, 'message.delta', { message: 'a', text: 'm1 hello ' }),
  event(6, 'message.delta', { message: 'a', text: 'there' }),
  event(7, 'message.completed', { message: 'a', text: 'm1 hello there' }),
  event(8, 'turn.completed', { text: 'm1 hello there' }),
];

const MESSAGE: Message = {
  marker: 'm1',
  input: INPUT,
  answers: [{ status: 202, turn: 'trn_1' }],
  unsure: false,
  calm: true,
  expects: { kind: 'words', text: 'm1 hello there' },
};

function history(session: Partial<SessionHistory> = {}, more: Partial<History> = {}): History {
  const journal = session.journal ?? GOOD;
  return {
    sessions: [
      {
        id: SESSION,
        agent: 'claude',
        journal,
        shown: journal,
        turns: [],
        messages: [MESSAGE],
        followers: [],
        answers: [],
        received: [{ pid: 1, text: INPUT }],
        interrupted: false,
        closed: false,
        ...session,
      },
    ],
    everywhere: {
      legs: [{ after: 0, seen: journal.map((one, at) => ({ id: at + 1, event: one })), breaks: [] }],
    },
    done: NOTHING_DONE,
    shortBounds: false,
    secrets: false,
    left: [],
    decoys: [{ pid: 9, what: 'a stranger', alive: true, signals: [] }],
    troubles: [],
    ...more,
  };
}

function found(session: Partial<SessionHistory> = {}, more: Partial<History> = {}): string[] {
  return judge(history(session, more)).map(({ promise, what }) => `${promise} ${what}`);
}

/** The good journal with another end, numbered anew. */
function ending(...last: readonly Event[]): Event[] {
  return [...GOOD.slice(0, -1), ...last].map((one, index) => ({ ...one, seq: index + 1 }));
}

const FAILED = { code: 'runtime_exited', message: 'gone', effects: 'possible' };
const done = (more: Partial<Done>): Done => ({ ...NOTHING_DONE, ...more });

test('a good history has no violation', () => {
  const seen = GOOD.map((one) => ({ id: one.seq, event: one }));
  const legs = [
    { after: 0, seen: seen.slice(0, 4), breaks: [] },
    { after: 2, seen: seen.slice(2), breaks: [] },
  ];
  expect(found({ followers: [{ legs }], turns: [{ id: 'trn_1', state: 'completed', endSeq: 8 }] })).toEqual(
    [],
  );
});

test('P1: two endings', () => {
  const journal = ending(
    event(0, 'turn.completed', { text: 'm1 hello there' }),
    event(0, 'turn.interrupted', { by: {} }),
  );
  expect(found({ journal })).toContainEqual(
    expect.stringMatching(/^P1 2 endings: 8 turn\.completed, 9 turn\.int/),
  );
});

test('P1: no ending', () => {
  expect(found({ journal: GOOD.slice(0, -1) })).toEqual(['P1 0 endings: ']);
});

test('P1: an event behind the ending', () => {
  const journal = [...GOOD, event(9, 'message.delta', { message: 'b', text: 'late' })];
  expect(found({ journal })).toContainEqual(
    expect.stringContaining('P1 message.delta at 9 behind its ending at 8'),
  );
});

test('P1: a turn that was accepted and is not in the journal', () => {
  const messages = [{ ...MESSAGE, answers: [...MESSAGE.answers, { status: 202, turn: 'trn_2' }] }];
  expect(found({ messages })).toContainEqual(expect.stringMatching(/^P1 m1 was accepted and is not/));
});

test('P1: a turn that starts again behind something that came of it, and one that starts in another', () => {
  const again = (place: number, turn?: string): string[] => {
    const journal = GOOD.toSpliced(place, 0, event(0, 'turn.started', { origin: 'agent' }, turn));
    return found({ journal: journal.map((one, index) => ({ ...one, seq: index + 1 })) });
  };
  expect(again(5)).toEqual(['P1 started again at 6, behind message.delta at 5']);
  expect(again(4)).toEqual([]);
  expect(again(5, 'trn_2')).toContain('P1 started while trn_1 ran');
  expect(again(4, 'trn_2')).toContain('P1 message.delta at 6 while trn_2 ran');
});

test('P1: what an agent begins by itself as a message is written goes before it', () => {
  const started = (turn: string, origin: string): Event => event(0, 'turn.started', { origin }, turn);
  const ended = event(0, 'turn.completed', { stopReason: 'end_turn', text: '' }, 'trn_2');
  const before = [started('trn_2', 'agent'), ended, started('trn_1', 'user')];
  const journal = GOOD.toSpliced(4, 0, ...before).map((one, index) => ({ ...one, seq: index + 1 }));
  expect(found({ journal })).toEqual([]);
});

test('P1: a turn shown otherwise than it ended', () => {
  expect(found({ turns: [{ id: 'trn_1', state: 'failed', endSeq: 7 }] })).toEqual([
    'P1 it is shown as failed and ended with turn.completed',
    'P1 it is shown to end at 7, not 8',
  ]);
});

test('P1: a tool and a preview that the ending leaves open', () => {
  const journal = ending(
    event(0, 'tool.started', { id: 't' }),
    event(0, 'message.delta', { message: 'b', text: 'x' }),
    event(0, 'turn.interrupted', { by: { kind: 'client' } }),
  );
  expect(found({ journal, interrupted: true })).toEqual([
    'P1 tool t is left open',
    'P1 message b is left open',
  ]);
});

test('P2: a missing seq', () => {
  const journal = GOOD.toSpliced(5, 1);
  expect(found({ journal })).toContain('P2 the journal has seq 7 at place 6');
});

test('P2: a follower that sees an event twice, none, another, one that is not there, or a gap', () => {
  const seen = GOOD.map((one) => ({ id: one.seq, event: one }));
  const follow = (...frames: typeof seen): string[] =>
    found({ followers: [{ legs: [{ after: 0, seen: frames, breaks: [] }] }] });
  const [one, two, three] = seen;
  if (one === undefined || two === undefined || three === undefined) throw new Error('no events');
  expect(follow(one, two, two)).toEqual(['P2 follower 0 after 0: saw 2 behind 2']);
  expect(follow(one, three)).toEqual(['P2 follower 0 after 0: saw 3 behind 1']);
  expect(follow({ id: 1, event: { ...one.event, data: { other: 1 } } })).toEqual([
    'P2 follower 0 after 0: saw 1 otherwise than it is in the journal',
  ]);
  expect(follow(...seen, { id: 9, event: event(9, 'notice') })).toEqual([
    'P2 follower 0 after 0: saw 9 notice, which is not in the journal',
  ]);
  expect(follow({ id: 2, event: one.event })).toEqual(['P2 follower 0 after 0: id 2 on event 1']);
  expect(found({ followers: [{ legs: [{ after: 3, seen: [], breaks: ['stream.reset'] }] }] })).toEqual([
    'P2 follower 0 after 3: stream.reset',
  ]);
});

test('P2: who follows all sessions misses an event, sees one otherwise, or a hole', () => {
  const seen = GOOD.map((one) => ({ id: one.seq, event: one }));
  const all = (...frames: typeof seen): string[] =>
    found({}, { everywhere: { legs: [{ after: 0, seen: frames, breaks: [] }] } });
  expect(all(...seen)).toEqual([]);
  expect(all(...seen.slice(0, 6))).toEqual(['P2 who follows all: never saw 2 events, 7 of ses_1 first']);
  expect(all(...seen.toSpliced(2, 1))).toEqual([
    'P2 who follows all: saw cursor 4 behind 2',
    'P2 who follows all: never saw 1 events, 3 of ses_1 first',
  ]);
  expect(all(...seen.with(1, { id: 2, event: event(2, 'runtime.started', { pid: 2 }) }))).toEqual([
    'P2 who follows all: saw 2 of ses_1 otherwise than it is in the journal',
  ]);
});

test('P2: what the API shows is not what the file has', () => {
  expect(found({ shown: GOOD.with(2, event(3, 'turn.queued', { input: 'other' })) })).toEqual([
    'P2 event 3 is shown otherwise than it is in the file',
  ]);
  expect(found({ shown: [...GOOD, event(9, 'notice')] })).toContain('P2 shown up to 9, in the file up to 8');
});

test('P4: a message that enters twice, never though it completed, and though it is said to have had no effect', () => {
  const received = [{ pid: 1, text: INPUT }];
  expect(found({ received: [...received, ...received] })).toContain('P4 m1 entered the agent 2 times');
  expect(found({ received: [] })).toEqual(['P4 m1 completed and entered the agent 0 times']);
  const journal = ending(event(0, 'turn.failed', { code: 'spawn_failed', message: '', effects: 'none' }));
  expect(found({ journal }, { done: done({ agentKills: 1 }) })).toEqual([
    'P4 m1 entered the agent and is said to have had no effect',
  ]);
});

test('P4: one key with two turns, a refused message with a turn, an agent that gets what nobody sent', () => {
  const answers = [...MESSAGE.answers, { status: 202, turn: 'trn_2' }];
  expect(found({ messages: [{ ...MESSAGE, answers }] })).toContainEqual(
    expect.stringMatching(/^P4 m1 has several turns for one key/),
  );
  expect(found({ messages: [{ ...MESSAGE, answers: [{ status: 409 }] }] })).toContain(
    'P4 m1 was refused and has a turn',
  );
  expect(found({ messages: [{ ...MESSAGE, answers: [], unsure: true }] })).toEqual([]);
  expect(found({ messages: [] })).toEqual(['P4 nobody sent: say m1 hello there']);
});

test('P4: messages that enter in another order than their turns have', () => {
  const second = GOOD.slice(2).map((one) => ({
    ...one,
    seq: one.seq + 6,
    turn: 'trn_2',
    data: JSON.parse(JSON.stringify(one.data).replaceAll('m1', 'm2').replaceAll('"a"', '"b"')),
  }));
  const messages: Message[] = [
    MESSAGE,
    {
      ...MESSAGE,
      marker: 'm2',
      input: 'say m2 hello there',
      answers: [{ status: 202, turn: 'trn_2' }],
      expects: { kind: 'nothing' },
    },
  ];
  const received = [
    { pid: 1, text: 'say m2 hello there' },
    { pid: 1, text: INPUT },
  ];
  expect(found({ journal: [...GOOD, ...second], messages, received })).toEqual([
    'P4 message 0 entered behind a later one',
  ]);
});

test('P3: text that is not whole', () => {
  const journal = GOOD.with(6, event(7, 'message.completed', { message: 'a', text: 'm1 hello' })).with(
    7,
    event(8, 'turn.completed', { text: 'm1' }),
  );
  expect(found({ journal })).toEqual([
    'P3 its ending has another text than its last message',
    'P3 said “m1 hello”, not “m1 hello there”',
    'P3 the pieces of message a make “m1 hello there”, the whole is “m1 hello”',
  ]);
  const expects = { kind: 'has', text: 'goodbye' } as const;
  expect(found({ messages: [{ ...MESSAGE, expects }] })).toEqual([
    'P3 said “m1 hello there” without “goodbye”',
  ]);
});

test('P3: with secrets the end of a text may come with the whole alone; its beginning may not, nor much of it', () => {
  const said = (...pieces: string[]): string[] =>
    found(
      {
        journal: ending(event(0, 'turn.completed', { text: 'm1 hello there' })).map((one) =>
          one.type === 'message.delta' ? { ...one, data: { ...one.data, text: pieces.shift() ?? '' } } : one,
        ),
      },
      { secrets: true },
    );
  expect(said('m1 hello ', 'ther')).toEqual([]);
  expect(said('m1 ', 'there')).toHaveLength(1);
});

test('P3: a flood with a line too few, one twice', () => {
  const flood = (text: string): string[] => {
    const journal = GOOD.slice(0, 4).concat([
      event(5, 'message.completed', { message: 'a', text }),
      event(6, 'turn.completed', { text }),
    ]);
    return found({ journal, messages: [{ ...MESSAGE, expects: { kind: 'flood', lines: 2 } }] });
  };
  expect(flood('000000000000 x 000000000001 x')).toEqual([]);
  expect(flood('000000000000 x')).toEqual(['P3 1 of 2 lines of the flood']);
  expect(flood('000000000000 x 000000000000 x')).toEqual(['P3 line 0 of the flood stands at place 1']);
});

test('P3: a turn that fails or is interrupted without a reason', () => {
  const failed = ending(event(0, 'message.discarded', { message: 'a' }), event(0, 'turn.failed', FAILED));
  const interrupted = ending(event(0, 'turn.interrupted', { by: { kind: 'client' } }));
  expect(found({ journal: failed }, { done: done({ daemonKills: 3 }) })).toEqual([
    'P3 failed with runtime_exited (gone), and nothing befell its agent',
  ]);
  expect(found({ journal: failed }, { done: done({ agentKills: 1 }) })).toEqual([]);
  expect(found({ journal: failed, messages: [{ ...MESSAGE, calm: false }] })).toEqual([]);
  const late = ending(
    event(0, 'message.discarded', { message: 'a' }),
    event(0, 'turn.failed', { ...FAILED, code: 'echo_timeout' }),
  );
  expect(found({ journal: late }, { shortBounds: true })).toEqual([]);
  expect(found({ journal: late })).toHaveLength(1);
  expect(found({ journal: interrupted })).toEqual(['P3 interrupted by client, and nobody asked for it']);
  expect(found({ journal: interrupted, interrupted: true })).toEqual([]);
});

test('P6: a process that is left, a stranger that was ended or signalled', () => {
  expect(found({}, { left: [{ pid: 7, command: 'sleep 600' }] })).toEqual([
    'P6 process 7 is left: sleep 600',
  ]);
  const decoy = { pid: 9, what: 'a stranger' };
  expect(found({}, { decoys: [{ ...decoy, alive: false, signals: [] }] })).toEqual([
    'P6 a stranger (9) was ended',
  ]);
  expect(found({}, { decoys: [{ ...decoy, alive: true, signals: ['SIGTERM'] }] })).toEqual([
    'P6 a stranger (9) got SIGTERM',
  ]);
});

test('what was seen while it ran is told as it is', () => {
  expect(found({}, { troubles: [{ promise: 'P5', what: 'no daemon came up' }] })).toEqual([
    'P5 no daemon came up',
  ]);
});

const ASK = 'say m1 hello then ask';
const allowed = { id: 'prm_1', decision: 'allow', by: { kind: 'client', name: 'home' } };
const asked: Message = { ...MESSAGE, input: ASK, expects: { kind: 'has', text: 'm1 hello permission:' } };

function asking(
  resolved: readonly Event['data'][],
  text = 'm1 hello permission: allowed: true',
): Partial<SessionHistory> {
  const of = (type: string, data: Event['data']): Event => ({ ...event(0, type, data), turn: 'trn_1' });
  const events = [
    event(1, 'session.created'),
    event(2, 'runtime.started', { pid: 1 }),
    event(3, 'turn.queued', { input: ASK }),
    event(4, 'turn.started', { origin: 'user' }),
    of('permission.requested', { id: 'prm_1', kind: 'tool' }),
    ...resolved.map((data) => of('permission.resolved', data)),
    event(6, 'message.completed', { message: 'a', text }),
    event(7, 'turn.completed', { text }),
  ];
  return {
    journal: events.map((one, index) => ({ ...one, seq: index + 1 })),
    messages: [asked],
    received: [{ pid: 1, text: ASK }],
    answers: [
      { request: 'prm_1', decision: 'allow', unsure: false, status: 200 },
      {
        request: 'prm_1',
        decision: 'deny',
        unsure: false,
        status: 409,
        code: 'already_resolved',
        told: { decision: 'allow', by: { kind: 'client' } },
      },
    ],
  };
}

test('a request that one of two answered, who is told to the other, is good', () => {
  expect(found(asking([allowed]))).toEqual([]);
});

test('P8: resolved twice, never, by its deadline with leave, or behind the ending', () => {
  expect(found(asking([allowed, allowed]))).toContain('P8 request prm_1 is resolved 2 times');
  expect(found(asking([]))).toContain('P8 request prm_1 is open behind the ending of its turn at 7');
  expect(found({ ...asking([{ ...allowed, by: { kind: 'deadline' } }]), answers: [] })).toEqual([
    'P8 request prm_1 was resolved as allow by its deadline',
  ]);
  const { journal = [], ...rest } = asking([allowed]);
  const late = [...journal.filter(({ type }) => type !== 'permission.resolved'), ...journal.slice(5, 6)];
  expect(found({ ...rest, journal: late.map((one, index) => ({ ...one, seq: index + 1 })) })).toContain(
    'P8 request prm_1 is resolved behind the ending of its turn',
  );
});

test('P8: two answers taken, one taken and another written, nobody’s answer, a loser told otherwise', () => {
  const good = asking([allowed]);
  const [first, second] = good.answers ?? [];
  if (first === undefined || second === undefined) throw new Error('no answers');
  expect(found({ ...good, answers: [first, first] })).toEqual(['P8 request prm_1 was answered 2 times']);
  expect(found({ ...good, answers: [{ ...first, decision: 'deny' }] })).toEqual([
    'P8 request prm_1 was answered with deny and resolved as allow',
  ]);
  expect(found({ ...good, answers: [second] })).toEqual([
    'P8 request prm_1 is said to be answered by a client, and nobody did',
  ]);
  const told = { decision: 'deny', by: { kind: 'deadline' } };
  expect(found({ ...good, answers: [first, { ...second, told }] })).toEqual([
    'P8 request prm_1 is said to be deny by deadline, and is allow by client',
  ]);
  expect(found({ ...good, answers: [first, { ...second, status: 404, code: 'not_found' }] })).toEqual([
    'P8 request prm_1 was answered with 404 not_found',
  ]);
});

test('P8: an agent that heard another answer, or a second one', () => {
  expect(found(asking([allowed], 'm1 hello permission: denied: no'))).toEqual([
    'P8 was resolved as allowed, and its agent heard denied',
  ]);
  expect(found(asking([allowed], 'm1 hello permission: allowed: a permission: allowed: a'))).toEqual([
    'P8 was resolved as allowed, and its agent heard allowed,allowed',
  ]);
});

test('P8: resolved and never asked', () => {
  const { journal = [], ...rest } = asking([allowed]);
  const unasked = journal.filter(({ type }) => type !== 'permission.requested');
  expect(
    found({ ...rest, journal: unasked.map((one, index) => ({ ...one, seq: index + 1 })), answers: [] }),
  ).toContain('P8 request prm_1 is resolved and was never asked');
});
