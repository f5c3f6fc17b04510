import { describe, expect, test } from 'vitest';
import type { AgentSettings } from '../dialect.ts';
import { threadSettings } from './settings.ts';

const CLOSED = ['/home/me/.pilotlight', '/data/pilotlight'];
const SETTINGS: AgentSettings = {
  session: 'ses_1',
  cwd: '/work',
  mode: 'acceptEdits',
  freshId: '0192f0c1-0000-7000-8000-000000000001',
  agentOptions: {},
  env: {},
  limits: { inactivityTimeoutMs: 1, requestTimeoutMs: 1, threadTimeoutMs: 1 },
  closed: CLOSED,
  closedInSandbox: true,
};
const PLAIN = { model_provider: null, model_providers: {} };

describe('a thread that is to be kept out of paths', () => {
  test.each([
    ['default', 'pilotlight-workspace'],
    ['acceptEdits', 'pilotlight-workspace'],
    ['plan', 'pilotlight-read-only'],
    ['readOnly', 'pilotlight-read-only'],
  ] as const)(
    '%s: its sandbox is the profile %s, and the other is there for a change of mode',
    (mode, name) => {
      const { config, ...thread } = threadSettings({ ...SETTINGS, mode }, PLAIN);
      expect(thread).toMatchObject({ permissions: name });
      expect(thread).not.toHaveProperty('sandbox');
      const filesystem = Object.fromEntries(CLOSED.map((path) => [path, 'deny']));
      expect(config).toMatchObject({
        permissions: {
          'pilotlight-workspace': { extends: ':workspace', filesystem },
          'pilotlight-read-only': { extends: ':read-only', filesystem },
        },
      });
    },
  );

  test('bypass has no sandbox that could, and has the profiles for a change of mode', () => {
    const thread = threadSettings({ ...SETTINGS, mode: 'bypass' }, PLAIN);
    expect(thread).toMatchObject({
      sandbox: 'danger-full-access',
      config: { permissions: { 'pilotlight-workspace': {} } },
    });
    expect(thread).not.toHaveProperty('permissions');
  });

  test.each([
    ['configured by the user', SETTINGS, { ...PLAIN, sandbox_workspace_write: { network_access: true } }],
    ['of the session', { ...SETTINGS, agentOptions: { config: { sandbox_mode: 'read-only' } } }, PLAIN],
    ['that cannot be seen', SETTINGS, undefined],
  ] as const)('a sandbox %s is not replaced', (_whose, settings, seen) => {
    const thread = threadSettings(settings, seen);
    expect(thread).toMatchObject({ sandbox: 'workspace-write' });
    expect(JSON.stringify(thread)).not.toContain('pilotlight-');
  });
});

test('where its sandbox need not, nothing is said of permissions', () => {
  const thread = threadSettings({ ...SETTINGS, closedInSandbox: false }, PLAIN);
  expect(thread).toMatchObject({ sandbox: 'workspace-write' });
  expect(JSON.stringify(thread)).not.toContain('permissions');
});
