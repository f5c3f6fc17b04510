import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pass } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { cli } from '../support/cli.ts';
import {
  checkJournal,
  gone,
  isEnding,
  TestDaemon,
  testHome,
  textOf,
  type TestHome,
  FAKES,
} from '../support/daemon.ts';
import { identityOf, isAlive } from '../support/processes.ts';
import { SmallDisk } from '../support/small-disk.ts';

/** A full disk: new work is refused with journal_full, running turns pause and go on when there is room, each ends once and complete. */
const INACTIVITY_MS = 1500;
const CONFIG = `[runtime]
inactivityTimeoutMs = ${String(INACTIVITY_MS)}
${FAKES}`;

/** A home on a disk of its own. Disposed of in one go, so that the processes on it end first. */
function homeOnDisk(megabytes: number): TestHome & { readonly disk: SmallDisk } {
  const home = testHome();
  const disk = new SmallDisk(home.path, megabytes);
  writeFileSync(join(home.path, 'config.toml'), CONFIG);
  return {
    ...home,
    disk,
    async [Symbol.asyncDispose]() {
      disk.free();
      const entries = ['daemon.json', 'keeper.json'].flatMap((name) => read(join(home.path, name)));
      for (const { pid, startTime } of entries) {
        if (!isAlive({ pid, startTime })) continue;
        process.kill(pid, 'SIGKILL');
        await gone({ pid, startTime });
      }
      disk[Symbol.dispose]();
      await home[Symbol.asyncDispose]();
    },
  };
}

function read(file: string): { pid: number; startTime: string }[] {
  try {
    return [JSON.parse(readFileSync(file, 'utf8'))];
  } catch {
    return [];
  }
}

const isFull = (daemon: TestDaemon) => async (): Promise<boolean> =>
  (await daemon.request('GET', '/v1/status')).body.journal.full;

for (const agent of ['claude', 'codex']) {
  test(`${agent}: the disk fills up in a turn: it pauses, new work is 507, reading works; with room it ends once and complete`, async () => {
    await using home = homeOnDisk(64);
    const daemon = await TestDaemon.start(home);
    const idle = await daemon.session(agent);
    await daemon.turn(idle, 'say warm');
    const session = await daemon.session(agent);
    const gate = join(home.cwd, `gate-${agent}`);
    const turn = await daemon.send(session, `hold ${gate} then flood 20000 lines of 400 bytes`);
    const begun = await daemon.follow(session, (event) => event.type === 'message.delta');
    const process_ = identityOf(begun.find((event) => event.type === 'runtime.started')?.data['pid']);
    home.disk.fill();
    writeFileSync(gate, '');
    await expect.poll(isFull(daemon), { timeout: 10_000 }).toBe(true);

    const much = 'x'.repeat(4_000_000);
    const refused = [
      await daemon.request('POST', `/v1/sessions/${idle}/turns`, { input: much }),
      await daemon.request('POST', '/v1/sessions', {
        agent,
        cwd: home.cwd,
        systemPrompt: 'x'.repeat(99_000),
        metadata: { much },
      }),
      await daemon.request('POST', '/v1/sessions', { agent, cwd: home.cwd, env: { MUCH: much } }),
    ];
    for (const { status, body } of refused) {
      expect([status, body.code]).toEqual([507, 'journal_full']);
      expect(body.fix).toContain('Free space');
    }
    expect(readdirSync(join(home.path, 'secrets')).filter((name) => name.endsWith('.new'))).toEqual([]);
    // What was refused left nothing: the idle session is idle, no session was made.
    expect((await daemon.request('GET', `/v1/sessions/${idle}`)).body.state).toBe('idle');
    expect((await daemon.request('GET', '/v1/sessions')).body.items).toHaveLength(2);
    // The log cannot be written either; that is nobody's failure.
    for (let times = 0; times < 60; times += 1)
      expect((await daemon.request('GET', `/v1/sessions/${session}/events?after=0`)).status).toBe(200);
    // Longer than the agent may be silent: it may not speak, so that is not counted.
    await pass(2 * INACTIVITY_MS);
    expect((await daemon.events(session)).filter(isEnding)).toEqual([]);
    expect(process_ !== undefined && isAlive(process_)).toBe(true);

    home.disk.free();
    const events = await daemon.ending(session, turn);
    expect(events.at(-1)?.type, JSON.stringify(events.at(-1)?.data).slice(0, 300)).toBe('turn.completed');
    checkJournal(events);
    const text = textOf(events, turn);
    expect(text).toContain('000000000000');
    expect(text).toContain('000000019999');
    expect((await daemon.turn(idle, 'say hello')).data['text']).toBe('hello');
    expect(await isFull(daemon)()).toBe(false);
    await daemon.stop();
  });
}

test('start on a full disk: journal_full or what else has no room, exit 1, nothing stays; with room it starts and nothing is lost', async () => {
  await using home = homeOnDisk(16);
  home.disk.fill();
  const fresh = await cli(home, ['start', '--json', '--port', '0']);
  expect(fresh.code).toBe(1);
  expect(JSON.parse(fresh.stdout).error.code).toBe('journal_full');
  expect(JSON.parse(fresh.stdout).error.fix).toContain('Free space');
  expect(fresh.stderr).not.toMatch(/^\s+at /m);
  home.disk.free();
  const first = await TestDaemon.start(home);
  const session = await first.session('claude');
  await first.turn(session, 'say hello');
  const before = await first.events(session);
  await first.term();
  home.disk.fill();
  const again = await cli(home, ['start', '--json', '--port', '0']);
  expect(again.code).toBe(1);
  expect(JSON.parse(again.stdout).error.code).toBe('journal_full');
  expect(JSON.parse(again.stdout).error.fix).toContain('Free space');
  home.disk.free();
  const daemon = await TestDaemon.takeOver(home);
  expect((await daemon.events(session)).slice(0, before.length)).toEqual(before);
  expect((await daemon.turn(session, 'say on')).data['text']).toBe('on');
  await daemon.stop();
});

test('kill -9 of the daemon while the disk is full: with room the next one takes over, the turn ends once and complete', async () => {
  await using home = homeOnDisk(64);
  const first = await TestDaemon.start(home);
  const session = await first.session('claude');
  const gate = join(home.cwd, 'gate');
  const turn = await first.send(session, `hold ${gate} then flood 20000 lines of 400 bytes`);
  await first.follow(session, (event) => event.type === 'message.delta');
  home.disk.fill();
  writeFileSync(gate, '');
  await expect.poll(isFull(first), { timeout: 10_000 }).toBe(true);
  await first.kill9();
  home.disk.free();
  const daemon = await TestDaemon.takeOver(home);
  const events = await daemon.ending(session, turn);
  expect(events.at(-1)?.type, JSON.stringify(events.at(-1)?.data).slice(0, 300)).toBe('turn.completed');
  checkJournal(events);
  expect(textOf(events, turn)).toContain('000000019999');
  await daemon.stop();
});

test('a home on a disk that may only be read: journal_unusable with what to do; the sessions are there when it may be written again', async () => {
  await using home = homeOnDisk(16);
  const first = await TestDaemon.start(home);
  const session = await first.session('claude');
  await first.turn(session, 'say hello');
  const before = await first.events(session);
  await first.stop();
  // Busy while the last process of it, gone a moment ago, still has a file open there.
  await expect
    .poll(() => {
      home.disk.writable(false);
      return true;
    })
    .toBe(true);
  const { code, stdout, stderr } = await cli(home, ['start', '--json', '--port', '0']);
  expect([code, JSON.parse(stdout).error.code]).toEqual([1, 'journal_unusable']);
  expect(JSON.parse(stdout).error.fix).toMatch(/\S/);
  expect(stderr).not.toMatch(/^\s+at /m);
  home.disk.writable(true);
  const daemon = await TestDaemon.start(home);
  expect((await daemon.events(session)).slice(0, before.length)).toEqual(before);
  await daemon.stop();
});
