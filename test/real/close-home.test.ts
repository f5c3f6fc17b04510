/** `agents.codex.closeHome`: the sandbox of the unmodified Codex keeps what it runs without asking out of the home of Pilotlight. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import type { FakeModel } from '../../src/testing/index.ts';
import { checkJournal, gone, TestDaemon } from '../support/daemon.ts';
import { realDaemonForAll } from '../support/for-all.ts';
import { identityOf, marked, type Identity } from '../support/processes.ts';
import type { RealAgents } from '../support/real-agents.ts';

let model: FakeModel;
let real: RealAgents;
let daemon: TestDaemon;

realDaemonForAll(
  (made) => {
    ({ model, real, daemon } = made);
  },
  { config: (agents) => `${agents}closeHome = true\n`, nothingLeft: true, current: () => daemon },
);

async function open(mode: string): Promise<string> {
  return daemon.session('codex', { cwd: real.cwd, env: real.codex.env, mode, trust: true });
}

/** A file of the home, in words that do not name the home as it is: of those that do, Codex itself runs none. */
function inHome(file = ''): string {
  const { path } = daemon.home;
  return `${dirname(path)}/''${basename(path)}/${file}`;
}

/** Runs it and says what the model was told of it. */
async function ran(session: string, command: string): Promise<string> {
  const from = model.requests.length;
  const ending = await daemon.turn(session, `run: ${command}`);
  expect(ending.type).toBe('turn.completed');
  return model.requests
    .slice(from)
    .map(({ body }) => JSON.stringify(body))
    .join('');
}

test('what it runs unasked reads nothing of the home, by a link neither; its workspace is as ever, behind a takeover too', async () => {
  const token = join(daemon.home.path, 'token');
  const text = readFileSync(token, 'utf8').trim();
  const session = await open('acceptEdits');
  const tries = async (file: string): Promise<void> => {
    for (const command of [
      `cat ${inHome('token')}`,
      `ln -sfn ${inHome()} link && cat link/token`,
      `ls ${inHome()}`,
    ]) {
      const told = await ran(session, command);
      expect(told).not.toContain(text);
      expect(told).not.toContain('journal.db');
      expect(told).toMatch(/denied|No such file|not permitted|cannot/i);
    }
    await ran(session, `touch ${file} && cat ${file}`);
    expect(existsSync(join(real.cwd, file))).toBe(true);
  };
  await tries('before');
  await daemon.kill9();
  daemon = await TestDaemon.takeOver(daemon.home);
  await tries('after');
  checkJournal(await daemon.events(session));
});

test('a session that becomes one with another sandbox is kept out as before', async () => {
  const token = join(daemon.home.path, 'token');
  const text = readFileSync(token, 'utf8').trim();
  const session = await open('plan');
  expect(await ran(session, `cat ${inHome('token')}`)).not.toContain(text);
  const { status } = await daemon.request('PATCH', `/v1/sessions/${session}`, { mode: 'acceptEdits' });
  expect(status).toBe(200);
  expect(await ran(session, `cat ${inHome('token')}`)).not.toContain(text);
  await ran(session, 'touch allowed-now');
  expect(existsSync(join(real.cwd, 'allowed-now'))).toBe(true);
});

/** What the daemon in use says of its keeper. */
async function keeper(): Promise<Identity> {
  const { body } = await daemon.request('GET', '/v1/status');
  const found = identityOf(body.keeper.pid);
  if (found === undefined) throw new Error('no keeper');
  return found;
}

test.each(['turn.queued', 'turn.started', 'tool.started', 'turn.completed'])(
  'daemon and keeper killed at %s: the next daemon leaves nothing of its sandboxes',
  async (moment) => {
    const session = await open('acceptEdits');
    const turn = await daemon.send(
      session,
      moment === 'turn.completed' ? 'run: ls' : 'run: tail -f /dev/null',
    );
    await daemon.follow(session, (event) => event.turn === turn && event.type === moment);
    const both = [await keeper(), daemon.identity];
    for (const { pid } of both) process.kill(pid, 'SIGKILL');
    for (const one of both) await gone(one);
    daemon = await TestDaemon.takeOver(daemon.home);
    await daemon.stop();
    // Of the agents' folder is whatever names it: a bwrap has neither our mark nor our variables, but its mounts in its command line.
    expect(marked(real.root)).toEqual([]);
    daemon = await TestDaemon.start(daemon.home);
  },
);

test('turned on while agents run: for each conversation that is opened from then on, in the same process too; for all behind a stop', async () => {
  const config = join(daemon.home.path, 'config.toml');
  const token = join(daemon.home.path, 'token');
  const text = readFileSync(token, 'utf8').trim();
  const reads = async (session: string): Promise<boolean> =>
    (await ran(session, `cat ${inHome('token')}`)).includes(text);
  const pidOf = async (session: string): Promise<unknown> =>
    (await daemon.events(session)).findLast(({ type }) => type === 'runtime.started')?.data['pid'];
  const on = readFileSync(config, 'utf8');
  await daemon.stop();
  writeFileSync(config, on.replace('closeHome = true', 'closeHome = false'));
  daemon = await TestDaemon.start(daemon.home);
  const before = await open('acceptEdits');
  expect(await reads(before)).toBe(true);
  await daemon.kill9();
  writeFileSync(config, on);
  daemon = await TestDaemon.takeOver(daemon.home);
  const behind = await open('acceptEdits');
  expect([await reads(behind), await reads(before)]).toEqual([false, true]);
  expect(await pidOf(behind)).toBe(await pidOf(before));
  await daemon.stop();
  daemon = await TestDaemon.start(daemon.home);
  // Its conversation holds the words of before, so only what is answered now counts.
  const ending = await daemon.turn(before, `run: cat ${inHome('token')}`);
  expect(ending.data['text']).toMatch(/denied/i);
});
