/**
 * The pool with the unmodified CLIs on the fake model: what an eviction, a process for one message and a background task are in earnest.
 */
import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { checkJournal, TestDaemon, testHome, type Event, type TestHome } from '../support/daemon.ts';
import { realForAll } from '../support/for-all.ts';
import { JsonLinesChild, type Line } from '../support/json-lines-child.ts';
import { marked } from '../support/processes.ts';
import { agentConfig, type RealAgents } from '../support/real-agents.ts';

let real: RealAgents;

realForAll((made) => {
  ({ real } = made);
});

function homeWith(pool: string): TestHome {
  const config = `[pool]\n${pool}\n${agentConfig(real)}`;
  return testHome({ config, root: real.root });
}

function open(daemon: TestDaemon, agent: 'claude' | 'codex'): Promise<string> {
  return daemon.session(agent, { cwd: real.cwd, env: real[agent].env });
}

const of = (events: readonly Event[], type: string): Event[] => events.filter((event) => event.type === type);

test('one slot for Claude and Codex: each evicts the other and comes back with what it was told', async () => {
  await using home = homeWith('maxWarm = 1\nwarmOnCreate = false');
  const daemon = await TestDaemon.start(home);
  const agents = ['claude', 'codex'] as const;
  const sessions = [await open(daemon, 'claude'), await open(daemon, 'codex')];
  for (const [at, session] of sessions.entries())
    expect(
      (await daemon.turn(session, `remember: the code of ${agents[at] ?? ''} is 47${String(at)}`)).type,
    ).toBe('turn.completed');
  for (const [at, session] of sessions.entries()) {
    expect((await daemon.turn(session, 'recall')).data['text']).toContain(`47${String(at)}`);
    const events = await daemon.events(session);
    expect(of(events, 'runtime.started').map((event) => event.data['resumed'])).toEqual([false, true]);
    expect(of(events, 'runtime.ended')[0]?.data['reason']).toBe('evicted');
    checkJournal(events);
  }
  await daemon.stop();
  expect(marked(home.path)).toEqual([]);
});

for (const agent of ['claude', 'codex'] as const)
  test(`${agent}: a process for each message carries the conversation on`, async () => {
    await using home = homeWith('persistent = false');
    const daemon = await TestDaemon.start(home);
    const session = await open(daemon, agent);
    await daemon.turn(session, 'remember: the code is 4711');
    const tool = await daemon.turn(session, 'run: echo from-the-shell');
    expect(tool.data['text']).toContain('from-the-shell');
    expect((await daemon.turn(session, 'recall')).data['text']).toContain('4711');
    const events = await daemon.follow(
      session,
      (event, all) => event.type === 'runtime.ended' && of(all, 'runtime.ended').length === 3,
    );
    expect(of(events, 'runtime.started').map((event) => event.data['kind'])).toEqual([
      'per-message',
      'per-message',
      'per-message',
    ]);
    checkJournal(events);
    await daemon.stop();
    expect(marked(home.path)).toEqual([]);
  });

test('claude: a background task holds its process; it wakes the agent when it ends, and then the process may go', async () => {
  await using home = homeWith('idleTimeoutMs = 500\nbackgroundRestMs = 4000');
  const daemon = await TestDaemon.start(home);
  const session = await open(daemon, 'claude');
  const gate = join(real.cwd, 'background');
  const command = `until [ -e ${gate} ]; do sleep 0.05; done`;
  const bash = `tool: Bash ${JSON.stringify({ command, run_in_background: true })}\nsay Started`;
  expect((await daemon.turn(session, bash)).data['text']).toContain('Started');
  // Another session goes to sleep meanwhile: the rounds are made.
  const other = await open(daemon, 'codex');
  await daemon.follow(other, (event) => event.type === 'runtime.ended');
  const { leases } = (await daemon.request('GET', '/v1/status')).body.pool;
  expect(leases).toMatchObject([{ sessions: [session], evictable: false, reason: 'a background task runs' }]);
  expect(of(await daemon.events(session), 'runtime.ended')).toEqual([]);
  writeFileSync(gate, '');
  const events = await daemon.follow(session, (event) => event.type === 'runtime.ended');
  expect(of(events, 'turn.started').map((event) => event.data['origin'])).toEqual(['user', 'agent']);
  expect(events.at(-1)?.data['reason']).toBe('idle');
  checkJournal(events);
  await daemon.stop();
});

test('a conversation that somebody has open in a Claude of their own cannot be resumed until they leave', async () => {
  await using home = homeWith('warmOnCreate = false');
  const daemon = await TestDaemon.start(home);
  const conversation = randomUUID();
  const resumed = (): ReturnType<TestDaemon['request']> =>
    daemon.request('POST', '/v1/sessions', {
      agent: 'claude',
      cwd: real.cwd,
      env: real.claude.env,
      resume: conversation,
    });
  {
    await using own = new JsonLinesChild({
      binary: real.claude.binary,
      args: [
        '-p',
        '--input-format=stream-json',
        '--output-format=stream-json',
        '--verbose',
        `--session-id=${conversation}`,
      ],
      cwd: real.cwd,
      env: real.claude.env,
    });
    own.send({
      type: 'user',
      message: { role: 'user', content: 'remember: 4711' },
      parent_tool_use_id: null,
    });
    await own.line((line: Line) => line['type'] === 'result');
    expect(await resumed()).toMatchObject({
      status: 409,
      body: { code: 'agent_session_in_use', pid: own.pid, command: 'claude' },
    });
  }
  const session = await resumed();
  expect(session.status).toBe(201);
  expect((await daemon.turn(session.body.id, 'recall')).data['text']).toContain('4711');
  await daemon.stop();
});

test('claude: a session has the process that was ready before it; its conversation is its own, and goes on under the next daemon', async () => {
  const { PATH: _, ...env } = real.claude.env;
  const config = `[pool]\nspares = 1\nspareRestMs = 20\n${agentConfig(real)}`;
  await using home = testHome({ config, root: real.root, env });
  const daemon = await TestDaemon.start(home);
  const spare = async (): Promise<number> => {
    for (;;) {
      const { leases } = (await daemon.request('GET', '/v1/status')).body.pool;
      for (const { sessions, pid, reason } of leases)
        if (sessions.length === 0 && pid !== undefined && !String(reason).includes('being started'))
          return pid;
    }
  };
  const open = (on: TestDaemon): Promise<string> => on.session('claude', { cwd: real.cwd });
  const first = await open(daemon);
  await daemon.turn(first, 'remember: the first code is 4711');
  const pid = await spare();
  const second = await open(daemon);
  const turn = await daemon.turn(second, 'remember: the second code is 4712');
  expect(turn.type).toBe('turn.completed');
  const [started] = of(await daemon.events(second), 'runtime.started');
  expect(started?.data).toMatchObject({ kind: 'warm', pid, resumed: false, spare: true });
  await daemon.kill9();
  const next = await TestDaemon.takeOver(home);
  const recalled = String((await next.turn(second, 'recall')).data['text']);
  expect([recalled.includes('4712'), recalled.includes('4711')]).toEqual([true, false]);
  const ids = [];
  for (const session of [first, second]) {
    checkJournal(await next.events(session));
    ids.push((await next.request('GET', `/v1/sessions/${session}`)).body.agentSessionId);
  }
  expect(new Set(ids).size).toBe(2);
  expect(of(await next.events(second), 'runtime.started')).toHaveLength(1);
  await next.stop();
  expect(marked(home.path)).toEqual([]);
});
