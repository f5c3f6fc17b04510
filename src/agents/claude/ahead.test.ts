import { mkdtempSync, rmSync, symlinkSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startKeyOf, type StartKey } from '../ahead.ts';
import type { AgentSettings } from '../dialect.ts';
import { ahead } from './ahead.ts';
import { claude } from './index.ts';

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

describe('which starts are alike', () => {
  let folder = '';
  let path = '';

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'pilotlight-ahead-'));
    path = join(folder, 'claude');
    writeFileSync(join(folder, 'claude-1'), '1');
    symlinkSync(join(folder, 'claude-1'), path);
  });

  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  async function keyed(more: Partial<AgentSettings> = {}): Promise<StartKey> {
    const settings = { ...SETTINGS, cwd: folder, env: { HOME: folder, COLOUR: 'red' }, ...more };
    const key = await startKeyOf(claude, { binary: { path }, settings });
    if (key === undefined) throw new Error('it has no key');
    return key;
  }

  test('those of two sessions that want the same', async () => {
    const server = { command: 'tools', args: ['--all'] };
    const mcp = (session: string): NonNullable<AgentSettings['mcp']> => ({
      servers: { tools: server },
      filesAt: `/secrets/${session}.files`,
    });
    const freshId = '11111111-1111-4111-8111-111111111111';
    const one = await keyed({ mcp: mcp('ses_1'), env: { A: '1', HOME: folder } });
    const two = await keyed({ session: 'ses_2', freshId, mcp: mcp('ses_2'), env: { HOME: folder, A: '1' } });
    expect(two).toEqual(one);
  });

  test.each([
    ['a model', { model: 'opus' }],
    ['a mode', { mode: 'plan' }],
    ['a system prompt', { systemPrompt: 'Be brief.' }],
    ['rules', { judged: true }],
    ['options', { agentOptions: { effort: 'low' } }],
    ['a directory', { cwd: '/' }],
    ['a variable', { env: { COLOUR: 'blue' } }],
    ['one variable more', { env: { COLOUR: 'red', SHAPE: 'round' } }],
    ['a server', { mcp: { servers: { tools: { command: 'true' } }, filesAt: '/x' } }],
  ] as const)('not those that differ in %s', async (_what, more) => {
    expect((await keyed(more)).key).not.toBe((await keyed()).key);
  });

  test('an agent that was updated has another stamp, behind the same path and under the same time', async () => {
    const before = await keyed();
    utimesSync(path, new Date(), new Date(Date.now() + 60_000));
    const touched = await keyed();
    unlinkSync(path);
    writeFileSync(join(folder, 'claude-2'), '2');
    symlinkSync(join(folder, 'claude-2'), path);
    const moved = await keyed();
    expect(new Set([before, touched, moved].map(({ stamp }) => stamp)).size).toBe(3);
    expect(new Set([before, touched, moved].map(({ key }) => key)).size).toBe(1);
  });

  test('a file that comes, changes or goes has another stamp', async () => {
    const file = join(folder, 'CLAUDE.md');
    const stamps = [(await keyed()).stamp];
    for (const text of ['Be kind.', 'Be kinder']) {
      writeFileSync(file, text);
      stamps.push((await keyed()).stamp);
    }
    expect(new Set(stamps).size).toBe(3);
    unlinkSync(file);
    expect((await keyed()).stamp).toBe(stamps[0]);
  });

  test('a start that would be refused has no key', async () => {
    const settings = { ...SETTINGS, agentOptions: { effort: 'endless' } };
    expect(await startKeyOf(claude, { binary: { path }, settings })).toBeUndefined();
  });

  test('neither a key nor a stamp holds what went into it', async () => {
    const env = { HOME: folder, ANTHROPIC_API_KEY: 'sk-of-the-daemon' };
    expect(JSON.stringify(await keyed({ env, systemPrompt: 'between us' }))).not.toMatch(/sk-of|between/);
  });
});
