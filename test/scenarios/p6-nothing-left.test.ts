import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { gone, TestDaemon, testHome } from '../support/daemon.ts';
import { identityOf, marked, type Identity } from '../support/processes.ts';

/** P6: when a session ends or the daemon is stopped, every process that descends from it or carries our mark is gone. */

function pidIn(text: string): Identity {
  const pid = Number(/\b(\d{2,})\b/.exec(text)?.[1]);
  const identity = identityOf(pid);
  if (identity === undefined) throw new Error(`no process in: ${text}`);
  return identity;
}

test('a background process of an agent, in a session of its own, is gone when the session is closed', async () => {
  await using home = testHome();
  const daemon = await TestDaemon.start(home);
  const session = await daemon.session('claude');
  const ending = await daemon.turn(session, 'child');
  const background = pidIn(ending.data['text']);
  await daemon.request('DELETE', `/v1/sessions/${session}`);
  await daemon.follow(session, (event) => event.type === 'runtime.ended');
  await gone(background, 1000);
  await daemon.stop();
});

test('stop leaves nothing: no agent, no background process, no keeper, no daemon', async () => {
  await using home = testHome();
  const daemon = await TestDaemon.start(home);
  for (const agent of ['claude', 'codex']) {
    const session = await daemon.session(agent);
    await daemon.turn(session, 'child');
    await daemon.send(session, 'tool-hang');
  }
  expect(marked(home.root).length).toBeGreaterThan(3);
  await daemon.stop();
  expect(marked(home.root)).toEqual([]);
  expect(existsSync(join(home.path, 'daemon.json'))).toBe(false);
});

test('a keeper killed with kill -9: its agents are gone, their turns are lost with an ending, and the session goes on', async () => {
  await using home = testHome();
  const daemon = await TestDaemon.start(home);
  const session = await daemon.session('claude');
  const child = pidIn((await daemon.turn(session, 'child')).data['text']);
  const turn = await daemon.send(session, 'tool-hang');
  const events = await daemon.follow(session, (event) => event.type === 'tool.started');
  const agent = identityOf(events.find((event) => event.type === 'runtime.started')?.data['pid']);
  const { keeper } = (await daemon.request('GET', '/v1/status')).body;
  process.kill(keeper.pid, 'SIGKILL');
  const ending = (await daemon.ending(session, turn)).at(-1);
  expect(ending?.data['code']).toBe('runtime_lost');
  if (agent !== undefined) await gone(agent);
  await gone(child);
  expect((await daemon.turn(session, 'recall')).type).toBe('turn.completed');
  await daemon.stop();
  expect(marked(home.root)).toEqual([]);
});

test('stop right behind start --replace: the daemon that the keeper started meanwhile does not come up behind it', async () => {
  await using home = testHome();
  const hung = await TestDaemon.start(home);
  await hung.session('claude');
  process.kill(hung.identity.pid, 'SIGSTOP');
  const next = await TestDaemon.start(home, ['--replace']);
  await next.stop();
  for (const left of marked(home.root)) await gone(left, 3000);
  expect(marked(home.root)).toEqual([]);
});
