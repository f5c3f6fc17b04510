import { expect, test } from 'vitest';
import { decide } from './decide.ts';
import { evolve } from './evolve.ts';
import type { DecideContext, SessionInput, Verdict } from './inputs.ts';
import { isInternal, newSessionState } from './state.ts';
import { CONTEXT, ready, sent, SPEC } from '../../test/support/session-spec.ts';

test('what was allowed for the session is denied when a rule that denies comes later', () => {
  let state = newSessionState(SPEC);
  let rule: Verdict | undefined;
  let asks = 0;
  const context: DecideContext = {
    ...CONTEXT,
    newPermissionId: () => `prm_${String((asks += 1))}`,
    judge: () => rule,
  };
  const resolved: unknown[] = [];
  const give = (...inputs: readonly SessionInput[]): void => {
    for (const input of inputs)
      for (const fact of decide(state, input, context).facts) {
        if (!isInternal(fact) && fact.type === 'permission.resolved') resolved.push(fact.data.decision);
        state = evolve(state, fact, context.now);
      }
  };
  const by = { kind: 'client' } as const;
  const tool = { id: 't', name: 'Bash', kind: 'execute', input: { command: 'make' } } as const;
  const asks_ = (request: string): SessionInput => ({
    kind: 'agent',
    runtime: 'rt_1',
    signal: { kind: 'ask', ask: { request, kind: 'tool', tool } },
  });
  give(sent('t1'), ready('rt_1'));
  give(asks_('r1'), { kind: 'answer', id: 'prm_1', answer: { decision: 'allow_for_session' }, by });
  give(asks_('r2'));
  rule = { decision: 'deny', rule: 'read-only session' };
  give(asks_('r3'));
  expect(resolved).toEqual(['allow_for_session', 'allow', 'deny']);
});
