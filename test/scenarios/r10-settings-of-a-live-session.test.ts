import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { checkJournal, TestDaemon, testHome, textOf, type Event, FAKES } from '../support/daemon.ts';
import { daemonForAll } from '../support/for-all.ts';

/** A mode or a model of a session is changed: its process is told, or one that cannot be is replaced between turns. No message runs in the old ones. */

let daemon: TestDaemon;

daemonForAll(
  (made) => {
    ({ daemon } = made);
  },
  () => ({ config: FAKES }),
);

async function change(session: string, body: Record<string, unknown>, on = daemon): Promise<void> {
  const { status } = await on.request('PATCH', `/v1/sessions/${session}`, body);
  expect(status).toBe(200);
}

const starts = (events: readonly Event[]): Event[] => events.filter(({ type }) => type === 'runtime.started');
const reasons = (events: readonly Event[]): unknown[] =>
  events.filter(({ type }) => type === 'runtime.ended').map(({ data }) => data['reason']);
const notices = (events: readonly Event[]): unknown[] =>
  events.filter(({ type }) => type === 'notice').map(({ data }) => data['code']);

/** The turn asks, and is denied. */
async function asks(session: string, on = daemon, input = 'ask'): Promise<readonly Event[]> {
  const turn = await on.send(session, input);
  const seen = await on.follow(
    session,
    (event) =>
      event.turn === turn && (event.type === 'permission.requested' || event.type === 'turn.completed'),
  );
  expect(seen.at(-1)?.type).toBe('permission.requested');
  const request = String(seen.at(-1)?.data['id']);
  await on.request('POST', `/v1/sessions/${session}/permissions/${request}`, { decision: 'deny' });
  await on.ending(session, turn);
  const events = await on.events(session);
  checkJournal(events);
  return events;
}

for (const agent of ['claude', 'codex']) {
  describe.concurrent(agent, () => {
    test('another mode: told, said as an event, obeyed by the next message, one process', async () => {
      const session = await daemon.session(agent);
      const free = await daemon.send(session, 'ask');
      expect(textOf(await daemon.ending(session, free), free)).toContain('not needed');
      await change(session, { mode: 'default' });
      const events = await asks(session);
      expect(events.filter(({ type }) => type === 'session.updated').at(-1)?.data).toEqual({
        mode: 'default',
      });
      expect(starts(events)).toHaveLength(1);
      expect(notices(events)).not.toContain('settings_not_taken');
    });

    test('another model: the next turn is of that one, on one process', async () => {
      const session = await daemon.session(agent, { model: 'model-one' });
      expect((await daemon.turn(session, 'say one')).data['model']).toBe('model-one');
      await change(session, { model: 'model-two' });
      expect((await daemon.turn(session, 'say two')).data['model']).toBe('model-two');
      expect(starts(await daemon.events(session))).toHaveLength(1);
    });

    test('settings that it refuses: said in its words, and the process is replaced by one that has them', async () => {
      const session = await daemon.session(agent, { env: { FAKE_FAULT: 'settings-refused' } });
      await daemon.turn(session, 'say first');
      await change(session, { mode: 'default' });
      const events = await asks(session);
      expect(notices(events)).toContain('settings_not_taken');
      expect([starts(events).length, reasons(events)]).toEqual([2, ['replaced']]);
      expect(starts(events)[1]?.data['resumed']).toBe(true);
    });

    test('no answer to a change: a message waits for it no longer than the bound, and runs in a new process', async () => {
      await using at = testHome({ config: `${FAKES}\n[runtime]\ninterruptTimeoutMs = 300` });
      const impatient = await TestDaemon.start(at);
      const session = await impatient.session(agent, { env: { FAKE_FAULT: 'deaf-settings' } });
      await impatient.turn(session, 'say first');
      await change(session, { mode: 'default' }, impatient);
      const events = await asks(session, impatient);
      await impatient.stop();
      expect(notices(events)).toContain('settings_not_taken');
      expect([starts(events).length, reasons(events)]).toEqual([2, ['replaced']]);
    });

    test('changed while its process starts: the first message is in the new mode', async () => {
      const session = await daemon.session(agent, { env: { FAKE_FAULT: 'slow-start:300' } });
      await change(session, { mode: 'default' });
      expect(starts(await asks(session))).toHaveLength(1);
    });

    test('changed in a turn that is being interrupted: nothing is written before it has ended, and the next one is in it', async () => {
      const session = await daemon.session(agent);
      const turn = await daemon.send(session, 'tool-hang');
      await daemon.follow(session, ({ type }) => type === 'tool.started');
      const [interrupted] = await Promise.all([
        daemon.request('POST', `/v1/sessions/${session}/interrupt`),
        change(session, { mode: 'default' }),
      ]);
      expect(interrupted.status).toBe(202);
      await daemon.ending(session, turn);
      expect(starts(await asks(session))).toHaveLength(1);
    });

    test('two clients change it at once: both are told what holds, and what holds is obeyed', async () => {
      const session = await daemon.session(agent);
      await daemon.turn(session, 'say first');
      await Promise.all([
        change(session, { mode: 'acceptEdits' }),
        change(session, { mode: 'default' }),
        change(session, { model: 'model-two' }),
      ]);
      const { body } = await daemon.request('GET', `/v1/sessions/${session}`);
      expect(['acceptEdits', 'default']).toContain(body.mode);
      const ending = await daemon.turn(session, 'say second');
      expect(ending.data['model']).toBe('model-two');
      const events = await daemon.events(session);
      const told = events.filter(({ type, data }) => type === 'session.updated' && 'mode' in data);
      expect(told.at(-1)?.data['mode']).toBe(body.mode);
      expect(starts(events)).toHaveLength(1);
    });

    test('a read-only session: another mode changes nothing of that', async () => {
      const session = await daemon.session(agent, { mode: 'default', readOnly: {} });
      await daemon.turn(session, 'say first');
      await change(session, { mode: 'bypass' });
      const { body } = await daemon.request('GET', `/v1/sessions/${session}`);
      expect([body.mode, body.readOnly]).toEqual(['bypass', {}]);
      await daemon.turn(session, 'say second');
      const events = await daemon.events(session);
      expect([starts(events).length, notices(events)]).toEqual([1, []]);
    });
  });
}

test('bypass for a Claude that was not started with it: a new process bypasses', async () => {
  const session = await daemon.session('claude', { mode: 'default' });
  await asks(session);
  await change(session, { mode: 'bypass' });
  const free = await daemon.send(session, 'ask');
  expect(textOf(await daemon.ending(session, free), free)).toContain('not needed');
  const events = await daemon.events(session);
  expect(reasons(events)).toEqual(['replaced']);
});

for (const agent of ['claude', 'codex']) {
  test(`kill -9 of the daemon between a change and its writing: ${agent} is told by the next one`, async () => {
    await using at = testHome({ config: FAKES });
    const first = await TestDaemon.start(at);
    const session = await first.session(agent);
    await first.turn(session, 'say first');
    // A keeper that is stopped cannot write: what is accepted now is durable, and in nobody's stdin.
    const keeper: { pid: number } = JSON.parse(readFileSync(join(at.path, 'keeper.json'), 'utf8'));
    process.kill(keeper.pid, 'SIGSTOP');
    await change(session, { mode: 'default' }, first);
    await first.kill9();
    process.kill(keeper.pid, 'SIGCONT');
    const next = await TestDaemon.takeOver(at);
    expect(starts(await asks(session, next))).toHaveLength(1);
    await next.stop();
  });

  test(`kill -9 of the daemon between a change and its answer: ${agent}'s answer is read by the next one`, async () => {
    await using at = testHome({ config: FAKES });
    const first = await TestDaemon.start(at);
    const session = await first.session(agent);
    await first.turn(session, 'say first');
    const pid = Number(starts(await first.events(session))[0]?.data['pid']);
    process.kill(pid, 'SIGSTOP');
    await change(session, { mode: 'default' }, first);
    await first.kill9();
    process.kill(pid, 'SIGCONT');
    const next = await TestDaemon.takeOver(at);
    expect(starts(await asks(session, next))).toHaveLength(1);
    await next.stop();
  });
}
