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

test('the end of what an agent did by itself as a message was written does not end that message', () => {
  const said = told(
    sent('t1'),
    ready('rt_1'),
    agent({ kind: 'woke' }),
    agent({ kind: 'text-done', block: 'b1', text: 'I woke up by myself' }),
    ended(),
    agent({ kind: 'receipt', turn: 't1' }),
    agent({ kind: 'text-done', block: 'b2', text: 'the answer' }),
    ended('t1'),
  );
  expect(said.filter((one) => /turn\.(?!queued)/.test(one))).toEqual([
    'turn.started t1',
    'turn.completed t1',
  ]);
  expect(said.indexOf('turn.completed t1')).toBe(said.length - 1);
});

test('an agent that names no messages ends the turn that runs, also behind one that it began by itself', () => {
  expect(told(sent('t1'), ready('rt_1'), agent({ kind: 'receipt', turn: 't1' }), ended()).at(-1)).toBe(
    'turn.completed t1',
  );
  expect(told(sent('t1'), ready('rt_1'), agent({ kind: 'woke' }), ended(), ended()).at(-1)).toBe(
    'turn.completed t1',
  );
});
