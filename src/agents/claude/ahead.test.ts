import { describe, expect, test } from 'vitest';
import { ahead } from './ahead.ts';
import type { AgentSettings } from '../dialect.ts';

const SETTINGS: AgentSettings = {
  session: 'ses_1',
  cwd: '/work',
  mode: 'default',
  freshId: '00000000-0000-4000-8000-000000000000',
  agentOptions: {},
  env: {},
  limits: { inactivityTimeoutMs: 1, requestTimeoutMs: 1, threadTimeoutMs: 1 },
};
const HOOK = [{ hooks: [{ type: 'command', command: 'make-a-worktree' }] }];

function refused(path: string, text: unknown): string | undefined {
  return ahead.refusal(new Map([[path, typeof text === 'string' ? text : JSON.stringify(text)]]));
}

describe('what a Claude reads at its start', () => {
  test("the user's, the project's and this machine's settings, instructions and servers, also of the folders above", () => {
    const read = ahead.reads({ ...SETTINGS, cwd: '/work/here', env: { HOME: '/home/me' } });
    expect(read).toEqual(
      expect.arrayContaining([
        '/etc/claude-code/managed-settings.json',
        '/home/me/.claude/settings.json',
        '/home/me/.claude/CLAUDE.md',
        '/work/here/.claude/settings.json',
        '/work/here/.claude/settings.local.json',
        '/work/.claude/settings.json',
        '/work/CLAUDE.md',
        '/work/here/.mcp.json',
      ]),
    );
  });

  test("CLAUDE_CONFIG_DIR is where the user's are", () => {
    const env = { HOME: '/home/me', CLAUDE_CONFIG_DIR: '/elsewhere' };
    const read = ahead.reads({ ...SETTINGS, cwd: '/work', env });
    expect(read).toContain('/elsewhere/settings.json');
    expect(read).not.toContain('/home/me/.claude/settings.json');
  });
});

describe('a process before its session', () => {
  test.each([
    ['hooks of SessionStart', { hooks: { SessionStart: HOOK } }],
    ['hooks of a shape that nobody knows', { hooks: { SessionStart: 'run this' } }],
    ['hooks that are no table', { hooks: [HOOK] }],
    ['a plugin', { enabledPlugins: { 'tidy@market': true } }],
    ['plugins in a list', { enabledPlugins: ['tidy@market'] }],
    ['a torn file', '{"hooks": {'],
    ['an empty file', ''],
    ['no table', '[]'],
  ])('is refused where there is %s', (_what, text) => {
    expect(refused('/work/.claude/settings.json', text)).toContain('/work/.claude/settings.json');
  });

  test.each([
    ['nothing', {}],
    ['other hooks', { hooks: { PreToolUse: HOOK, SessionStart: [] } }],
    ['plugins that are switched off', { enabledPlugins: { 'tidy@market': false } }],
    ['permissions', { permissions: { allow: ['Bash(ls:*)'] }, env: { A: '1' } }],
  ])('is allowed where there is %s', (_what, text) => {
    expect(refused('/work/.claude/settings.json', text)).toBeUndefined();
  });

  test('instructions and servers are no settings', () => {
    expect(refused('/work/CLAUDE.md', '{"hooks":')).toBeUndefined();
    expect(refused('/work/.mcp.json', 'torn {')).toBeUndefined();
  });
});
