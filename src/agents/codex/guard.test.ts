import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { start } from '../../../test/support/driven-codex.ts';
import { threadSettings } from './settings.ts';

const HOME = '/home/me';
const CLOSED = [`${HOME}/.pilotlight`, String.raw`/data/it's (a) "b" $c \d *`];
const SETTINGS = {
  session: 'ses_1',
  cwd: '/work',
  mode: 'bypass',
  freshId: '0192f0c1-0000-7000-8000-000000000001',
  agentOptions: {},
  env: { HOME },
  limits: { inactivityTimeoutMs: 1, requestTimeoutMs: 1, threadTimeoutMs: 1 },
  closed: CLOSED,
} as const;

interface Hooks {
  readonly PreToolUse: readonly { readonly hooks: readonly { readonly command: string }[] }[];
  readonly state: Readonly<Record<string, unknown>>;
}

function hooksOf(more: object = {}): Hooks {
  const { config } = threadSettings({ ...SETTINGS, ...more }, undefined) as { config?: { hooks?: Hooks } };
  return config?.hooks ?? { PreToolUse: [], state: {} };
}

/** As Codex runs it: by a shell, with the call behind what else names paths. */
function denied(command: string): boolean {
  const hook = hooksOf().PreToolUse[0]?.hooks[0]?.command ?? '';
  const input = JSON.stringify({
    transcript_path: `${CLOSED[0] ?? ''}/x`,
    tool_name: 'Bash',
    tool_input: { command },
  });
  const { status, stderr } = spawnSync('/bin/sh', ['-c', hook], { input, encoding: 'utf8' });
  expect(stderr).toBe(status === 2 ? 'Denied: the home of Pilotlight is closed to agents\n' : '');
  return status === 2;
}

describe('a command of Codex', () => {
  test.each([
    `cat ${HOME}/.pilotlight/token`,
    'cat ~/.pilotlight/token',
    'cat "$HOME/.pilotlight/token"',
    'cat ${HOME}/.pilotlight/token',
    `cat '${CLOSED[1] ?? ''}/token'`,
  ])('that names what is closed does not run: %s', (command) => {
    expect(denied(command)).toBe(true);
  });

  test.each(['ls', 'cat ~/.pilot/token', 'echo "a\nb"', ''])('that does not, runs: %j', (command) => {
    expect(denied(command)).toBe(false);
  });
});

test('hooks that a session brings stay', () => {
  const own = { hooks: [{ type: 'command', command: 'true' }] };
  const hooks = { PreToolUse: [own], Stop: [own], state: { 'a:stop:0:0': { trusted_hash: 'sha256:1' } } };
  const all = hooksOf({ agentOptions: { config: { hooks } } });
  expect(all.PreToolUse).toHaveLength(2);
  expect(all.PreToolUse[1]).toEqual(own);
  expect(all).toMatchObject({ Stop: [own], state: { 'a:stop:0:0': { trusted_hash: 'sha256:1' } } });
  expect(hooksOf({ closed: [] }).PreToolUse).toEqual([]);
});

test('a command that was denied is told; what hooks of others say is not', () => {
  const run = {
    sourcePath: '/<session-flags>/config.toml',
    status: 'blocked',
    entries: [{ kind: 'feedback', text: 'Denied: the home of Pilotlight is closed to agents' }],
  };
  const said = (one: object): unknown[] =>
    start()
      .running()
      .said('hook/completed', { run: { ...run, ...one } })
      .signals.filter(({ kind }) => kind === 'notice');
  expect(said({})).toMatchObject([{ code: 'home_closed', level: 'warning' }]);
  for (const other of [
    { status: 'completed' },
    { sourcePath: '/home/me/.codex/config.toml' },
    { entries: [] },
  ])
    expect(said(other)).toEqual([]);
});
