/** A plain session of Claude, for tests of what sessions decide. */
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
