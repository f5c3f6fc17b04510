import { expect, test } from 'vitest';
import type { PolicyRule } from '../protocol/index.ts';
import type { AgentAsk, SessionSpec } from '../session/ports.ts';
import { newSessionState } from '../session/state.ts';
import { SPEC } from '../../test/support/session-spec.ts';
import { judgeOf } from './judge.ts';

function verdict(
  rules: readonly PolicyRule[],
  command: string,
  more: Partial<SessionSpec> = {},
): ReturnType<ReturnType<typeof judgeOf>> {
  const ask: AgentAsk = {
    request: 'r',
    kind: 'tool',
    check: true,
    tool: { id: 't', name: 'Bash', kind: 'execute', input: { command } },
  };
  return judgeOf([])(newSessionState({ ...SPEC, mode: 'bypass', permissionPolicy: rules, ...more }), ask);
}

/** As an earlier version may have taken it. */
const STRANGE: PolicyRule = { tool: 'execute', match: 'a;b', decision: 'deny' };

test('a stored rule that this version does not understand: everything is asked about, and why is said', () => {
  const asked = verdict([{ tool: '*', decision: 'allow' }, STRANGE], 'ls');
  expect(asked).toMatchObject({ decision: 'ask', message: expect.stringContaining('permissionPolicy[1]') });
  expect(asked?.message).toContain('shell syntax');
});

test('beside it, what another rule denies is denied, and a read-only session is read-only', () => {
  const rm: PolicyRule = { tool: 'execute', match: 'rm *', decision: 'deny' };
  expect(verdict([STRANGE, rm], 'rm x')?.decision).toBe('deny');
  expect(verdict([STRANGE], 'rm x', { readOnly: {} })?.decision).toBe('deny');
});

test('rules that are understood say nothing of it', () => {
  expect(verdict([{ tool: 'execute', match: 'ls', decision: 'ask' }], 'ls')).toEqual({
    decision: 'ask',
    rule: 'permissionPolicy[0]: ask execute ls',
    message: 'A rule asks (permissionPolicy[0]: ask execute ls)',
  });
});
