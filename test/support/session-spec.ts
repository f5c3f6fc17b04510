/** A plain session of Claude, for tests of what sessions decide. */
import type { DecideContext, SessionInput } from '../../src/session/inputs.ts';
import type { SessionSpec } from '../../src/session/ports.ts';

export const SPEC: SessionSpec = {
  id: 'ses_1',
  agent: 'claude',
  cwd: '/w',
  mode: 'default',
  agentOptions: {},
  metadata: {},
  env: [],
  credentials: [],
  createdAt: '2026-01-01T00:00:00.000Z',
};

/** Decides at the start of 1970 and allows nothing by rule. */
export const CONTEXT: DecideContext = {
  now: 0,
  newRuntimeId: () => 'rt_1',
  newTurnId: () => 'woken',
  newPermissionId: () => 'prm_1',
  judge: () => undefined,
  permissionTimeoutMs: 1_000,
  maxQueued: 5,
  parked: false,
};

export function sent(turn: string): Extract<SessionInput, { kind: 'send' }> {
  return { kind: 'send', turn, input: 'hi', by: { kind: 'client' } };
}

export function ready(runtime: string): Extract<SessionInput, { kind: 'runtime-ready' }> {
  return {
    kind: 'runtime-ready',
    runtime,
    pid: 7,
    startedAt: '2026-01-01T00:00:00.000Z',
    startupMs: 1,
    resumed: false,
  };
}
