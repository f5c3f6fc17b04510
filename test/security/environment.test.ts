import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { marked } from '../support/processes.ts';
import { TestDaemon, testHome, type TestHome } from '../support/daemon.ts';

/** What a session may bring and what it gets, over a whole daemon: variables, credentials, directories. */
let home: TestHome;
let daemon: TestDaemon;
let roots: string;

beforeAll(async () => {
  const agents = new URL('../agents/', import.meta.url).pathname;
  home = testHome({
    env: {
      ANTHROPIC_API_KEY: 'made-up-the-daemons-key',
      MY_KEY: 'made-up-the-daemons-other-key',
      MY_SETTING: 'a-setting',
      PILOTLIGHT_SECRET: 'of-pilotlight',
    },
  });
  roots = home.cwd;
  writeFileSync(
    join(home.path, 'config.toml'),
    `[workspace]
roots = ["${roots}", "${join(home.root, 'not-there')}"]
[pool]
warmOnCreate = false
[agents]
env = ["MY_SETTING", "MY_KEY", "PILOTLIGHT_SECRET"]
[agents.claude]
path = "${agents}fake-claude.mjs"
`,
  );
  daemon = await TestDaemon.start(home);
});

afterAll(async () => {
  await daemon?.stop();
  await home?.[Symbol.asyncDispose]();
});

/** The environment of the agent of a session that has had a turn. */
async function environmentOf(more: Record<string, unknown>): Promise<Record<string, string>> {
  const id = await daemon.session('claude', { ...more, metadata: {} });
  await daemon.turn(id, 'say hi');
  const { pid } = (await daemon.request('GET', `/v1/sessions/${id}`)).body.runtime;
  expect(marked(home.root).map((one) => one.pid)).toContain(pid);
  const entries = readFileSync(`/proc/${String(pid)}/environ`, 'utf8')
    .split('\0')
    .filter(Boolean);
  return Object.fromEntries(
    entries.map((entry) => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)]),
  );
}

const create = (more: Record<string, unknown>): ReturnType<TestDaemon['request']> =>
  daemon.request('POST', '/v1/sessions', { agent: 'claude', cwd: home.cwd, mode: 'bypass', ...more });

test.each([
  'LD_PRELOAD',
  'DYLD_INSERT_LIBRARIES',
  'NODE_OPTIONS',
  'BASH_ENV',
  'GIT_SSH_COMMAND',
  'PILOTLIGHT_RUNTIME',
])('%s is refused by name, as a variable and as a credential', async (name) => {
  for (const field of ['env', 'credentials']) {
    const { status, body } = await create({ [field]: { [name]: 'x' } });
    expect([status, body.code, body.detail]).toEqual([
      400,
      'bad_request',
      expect.stringContaining(`${field}.${name}`),
    ]);
  }
});

test('of PILOTLIGHT_* an agent gets the mark alone, whatever the configuration lets through', async () => {
  const env = await environmentOf({});
  expect(Object.keys(env).filter((name) => name.startsWith('PILOTLIGHT_'))).toEqual(['PILOTLIGHT_RUNTIME']);
  expect([env['ANTHROPIC_API_KEY'], env['MY_KEY'], env['MY_SETTING']]).toEqual([
    'made-up-the-daemons-key',
    'made-up-the-daemons-other-key',
    'a-setting',
  ]);
});

test('a session with a base URL of its own gets none of the daemon’s keys', async () => {
  const env = await environmentOf({ env: { ANTHROPIC_BASE_URL: 'http://127.0.0.1:9' } });
  expect(env).toMatchObject({ ANTHROPIC_BASE_URL: 'http://127.0.0.1:9', MY_SETTING: 'a-setting' });
  expect(Object.values(env).join('\n')).not.toContain('the-daemons');
});

test('a session with a configuration of its own gets none of the daemon’s keys, but those that it brings', async () => {
  const env = await environmentOf({
    env: { CLAUDE_CONFIG_DIR: join(home.root, 'theirs') },
    credentials: { anthropicApiKey: 'made-up-their-key' },
  });
  expect(env['ANTHROPIC_API_KEY']).toBe('made-up-their-key');
  expect(Object.values(env).join('\n')).not.toContain('the-daemons');
});

test('the home of Pilotlight is no place to work in, by whatever way it is named', async () => {
  symlinkSync(home.path, join(roots, 'home-link'));
  for (const cwd of [home.path, join(home.path, 'logs'), join(roots, 'home-link', 'secrets')]) {
    const { status, body } = await create({ cwd });
    expect([cwd, status, body.code]).toEqual([cwd, 422, 'bad_cwd']);
    expect(body.detail).toContain('closed to agents');
  }
});

test('a directory outside the roots is bad_cwd, by whatever way it is named', async () => {
  const inside = join(roots, 'deep', 'er');
  mkdirSync(inside, { recursive: true });
  const outside = join(home.root, 'outside');
  mkdirSync(outside);
  mkdirSync(`${roots}-next`);
  symlinkSync(outside, join(roots, 'way-out'));
  symlinkSync(inside, join(home.root, 'way-in'));
  for (const cwd of [
    outside,
    '/',
    join(roots, '..'),
    join(roots, 'way-out'),
    `${roots}-next`,
    join(roots, 'deep/../../outside'),
  ]) {
    const { status, body } = await create({ cwd });
    expect([cwd, status, body.code, body.fix]).toEqual([
      cwd,
      422,
      'bad_cwd',
      expect.stringContaining('workspace.roots'),
    ]);
  }
  for (const cwd of [roots, inside, join(home.root, 'way-in'), join(roots, 'deep', '..')]) {
    const { status, body } = await create({ cwd });
    expect([cwd, status]).toEqual([cwd, 201]);
    expect(`${String(body.cwd)}/`).toContain(`${roots}/`);
  }
});
