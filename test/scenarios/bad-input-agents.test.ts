import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { checkJournal, TestDaemon, testHome, textOf, FAKES } from '../support/daemon.ts';
import { daemonForAll } from '../support/for-all.ts';

/** Executables that are no agent, and agents that begin or speak badly: each turn ends with a code that says so, and the daemon goes on. */
const LIMITS = `
[runtime]
startTimeoutMs = 3000
echoTimeoutMs = 1500
firstTurnTimeoutMs = 3000
inactivityTimeoutMs = 2500
[ladder]
termAfterMs = 200
killAfterMs = 200
[wire]
maxLineMb = 1
`;

let daemon: TestDaemon;

daemonForAll(
  (made) => {
    ({ daemon } = made);
  },
  () => ({
    config: `${LIMITS}${FAKES}`,
  }),
);

describe.each(['claude', 'codex'])('%s', (agent) => {
  test('exits at once: spawn_failed or runtime_exited, the message was never seen, and its code is told', async () => {
    const session = await daemon.session(agent, { env: { FAKE_FAULT: 'exit-at-start:7' } });
    const ending = await daemon.turn(session, 'say x');
    expect(ending.type).toBe('turn.failed');
    expect(['spawn_failed', 'runtime_exited']).toContain(ending.data['code']);
    expect(ending.data['effects']).toBe('none');
    expect(ending.data['message']).toMatch(new RegExp(`${agent} exited before it was ready \\(code 7\\)`));
    expect(ending.data['message']).toContain('pilotlight doctor');
    checkJournal(await daemon.events(session));
  });

  test('says why on stderr and exits: the ending carries it', async () => {
    const session = await daemon.session(agent, { env: { FAKE_FAULT: 'stderr-then-exit' } });
    const ending = await daemon.turn(session, 'say x');
    expect(ending.data).toMatchObject({ effects: 'none' });
    expect(ending.data['stderrTail']).toMatch(/\S/);
    checkJournal(await daemon.events(session));
  });

  test('never answers its start: start_timeout, and the message was never seen', async () => {
    const session = await daemon.session(agent, { env: { FAKE_FAULT: 'silent-start' } });
    const ending = await daemon.turn(session, 'say x');
    expect(ending.data).toMatchObject({ code: 'start_timeout', effects: 'none' });
    expect(ending.data['message']).toMatch(new RegExp(`${agent} was not ready within 3 s in .*by hand`));
    checkJournal(await daemon.events(session));
  });

  test('its directory is gone when it starts: spawn_failed names it and what to do; the next message is answered when it is there again', async () => {
    // Nothing starts with the session: it starts when there is something to say.
    await using at = testHome({ config: `${FAKES}[pool]\nwarmOnCreate = false\n` });
    const own = await TestDaemon.start(at);
    const cwd = join(at.root, 'gone');
    mkdirSync(cwd);
    const session = await own.session(agent, { cwd });
    rmSync(cwd, { recursive: true });
    const ending = await own.turn(session, 'say x');
    expect(ending.data).toMatchObject({ code: 'spawn_failed', effects: 'none' });
    expect(ending.data['message']).toContain(cwd);
    expect(ending.data['message']).toMatch(/does not exist.* Create the directory/);
    mkdirSync(cwd);
    expect((await own.turn(session, 'say again')).data['text']).toBe('again');
    checkJournal(await own.events(session));
    await own.stop();
  });

  test('prints garbage at its start: noted, and the turn is as any', async () => {
    const session = await daemon.session(agent, { env: { FAKE_FAULT: 'startup-garbage' } });
    const ending = await daemon.turn(session, 'say hello');
    expect([ending.type, ending.data['text']]).toEqual(['turn.completed', 'hello']);
    checkJournal(await daemon.events(session));
  });

  test('prints bytes that are no UTF-8: the turn completes, and every event is JSON that reads', async () => {
    const session = await daemon.session(agent);
    const turn = await daemon.send(session, 'invalid-utf8\nsay before and after');
    const events = await daemon.ending(session, turn);
    expect(events.at(-1)?.type).toBe('turn.completed');
    expect(textOf(events, turn)).toContain('after');
    checkJournal(events);
  });

  test('ends inside a line: runtime_exited, what was said before is kept, the next message is answered', async () => {
    const session = await daemon.session(agent);
    const turn = await daemon.send(session, 'half@7\nsay one two three four five');
    const events = await daemon.ending(session, turn);
    expect(events.at(-1)?.data['code']).toBe('runtime_exited');
    expect((await daemon.turn(session, 'say again')).data['text']).toBe('again');
    checkJournal(await daemon.events(session));
  });

  test('prints 120 MB without a newline: daemon and keeper stay small, the turn ends once, the next is answered', async () => {
    const session = await daemon.session(agent);
    await daemon.turn(session, 'say warm');
    const { body } = await daemon.request('GET', '/v1/status');
    const pids: readonly number[] = [body.daemon.pid, body.keeper.pid];
    pids.forEach(forgetPeak);
    const before = pids.map(peakMb);
    const turn = await daemon.send(session, 'huge-no-newline:120');
    const events = await daemon.ending(session, turn);
    const grown = pids.map((pid, index) => peakMb(pid) - (before[index] ?? 0));
    expect(events.at(-1)?.data['code']).toBe('inactivity_timeout');
    // A line may have 1 MB here; what flows between the three and garbage not yet collected are on top of it.
    expect(grown[0]).toBeLessThan(100);
    expect(grown[1]).toBeLessThan(40);
    expect((await daemon.turn(session, 'say again')).data['text']).toBe('again');
    checkJournal(await daemon.events(session));
  });

  test('prints a line of 120 MB: it is cut with a notice, daemon and keeper stay small, the turn completes', async () => {
    const session = await daemon.session(agent);
    await daemon.turn(session, 'say warm');
    const { body } = await daemon.request('GET', '/v1/status');
    const pids: readonly number[] = [body.daemon.pid, body.keeper.pid];
    pids.forEach(forgetPeak);
    const before = pids.map(peakMb);
    const turn = await daemon.send(session, 'huge-line:120\nsay behind it');
    const events = await daemon.ending(session, turn);
    const grown = pids.map((pid, index) => peakMb(pid) - (before[index] ?? 0));
    expect(events.at(-1)?.type).toBe('turn.completed');
    expect(events.some((event) => event.turn === turn && event.type === 'notice')).toBe(true);
    expect(grown[0]).toBeLessThan(100);
    expect(grown[1]).toBeLessThan(40);
    checkJournal(await daemon.events(session));
  });
});

/** The most memory that a process ever had, in MB. */
function peakMb(pid: number): number {
  const line = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${String(pid)}/status`, 'utf8'))?.[1];
  if (line === undefined) throw new Error(`no VmHWM of ${String(pid)}`);
  return Number(line) / 1024;
}

/** From here on the peak counts anew. */
function forgetPeak(pid: number): void {
  writeFileSync(`/proc/${String(pid)}/clear_refs`, '5');
}

describe('a configured path that is no agent', () => {
  /** One turn of Claude where the configuration names this script; undefined where the session itself was refused. */
  async function turnOf(script: string, mode = 0o755) {
    const own = testHome({ config: '' });
    try {
      const path = join(own.root, 'an-agent');
      writeFileSync(path, script);
      chmodSync(path, mode);
      writeFileSync(join(own.path, 'config.toml'), `${LIMITS}[agents.claude]\npath = "${path}"\n`);
      const one = await TestDaemon.start(own);
      const created = await one.request('POST', '/v1/sessions', {
        agent: 'claude',
        cwd: own.cwd,
        mode: 'bypass',
      });
      const ending = created.status === 201 ? await one.turn(created.body.id, 'say x') : undefined;
      if (created.status === 201) checkJournal(await one.events(created.body.id));
      expect((await one.request('GET', '/v1/health')).status).toBe(200);
      await one.stop();
      return { created, ending, path };
    } finally {
      await own[Symbol.asyncDispose]();
    }
  }

  test('may not be executed: agent_unavailable names it', async () => {
    const { created, path } = await turnOf('#!/bin/sh\n', 0o644);
    expect([created.status, created.body.code]).toEqual([422, 'agent_unavailable']);
    expect(created.body.detail).toContain(path);
    expect(created.body.fix).toBeTruthy();
  });

  test('names an interpreter that is not there: spawn_failed, never seen', async () => {
    const { ending } = await turnOf('#!/nowhere/interpreter\n');
    expect(ending?.data).toMatchObject({ code: 'spawn_failed', effects: 'none' });
    expect(ending?.data['message']).toMatch(/\S/);
  });

  test('exits with 0 at once, without a word', async () => {
    const { ending } = await turnOf('#!/bin/sh\nexit 0\n');
    expect(ending?.type).toBe('turn.failed');
    expect(ending?.data['effects']).toBe('none');
  });

  test('prints noise for ever and never answers', async () => {
    const { ending } = await turnOf('#!/bin/sh\nexec yes noise\n');
    expect(ending?.data).toMatchObject({ code: 'spawn_failed', effects: 'none' });
    expect(ending?.data['message']).toContain('noise');
    expect(ending?.data['message']).toContain('agents.claude.path');
  });

  test('prints JSON that means nothing, of every kind', async () => {
    const lines = [
      'null',
      '7',
      '[]',
      '{}',
      '{"type":null}',
      '{"type":"system"}',
      '{"type":"control_response"}',
      '"x"',
    ];
    const { ending } = await turnOf(
      `#!/bin/sh\n${lines.map((line) => `echo '${line}'`).join('\n')}\nexec sleep 60\n`,
    );
    expect(ending?.data).toMatchObject({ code: 'start_timeout', effects: 'none' });
  });
});
