import { expect, test } from 'vitest';
import { decide } from './decide.ts';
import { evolve } from './evolve.ts';
import type { DecideContext, SessionInput, Verdict } from './inputs.ts';
import { isInternal, newSessionState } from './state.ts';
import { SPEC } from '../../test/support/session-spec.ts';

test('what was allowed for the session is denied when a rule that denies comes later', () => {
  let state = newSessionState(SPEC);
  let rule: Verdict | undefined;
  let asks = 0;
  const context: DecideContext = {
    now: 0,
    newRuntimeId: () => 'rt_1',
    newTurnId: () => 'woken',
    newPermissionId: () => `prm_${String((asks += 1))}`,
    judge: () => rule,
    permissionTimeoutMs: 1_000,
    maxQueued: 5,
    parked: false,
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
  give({ kind: 'send', turn: 't1', input: 'hi', by });
  give({
    kind: 'runtime-ready',
    runtime: 'rt_1',
    pid: 7,
    startedAt: '2026-01-01T00:00:00.000Z',
    startupMs: 1,
    resumed: false,
  });
  give(asks_('r1'), { kind: 'answer', id: 'prm_1', answer: { decision: 'allow_for_session' }, by });
  give(asks_('r2'));
  rule = { decision: 'deny', rule: 'read-only session' };
  give(asks_('r3'));
  expect(resolved).toEqual(['allow_for_session', 'allow', 'deny']);
});
