import { expect, test } from 'vitest';
import { CONTEXT, ready, sent, SPEC } from '../../test/support/session-spec.ts';
import { decide } from './decide.ts';
import { evolve } from './evolve.ts';
import type { SessionInput } from './inputs.ts';
import type { AgentSignal } from './signals.ts';
import { isInternal, newSessionState } from './state.ts';

function told(...inputs: readonly SessionInput[]): string[] {
  let state = newSessionState(SPEC);
  const said: string[] = [];
  for (const input of inputs)
    for (const fact of decide(state, input, CONTEXT).facts) {
      if (!isInternal(fact)) said.push(`${fact.type} ${fact.turn ?? ''}`.trim());
      state = evolve(state, fact, CONTEXT.now);
    }
  return said;
}

const agent = (signal: AgentSignal): SessionInput => ({ kind: 'agent', runtime: 'rt_1', signal });
const ended = (turn?: string): SessionInput =>
  agent({
    kind: 'ended',
    ...(turn === undefined ? {} : { turn }),
    outcome: { kind: 'completed', stopReason: 'end_turn' },
    costs: {},
  });

const mine = agent({ kind: 'text-done', block: 'b1', text: 'I woke up by myself' });
const answer = agent({ kind: 'text-done', block: 'b2', text: 'the answer' });
/** A message was just handed over, and the agent says something of its own. */
const woken = [sent('t1'), ready('rt_1'), agent({ kind: 'woke' }), mine];

test('what an agent does by itself as a message is written is a turn of its own, before that of the message', () => {
  const said = told(...woken, ended(), agent({ kind: 'receipt', turn: 't1' }), answer, ended('t1'));
  expect(said.slice(said.indexOf('turn.started t1'))).toEqual([
    'turn.started t1',
    'turn.started woken',
    'message.completed woken',
    'turn.completed woken',
    'turn.started t1',
    'message.completed t1',
    'turn.completed t1',
  ]);
});

test('a message that the agent takes into what it does by itself ends with that', () => {
  const said = told(...woken, agent({ kind: 'receipt', turn: 't1' }), answer, ended('t1'));
  expect(said.slice(said.indexOf('turn.started woken'))).toEqual([
    'turn.started woken',
    'message.completed woken',
    'message.completed woken',
    'turn.started t1',
    'turn.completed t1',
    'turn.completed woken',
  ]);
});

test('a message that is lost behind what the agent did by itself ends, and is never said again', () => {
  const exit = { reason: 'crashed', code: 3, lines: 0, chunks: 0, unwritten: false } as const;
  const said = told(...woken, {
    kind: 'runtime-ended',
    runtime: 'rt_1',
    pid: 7,
    ...exit,
  });
  expect(said.filter((one) => one.startsWith('turn.failed'))).toEqual([
    'turn.failed woken',
    'turn.failed t1',
  ]);
  expect(said.filter((one) => one === 'turn.started t1')).toHaveLength(1);
});

test('a message that is being stopped as the agent wakes keeps its turn: what that ends is not the message', () => {
  const by = { kind: 'client' } as const;
  const said = told(
    sent('t1'),
    ready('rt_1'),
    { kind: 'interrupt', by },
    agent({ kind: 'woke' }),
    mine,
    ended(),
    agent({ kind: 'receipt', turn: 't1' }),
    agent({ kind: 'ended', turn: 't1', outcome: { kind: 'interrupted' }, costs: {} }),
  );
  expect(said.filter((one) => /turn\.(?!queued)/.test(one))).toEqual([
    'turn.started t1',
    'turn.interrupted t1',
  ]);
});

test('an agent that names no messages ends the turn that runs, also behind one that it began by itself', () => {
  expect(told(sent('t1'), ready('rt_1'), agent({ kind: 'receipt', turn: 't1' }), ended()).at(-1)).toBe(
    'turn.completed t1',
  );
  expect(told(sent('t1'), ready('rt_1'), agent({ kind: 'woke' }), ended(), ended()).at(-1)).toBe(
    'turn.completed t1',
  );
});
