import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { cli, run } from '../support/cli.ts';
import { TestDaemon, testHome, type TestHome } from '../support/daemon.ts';

/** A home, a configuration, a port or a Node that will not do: one clear error, its fix, its exit code, and nothing is touched. */
const agents = new URL('../agents/', import.meta.url).pathname;
const AGENTS = `[agents.claude]\npath = "${agents}fake-claude.mjs"\n`;

/** What `start` reports with --json, and its exit code. */
async function refused(
  home: Pick<TestHome, 'path' | 'env'>,
  args: readonly string[] = ['--port', '0'],
): Promise<{ code: number; error: { code: string; message: string; fix?: string }; stderr: string }> {
  const { code, stdout, stderr } = await cli(home, ['start', '--json', ...args]);
  expect(stderr).not.toMatch(/^\s+at /m);
  const { error } = JSON.parse(stdout);
  // Whatever it is: what happened, and what to do.
  expect(error).toMatchObject({ message: expect.stringMatching(/\w/), fix: expect.stringMatching(/\w/) });
  return { code, error, stderr };
}

test.each([
  ['an unknown key', '[runtime]\necho = 3\n', /runtime.*echo/],
  ['an unknown table', '[rumtime]\n', /rumtime/],
  ['a wrong type', '[runtime]\nechoTimeoutMs = "soon"\n', /runtime\.echoTimeoutMs/],
  ['a number out of range', '[server]\nport = 70000\n', /server\.port/],
  ['what is not TOML', '[runtime\nx', /not valid TOML/],
])('config.toml with %s: the file and the key are named, exit 2', async (_name, config, named) => {
  await using home = testHome({ config });
  const { code, error } = await refused(home);
  expect([code, error.code]).toEqual([2, 'bad_request']);
  expect(error.message).toContain('config.toml');
  expect(error.message).toMatch(named);
  expect(error.fix).toBeTruthy();
  expect(existsSync(join(home.path, 'journal.db'))).toBe(false);
});

test('an environment variable of a wrong type: it is named, exit 2', async () => {
  await using home = testHome({ env: { AGENT_ECHO_TIMEOUT_MS: 'soon' } });
  const { code, error } = await refused(home);
  expect([code, error.code]).toEqual([2, 'bad_request']);
  expect(error.message).toContain('AGENT_ECHO_TIMEOUT_MS');
});

test('a token file that others can read: refused with the command that mends it; then it starts with the same token', async () => {
  await using home = testHome();
  const file = join(home.path, 'token');
  writeFileSync(file, 'a-token-of-mine\n', { mode: 0o644 });
  chmodSync(file, 0o644);
  const { code, error } = await refused(home);
  expect([code, error.code]).toEqual([2, 'bad_request']);
  expect(error.fix).toContain(`chmod 600 ${file}`);
  chmodSync(file, 0o600);
  const daemon = await TestDaemon.start(home);
  expect(daemon.token).toBe('a-token-of-mine');
  await daemon.stop();
});

test('an empty token file: refused with what to do', async () => {
  await using home = testHome();
  writeFileSync(join(home.path, 'token'), '', { mode: 0o600 });
  const { error } = await refused(home);
  expect([error.code, error.fix]).toEqual(['bad_request', expect.stringContaining('Delete it')]);
});

test('--host 0.0.0.0 without --expose: refused, with what exposing means; 127.0.0.2 is loopback', async () => {
  await using home = testHome();
  for (const host of ['0.0.0.0', '::', '192.0.2.1', 'example.org']) {
    const { code, error } = await refused(home, ['--port', '0', '--host', host]);
    expect([host, code, error.code]).toEqual([host, 2, 'bad_request']);
    expect(error.fix).toContain('--expose');
  }
  const daemon = await TestDaemon.start(home, ['--host', '127.0.0.2']);
  expect((await daemon.request('GET', '/v1/status')).status).toBe(200);
  await daemon.stop();
});

test('--host 0.0.0.0 with --expose is listened on, and wants a token', async () => {
  await using home = testHome();
  const daemon = await TestDaemon.start(home, ['--host', '0.0.0.0', '--expose']);
  const port = new URL(daemon.url).port;
  const answer = await fetch(`http://127.0.0.1:${port}/v1/sessions`);
  expect(answer.status).toBe(401);
  await daemon.stop();
});

test('a port that is none: refused, exit 2', async () => {
  await using home = testHome();
  for (const port of ['x', '-1', '65536', '1.5']) {
    const { code, error } = await refused(home, [`--port=${port}`]);
    expect([port, code, error.code]).toEqual([port, 2, 'usage']);
    expect(error.message).toContain('--port');
  }
});

test('a port in use: exit 1 names the pid and the command of its holder, nothing is left; on another port it starts', async () => {
  await using home = testHome();
  const holder = spawn(
    process.execPath,
    [
      '-e',
      "require('net').createServer().listen(0,'127.0.0.1',function(){console.log(this.address().port)})",
      'port-holder-mark',
    ],
    { env: { ...home.env }, stdio: ['ignore', 'pipe', 'ignore'] },
  );
  try {
    const [chunk] = await once(holder.stdout, 'data');
    const port = String(chunk).trim();
    const { code, error } = await refused(home, ['--port', port]);
    expect([code, error.code]).toEqual([1, 'port_in_use']);
    expect(error.message).toContain(port);
    expect(error.message).toContain(String(holder.pid));
    expect(error.message).toContain('port-holder-mark');
    expect(error.fix).toContain('--port');
    expect(existsSync(join(home.path, 'daemon.json'))).toBe(false);
    const daemon = await TestDaemon.start(home);
    await daemon.stop();
  } finally {
    holder.kill('SIGKILL');
  }
});

test('a port in use of ::1 and of every address: the holder is named too', async () => {
  await using home = testHome();
  for (const [listened, host] of [
    ['::1', '::1'],
    ['0.0.0.0', '127.0.0.1'],
    ['::', '127.0.0.1'],
  ] as const) {
    const server = createServer().listen(0, listened);
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' ? String(address?.port) : '';
    const { code, error } = await refused(home, ['--port', port, '--host', host]);
    expect([listened, code, error.code]).toEqual([listened, 1, 'port_in_use']);
    expect(error.message).toContain(String(process.pid));
    server.close();
  }
});

test('an address that this machine does not have: refused with what to do', async () => {
  await using home = testHome();
  const { code, error } = await refused(home, ['--port', '0', '--host', '192.0.2.1', '--expose']);
  expect(code).toBe(2);
  expect(error.message).toContain('192.0.2.1');
  expect(error.fix).toBeTruthy();
});

test('a journal that is corrupt: journal_unusable says what to do, the file is as it was, and no keeper stays', async () => {
  await using home = testHome();
  const file = join(home.path, 'journal.db');
  const bytes = Buffer.from('SQLite format 3\0 and then nothing that makes sense '.repeat(400));
  writeFileSync(file, bytes, { mode: 0o600 });
  const { code, error } = await refused(home);
  expect([code, error.code]).toEqual([1, 'journal_unusable']);
  expect(error.message).toContain(file);
  expect(error.fix).toMatch(/move it away/);
  expect(readFileSync(file).equals(bytes)).toBe(true);
  expect(existsSync(join(home.path, 'keeper.json'))).toBe(false);
});

test('a journal with a page destroyed: what is damaged is said, and nothing is thrown away', async () => {
  await using home = testHome();
  const first = await TestDaemon.start(home);
  const session = await first.session('claude');
  await first.turn(session, 'say something');
  await first.stop();
  const file = join(home.path, 'journal.db');
  const bytes = readFileSync(file);
  // Every page but the first: its header still says that it is a journal.
  bytes.fill(0xaa, 4096);
  writeFileSync(file, bytes);
  const { code, error } = await refused(home);
  expect([code, error.code]).toEqual([1, 'journal_unusable']);
  expect(error.fix).toMatch(/move it away/);
  expect(readFileSync(file).length).toBe(bytes.length);
});

test('a journal of a newer schema: journal_unusable names both, and the file stays', async () => {
  await using home = testHome();
  const first = await TestDaemon.start(home);
  await first.stop();
  const file = join(home.path, 'journal.db');
  const db = new DatabaseSync(file);
  db.exec("UPDATE meta SET value = '999' WHERE key = 'schema'");
  db.close();
  const { code, error } = await refused(home);
  expect([code, error.code]).toEqual([1, 'journal_unusable']);
  expect(error.message).toMatch(/newer|999/);
  expect(error.fix).toBeTruthy();
});

test('a folder where the journal should be: journal_unusable', async () => {
  await using home = testHome();
  const path = join(home.path, 'journal.db');
  mkdirSync(path);
  const { code, error } = await refused(home);
  expect([code, error.code]).toEqual([1, 'journal_unusable']);
  expect(error.fix).toContain(`${path} is a directory: move it away`);
});

test('a home that is a file: said by its path, exit 2', async () => {
  await using home = testHome();
  const path = join(home.root, 'not-a-home');
  writeFileSync(path, 'mine');
  const { code, error } = await refused({ path, env: home.env });
  expect([code, error.code]).toEqual([2, 'bad_request']);
  expect(error.message).toContain(`${path} is not a directory`);
  expect(error.fix).toContain('--home');
  expect(readFileSync(path, 'utf8')).toBe('mine');
});

test('a home of another user: refused, its mode and files as they were', async () => {
  await using home = testHome();
  const path = join(home.root, 'theirs');
  mkdirSync(path, { mode: 0o755 });
  // Only root can give a folder away; for anybody else root's own stands for it.
  const theirs = process.getuid?.() === 0 ? path : '/';
  if (theirs === path) chownSync(path, 4242, 4242);
  const { mode } = statSync(theirs);
  const before = readdirSync(theirs);
  const { code, error } = await refused({ path: theirs, env: home.env });
  expect([code, error.code]).toEqual([2, 'bad_request']);
  expect(error.message).toContain(theirs);
  expect(error.message).toMatch(/another user/);
  expect([statSync(theirs).mode, readdirSync(theirs)]).toEqual([mode, before]);
});

test('a home whose path is longer than a socket may have: the sockets are elsewhere, named in daemon.json, and everything works', async () => {
  const long = mkdtempSync(join(tmpdir(), `pl-${'long-'.repeat(24)}`));
  const runtime = mkdtempSync(join(tmpdir(), 'pl-run-'));
  try {
    for (const env of [{ XDG_RUNTIME_DIR: runtime }, {}]) {
      await using home = testHome({ root: long, env });
      const daemon = await TestDaemon.start(home);
      const about = JSON.parse(readFileSync(join(home.path, 'daemon.json'), 'utf8'));
      expect(about.socket).toBe(daemon.socket);
      expect(daemon.socket.startsWith(home.path)).toBe(false);
      if ('XDG_RUNTIME_DIR' in env) expect(daemon.socket.startsWith(runtime)).toBe(true);
      expect(Buffer.byteLength(daemon.socket)).toBeLessThan(104);
      expect(statSync(daemon.socket).mode & 0o777).toBe(0o600);
      const status = await cli(home, ['status', '--json']);
      expect([status.code, status.stderr]).toEqual([0, '']);
      const session = await daemon.session('claude');
      expect((await daemon.turn(session, 'say hello')).type).toBe('turn.completed');
      await daemon.stop();
      expect(existsSync(daemon.socket)).toBe(false);
    }
  } finally {
    rmSync(long, { recursive: true, force: true });
    rmSync(runtime, { recursive: true, force: true });
  }
});

const ENTRY = new URL('../../bin/pilotlight.js', import.meta.url);

test('an older Node: one line says which is needed, exit 2', async () => {
  const faked = `Object.defineProperty(process.versions,'node',{value:'20.0.0'}); import(${JSON.stringify(ENTRY.href)})`;
  const { code, stdout, stderr } = await run(['-e', faked], { PATH: '' });
  expect([code, stdout]).toEqual([2, '']);
  expect(stderr).toMatch(/^pilotlight: needs Node 24 or newer; this is Node 20\.0\.0\.[^\n]*\n$/);
});

test('the entry has no syntax that an old Node cannot read', () => {
  const text = readFileSync(ENTRY, 'utf8');
  expect(text).not.toMatch(/^\s*import\s+[^(]|\b(?:const|let|async|await)\b|=>|\?\.|\?\?|`/m);
});

test('commands without a daemon: no_daemon with what starts one, exit 3', async () => {
  await using home = testHome({ config: AGENTS });
  for (const args of [
    ['status'],
    ['ls'],
    ['stop'],
    ['restart'],
    ['show', 'ses_x'],
    ['send', 'ses_x', 'hi'],
  ]) {
    const { code, stdout, stderr } = await cli(home, [...args, '--json']);
    expect([args, code, JSON.parse(stdout).error.code]).toEqual([args, 3, 'no_daemon']);
    expect(stderr).toContain('pilotlight:');
  }
});

test('wrong usage: exit 2 and what is wrong', async () => {
  await using home = testHome({ config: AGENTS });
  for (const args of [
    ['fly'],
    ['start', '--fly'],
    ['show'],
    ['run', 'hi'],
    ['run', 'hi', '--agent', 'claude', '--mode', 'yolo'],
  ]) {
    const { code, stderr } = await cli(home, args);
    expect([args, code]).toEqual([args, 2]);
    expect(stderr).toMatch(/\S/);
  }
  expect(existsSync(join(home.path, 'daemon.json'))).toBe(false);
});

test('--url without a token file, with one that is not there, and to where nobody listens', async () => {
  await using home = testHome({ config: AGENTS });
  const url = 'http://127.0.0.1:9';
  const token = join(home.root, 'a-token');
  writeFileSync(token, 'x', { mode: 0o600 });
  const none = await cli(home, ['ls', '--json', '--url', url]);
  expect([none.code, JSON.parse(none.stdout).error.message]).toEqual([2, '--url needs --token-file']);
  const missing = await cli(home, ['ls', '--json', '--url', url, '--token-file', `${token}.no`]);
  expect([missing.code, JSON.parse(missing.stdout).error.code]).toEqual([2, 'bad_request']);
  const nobody = await cli(home, ['ls', '--json', '--url', url, '--token-file', token]);
  expect([nobody.code, JSON.parse(nobody.stdout).error.code]).toEqual([3, 'no_daemon']);
});
