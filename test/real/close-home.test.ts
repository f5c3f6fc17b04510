/** `agents.codex.closeHome`: the sandbox of the unmodified Codex keeps what it runs without asking out of the home of Pilotlight. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { FakeModel } from '../../src/testing/index.ts';
import { checkJournal, TestDaemon } from '../support/daemon.ts';
import { realDaemonForAll } from '../support/for-all.ts';
import { type RealAgents } from '../support/real-agents.ts';

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
      `cat ${token}`,
      `ln -sfn ${daemon.home.path} link && cat link/token`,
      `ls ${daemon.home.path}`,
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
  expect(await ran(session, `cat ${token}`)).not.toContain(text);
  const { status } = await daemon.request('PATCH', `/v1/sessions/${session}`, { mode: 'acceptEdits' });
  expect(status).toBe(200);
  expect(await ran(session, `cat ${token}`)).not.toContain(text);
  await ran(session, 'touch allowed-now');
  expect(existsSync(join(real.cwd, 'allowed-now'))).toBe(true);
});
