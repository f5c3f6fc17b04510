/**
 * Sessions that share one unmodified Codex, on the fake model: what they have in common, what each has for itself, and what becomes of all of them when the
 * daemon is killed in the middle.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { checkJournal, TestDaemon, testHome, type Event, type TestHome } from '../support/daemon.ts';
import { realForAll } from '../support/for-all.ts';
import { marked } from '../support/processes.ts';
import { agentConfig, type RealAgents } from '../support/real-agents.ts';

let real: RealAgents;

realForAll((made) => {
  ({ real } = made);
});

function home(config = ''): TestHome {
  return testHome({ config: `${config}\n${agentConfig(real)}`, root: real.root });
}

function open(daemon: TestDaemon, more: Record<string, unknown> = {}): Promise<string> {
  const { env = {}, ...rest } = more;
  return daemon.session('codex', { cwd: real.cwd, env: { ...real.codex.env, ...(env as object) }, ...rest });
}

const of = (events: readonly Event[], type: string): Event[] => events.filter((event) => event.type === type);

test('two sessions are one process, each with its own environment and its own conversation', async () => {
  await using at = home();
  const daemon = await TestDaemon.start(at);
  const a = await open(daemon, { env: { WHO: 'anna' }, mode: 'bypass' });
  const b = await open(daemon, { env: { WHO: 'berta' }, mode: 'bypass' });
  const [first, second] = await Promise.all([
    daemon.turn(a, 'run: echo i-am-$WHO'),
    daemon.turn(b, 'run: echo i-am-$WHO'),
  ]);
  expect(first.data['text']).toContain('i-am-anna');
  expect(second.data['text']).toContain('i-am-berta');
  const events = [await daemon.events(a), await daemon.events(b)];
  const started = events.map((all) =>
    of(all, 'runtime.started').map(({ data }) => [data['kind'], data['pid']]),
  );
  expect(started[0]).toEqual(started[1]);
  expect(started[0]?.[0]?.[0]).toBe('shared');
  for (const all of events) checkJournal(all);
  await daemon.stop();
  expect(marked(at.path)).toEqual([]);
});

test('the daemon is killed while both run: the same process goes on with both; after a stop and a start both remember', async () => {
  await using at = home();
  let daemon = await TestDaemon.start(at);
  const sessions = [await open(daemon, { mode: 'bypass' }), await open(daemon, { mode: 'bypass' })];
  const gate = join(at.cwd, 'gate');
  const turns = [];
  for (const [index, session] of sessions.entries()) {
    await daemon.turn(session, `remember: the word is heliotrope${String(index)}`);
    const turn = await daemon.send(
      session,
      `run: until test -e ${gate}; do sleep 0.1; done; echo done-${String(index)}`,
    );
    await daemon.follow(session, (event) => event.turn === turn && event.type === 'tool.started');
    turns.push(turn);
  }
  await daemon.kill9();
  writeFileSync(gate, '');
  daemon = await TestDaemon.takeOver(at);
  const pids = new Set<unknown>();
  for (const [index, session] of sessions.entries()) {
    const events = await daemon.ending(session, turns[index] ?? '');
    expect(events.at(-1)?.data['text']).toContain(`done-${String(index)}`);
    for (const { data } of of(events, 'runtime.started')) pids.add(data['pid']);
    expect(of(events, 'runtime.ended')).toEqual([]);
  }
  expect(pids.size).toBe(1);
  await daemon.stop(false);
  expect(marked(at.path)).toEqual([]);
  daemon = await TestDaemon.start(at);
  for (const [index, session] of sessions.entries()) {
    expect((await daemon.turn(session, 'recall')).data['text']).toContain(`heliotrope${String(index)}`);
    checkJournal(await daemon.events(session));
  }
  await daemon.stop();
});

test('sessions have the process that was ready before them, and go on in it under the next daemon', async () => {
  const { PATH: _, ...env } = real.codex.env;
  const config = `[pool]\nspares = 1\nspareRestMs = 20\n${agentConfig(real)}`;
  await using at = testHome({ config, root: real.root, env });
  const daemon = await TestDaemon.start(at);
  await daemon.request('DELETE', `/v1/sessions/${await open(daemon)}`);
  const spare = async (): Promise<number> => {
    for (;;) {
      const { leases } = (await daemon.request('GET', '/v1/status')).body.pool;
      for (const { sessions, pid, reason } of leases)
        if (sessions.length === 0 && pid !== undefined && String(reason).startsWith('a spare process: '))
          return pid;
    }
  };
  const pid = await spare();
  const sessions = await Promise.all([open(daemon), open(daemon, { mode: 'bypass' })]);
  await Promise.all(sessions.map((one, n) => daemon.turn(one, `remember: the code is 471${String(n)}`)));
  const started = sessions.map(async (one) => of(await daemon.events(one), 'runtime.started')[0]?.data);
  const first = await Promise.all(started);
  for (const data of first) expect(data).toMatchObject({ kind: 'shared', pid, resumed: false });
  expect(first.filter((data) => data?.['spare'] === true)).toHaveLength(1);
  await daemon.kill9();
  const next = await TestDaemon.takeOver(at);
  for (const [n, session] of sessions.entries()) {
    expect((await next.turn(session, 'recall')).data['text']).toContain(`471${String(n)}`);
    const events = await next.events(session);
    checkJournal(events);
    expect(of(events, 'runtime.started')).toHaveLength(1);
  }
  await next.stop();
  expect(marked(at.path)).toEqual([]);
});

test('the first session has the conversation that was opened before it, with its answer; its commands are its own, and it goes on under the next daemon', async () => {
  const { PATH: _, ...env } = real.codex.env;
  const config = `[pool]\nspares = 1\nspareRestMs = 20\n${agentConfig(real)}`;
  await using at = testHome({ config, root: real.root, env });
  const daemon = await TestDaemon.start(at);
  await daemon.request('DELETE', `/v1/sessions/${await open(daemon, { mode: 'bypass' })}`);
  const opened = async (): Promise<number> => {
    for (;;) {
      const { leases } = (await daemon.request('GET', '/v1/status')).body.pool;
      for (const { pid, reason } of leases)
        if (String(reason).includes('a conversation is open in it')) return pid;
    }
  };
  const pid = await opened();
  const asked = { agent: 'codex', cwd: real.cwd, env: real.codex.env, mode: 'bypass' };
  const { body } = await daemon.request('POST', '/v1/sessions', asked);
  expect(body).toMatchObject({ state: 'idle', runtime: { pid } });
  expect((await daemon.turn(body.id, 'run: echo from-$((40 + 2))')).data['text']).toContain('from-42');
  await daemon.turn(body.id, 'remember: the code is 4711');
  await daemon.kill9();
  const next = await TestDaemon.takeOver(at);
  expect((await next.turn(body.id, 'recall')).data['text']).toContain('4711');
  const events = await next.events(body.id);
  expect(of(events, 'runtime.started').map(({ data }) => data)).toMatchObject([{ pid, spare: true }]);
  checkJournal(events);
  await next.stop();
  expect(marked(at.path)).toEqual([]);
});
