/**
 * The whole daemon with the unmodified CLIs on the fake model: what the promises come to where it counts.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type FakeModel } from '../../src/testing/index.ts';
import { checkJournal, gone, TestDaemon, textOf, type Event, type TestHome } from '../support/daemon.ts';
import { realDaemonForAll } from '../support/for-all.ts';
import { identityOf, isAlive, marked } from '../support/processes.ts';
import type { RealAgents } from '../support/real-agents.ts';

let model: FakeModel;
let real: RealAgents;
let home: TestHome;
let daemon: TestDaemon;
let gates = 0;

realDaemonForAll(
  (made) => {
    ({ model, real, home, daemon } = made);
  },
  { current: () => daemon, nothingLeft: true },
);

function open(agent: 'claude' | 'codex'): Promise<string> {
  return daemon.session(agent, { cwd: real.cwd, env: agent === 'claude' ? real.claude.env : real.codex.env });
}

function pidOf(events: readonly Event[]): number {
  return events.findLast((event) => event.type === 'runtime.started')?.data['pid'];
}

function freshGate(): string {
  gates += 1;
  return `gate${String(gates)}`;
}

for (const agent of ['claude', 'codex'] as const) {
  describe(agent, () => {
    test('three turns, a tool use, an API error and a good turn after it, all in one process', async () => {
      const session = await open(agent);
      for (const word of ['one', 'two', 'three']) {
        const ending = await daemon.turn(session, `say ${word}`);
        expect(ending.type, JSON.stringify(ending.data)).toBe('turn.completed');
        expect(ending.data['text']).toContain(word);
      }
      const tool = await daemon.turn(session, 'run: echo from-the-shell');
      expect(tool.data['text']).toContain('from-the-shell');
      const failed = await daemon.turn(session, 'fail 400');
      expect(failed.type).toBe('turn.failed');
      const good = await daemon.turn(session, 'say after the error');
      expect(good.data['text']).toContain('after the error');
      expect(good.data['usage'].totalTokens).toBeGreaterThan(0);
      const events = await daemon.events(session);
      checkJournal(events);
      expect(events.filter((event) => event.type === 'runtime.started')).toHaveLength(1);
      const started = events.find((event) => event.type === 'tool.started');
      expect(started?.data['kind']).toBe('execute');
      const done = events.find(
        (event) => event.type === 'tool.completed' && event.data['id'] === started?.data['id'],
      );
      expect(done?.data).toMatchObject({ status: 'ok' });
      expect(done?.data['output']).toContain('from-the-shell');
      await daemon.request('DELETE', `/v1/sessions/${session}`);
    });

    test('an interrupt before the first token and in a tool ends the turn; the process stays warm', async () => {
      const session = await open(agent);
      await daemon.turn(session, 'say ready');
      const silent = await daemon.send(session, 'silence');
      await daemon.follow(session, (event) => event.turn === silent && event.type === 'turn.started');
      expect((await daemon.request('POST', `/v1/sessions/${session}/interrupt`, {})).status).toBe(202);
      expect((await daemon.ending(session, silent)).at(-1)?.type).toBe('turn.interrupted');
      const slow = await daemon.send(session, 'run: tail -f /dev/null');
      await daemon.follow(session, (event) => event.turn === slow && event.type === 'tool.started');
      await daemon.request('POST', `/v1/sessions/${session}/interrupt`, {});
      expect((await daemon.ending(session, slow)).at(-1)?.type).toBe('turn.interrupted');
      expect((await daemon.turn(session, 'say warm')).data['text']).toContain('warm');
      const events = await daemon.events(session);
      checkJournal(events);
      expect(events.filter((event) => event.type === 'runtime.started')).toHaveLength(1);
      await daemon.request('DELETE', `/v1/sessions/${session}`);
    });

    test('the daemon killed in mid-stream: same process, text whole, every event once', async () => {
      const session = await open(agent);
      const gate = freshGate();
      const turn = await daemon.send(session, `say the beginning then hold ${gate} then say the end`);
      const before = await daemon.follow(session, (event) => event.type === 'message.delta');
      await survive(session, turn, pidOf(before), () => model.release(gate));
      const events = await daemon.events(session);
      expect(textOf(events, turn)).toMatch(/the beginning[\s\S]*the end/);
    });

    test('the daemon killed in a tool call: same process, the tool completes', async () => {
      const session = await open(agent);
      const file = join(real.cwd, `go-${agent}`);
      const turn = await daemon.send(
        session,
        `run: until [ -e ${file} ]; do sleep 0.05; done; echo tool-went-on`,
      );
      const before = await daemon.follow(session, (event) => event.type === 'tool.started');
      await survive(session, turn, pidOf(before), async () => {
        const { writeFileSync } = await import('node:fs');
        writeFileSync(file, '');
      });
      const events = await daemon.events(session);
      const done = events.find((event) => event.type === 'tool.completed');
      expect(done?.data['output']).toContain('tool-went-on');
    });

    test('the daemon killed between accepting and writing: same process, the message arrives once', async () => {
      const session = await open(agent);
      await daemon.turn(session, 'say warm up');
      const keeper: { pid: number } = JSON.parse(readFileSync(join(home.path, 'keeper.json'), 'utf8'));
      process.kill(keeper.pid, 'SIGSTOP');
      const words = `say delivered-${agent} once`;
      const turn = await daemon.send(session, words);
      const events = await daemon.events(session);
      await survive(session, turn, pidOf(events), () => process.kill(keeper.pid, 'SIGCONT'));
      const asked = model.requests.filter(
        (request) => request.side === null && request.lastUserText.includes(`delivered-${agent}`),
      );
      expect(asked).toHaveLength(1);
    });

    test('after stop and start the agent remembers', async () => {
      const session = await open(agent);
      await daemon.turn(session, 'remember: the word is heliotrope');
      await daemon.stop(false);
      expect(marked(home.path)).toEqual([]);
      daemon = await TestDaemon.start(home);
      const recalled = await daemon.turn(session, 'recall');
      expect(recalled.data['text'], JSON.stringify(recalled.data)).toContain('heliotrope');
      const events = await daemon.events(session);
      checkJournal(events);
      expect(events.findLast((event) => event.type === 'runtime.started')?.data['resumed']).toBe(true);
    });
  });
}

/** kill -9 of the daemon; the next one takes over; `go` lets the turn finish. */
async function survive(session: string, turn: string, pid: number, go: () => unknown): Promise<void> {
  const agent = identityOf(pid);
  await daemon.kill9();
  await go();
  daemon = await TestDaemon.takeOver(home);
  const events = await daemon.ending(session, turn);
  expect(events.at(-1)?.type, JSON.stringify(events.at(-1)?.data)).toBe('turn.completed');
  checkJournal(events);
  expect(agent !== undefined && isAlive(agent)).toBe(true);
  expect(pidOf(events)).toBe(pid);
  const again = await daemon.turn(session, 'say still here');
  expect(again.data['text']).toContain('still here');
  expect(pidOf(await daemon.events(session))).toBe(pid);
  await daemon.request('DELETE', `/v1/sessions/${session}`);
  if (agent !== undefined) await gone(agent);
}
