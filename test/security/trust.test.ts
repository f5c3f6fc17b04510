/** A malicious repository, as the command line and the API meet it: said, asked at a terminal, remembered. What the real CLIs make of it: test/real. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { pilotlight } from '../support/command.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { type TestHome } from '../support/daemon.ts';
import { daemonForAll } from '../support/for-all.ts';

let home: TestHome;
let daemon: TestDaemon;
let made = 0;

daemonForAll((made) => {
  ({ home, daemon } = made);
});

function repository(): string {
  made += 1;
  const path = join(home.root, `repository-${String(made)}`);
  mkdirSync(path);
  execFileSync('git', ['init', '--quiet', path]);
  mkdirSync(join(path, 'src'));
  writeFileSync(join(path, 'CLAUDE.md'), 'do as I say');
  return path;
}

const view = async (id: string): Promise<{ readonly trusted?: boolean }> =>
  (await daemon.request('GET', `/v1/sessions/${id}`)).body;

/** Without `warmOnCreate` nothing would be asked of the fake agent: its argv says what it was started with. */
async function argvOf(id: string): Promise<string> {
  const events = await daemon.follow(id, (event) => event.type === 'runtime.started');
  return execFileSync('ps', ['-o', 'args=', '-p', String(events.at(-1)?.data['pid'])]).toString();
}

describe('the API', () => {
  test('a repository that nobody trusts starts without its own settings; what is left out is told', async () => {
    const cwd = repository();
    const id = await daemon.session('claude', { cwd: join(cwd, 'src') });
    expect(await view(id)).toMatchObject({ trusted: false, leftOut: [join(cwd, 'CLAUDE.md')] });
    expect(await argvOf(id)).toContain('--setting-sources user');
    const notices = (await daemon.events(id)).filter((event) => event.type === 'notice');
    expect(notices.map((event) => event.data['code'])).toEqual(['workspace_untrusted']);
  });

  test('trust: true is for this session, and takes a process that runs out of it; the list is for all that come', async () => {
    const cwd = repository();
    const id = await daemon.session('claude', { cwd });
    await daemon.turn(id, 'say one');
    await daemon.request('PATCH', `/v1/sessions/${id}`, { trust: true });
    await daemon.turn(id, 'say two');
    const events = await daemon.events(id);
    const ended = events.filter((event) => event.type === 'runtime.ended');
    expect(ended.map((event) => event.data['reason'])).toEqual(['replaced']);
    expect((await view(id)).trusted).toBe(true);
    expect((await view(await daemon.session('claude', { cwd }))).trusted).toBe(false);
    expect((await view(await daemon.session('claude', { cwd, trust: true }))).trusted).toBe(true);
    const trusted = await daemon.request('POST', '/v1/workspaces', { path: join(cwd, 'src'), trusted: true });
    expect(trusted.body).toMatchObject({ path: cwd, by: 'home' });
    const next = await daemon.session('claude', { cwd });
    expect(await view(next)).toMatchObject({ trusted: true });
    expect(await argvOf(next)).not.toContain('--setting-sources');
    expect((await view(await daemon.session('claude', { cwd, trust: false }))).trusted).toBe(false);
    const { body } = await daemon.request('GET', '/v1/workspaces');
    expect(body.items.map((one: { path: string }) => one.path)).toContain(cwd);
  });
});

describe('the command line', () => {
  test('without a terminal run says what is left out and how to trust, and answers; pilotlight trust is for the next', async () => {
    const cwd = repository();
    const first = await pilotlight(home, ['run', 'say hi', '--agent', 'claude', '--cwd', cwd]);
    expect([first.code, first.stdout]).toEqual([0, 'hi\n']);
    expect(first.stderr).toContain(`claude leaves out CLAUDE.md. \`pilotlight trust ${cwd}\``);
    expect((await pilotlight(home, ['trust', join(cwd, 'src')])).stdout).toContain(`${cwd} is trusted`);
    expect((await pilotlight(home, ['trust', '--list'])).stdout).toContain(cwd);
    expect((await view(await daemon.session('claude', { cwd }))).trusted).toBe(true);
    const revoked = { path: cwd, trusted: false };
    expect((await daemon.request('POST', '/v1/workspaces', revoked)).status).toBe(200);
    expect((await pilotlight(home, ['trust', cwd, '--revoke'])).code).toBe(4);
    const flagged = await pilotlight(home, ['run', 'say hi', '--agent', 'claude', '--cwd', cwd, '--trust']);
    expect(flagged.stderr).not.toContain('leaves out');
  });

  test.each([
    ['y', true, true],
    ['o', true, false],
    ['', false, false],
  ])('at a terminal it asks: %j', async (answer, session, list) => {
    const cwd = repository();
    const entry = new URL('../../bin/pilotlight.js', import.meta.url).pathname;
    const words = [process.execPath, entry, 'run', "'say hi'", '--agent', 'claude', '--cwd', cwd, '--keep'];
    const child = spawn('script', ['-qefc', words.join(' '), '/dev/null'], {
      env: { ...home.env, PILOTLIGHT_HOME: home.path, TERM: 'dumb' },
      timeout: 45_000,
    });
    let screen = '';
    child.stdout.on('data', (chunk: Buffer) => {
      if (!screen.includes('Trust it?') && `${screen}${chunk.toString()}`.includes('Trust it?'))
        child.stdin.write(`${answer}\r`);
      screen += chunk.toString();
    });
    await once(child, 'close');
    const id = /session (ses_\w+)/.exec(screen)?.[1] ?? screen;
    expect((await view(id)).trusted).toBe(session);
    const { body } = await daemon.request('GET', '/v1/workspaces');
    expect(body.items.some((one: { path: string }) => one.path === cwd)).toBe(list);
  });
});
