import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Owners } from '../../src/agents/index.ts';
import { checkJournal, TestDaemon, testHome, type TestHome, FAKES } from '../support/daemon.ts';

/** R5: one process works on an agent's conversation, across sessions, daemons and homes of a user. */
interface User extends Disposable {
  readonly owners: string;
  /** Where Claude keeps conversations. */
  readonly claude: string;
  home(): TestHome;
}

/** Somebody with several homes: the agents keep their conversations in one place. */
function user(): User {
  const root = mkdtempSync(join(tmpdir(), 'pl-user-'));
  const config = `
[ladder]
termAfterMs = 300
killAfterMs = 300
${FAKES}`;
  return {
    owners: join(root, 'state/pilotlight/owners'),
    claude: join(root, 'claude'),
    home: () =>
      testHome({
        config,
        env: {
          XDG_STATE_HOME: join(root, 'state'),
          CLAUDE_CONFIG_DIR: join(root, 'claude'),
          CODEX_HOME: join(root, 'codex'),
        },
      }),
    [Symbol.dispose]: () => rmSync(root, { recursive: true, force: true, maxRetries: 5 }),
  };
}

async function conversationOf(daemon: TestDaemon, session: string): Promise<string> {
  return (await daemon.request('GET', `/v1/sessions/${session}`)).body.agentSessionId;
}

function resuming(daemon: TestDaemon, agent: string, resume: string): ReturnType<TestDaemon['request']> {
  return daemon.request('POST', '/v1/sessions', { agent, cwd: daemon.home.cwd, mode: 'bypass', resume });
}

for (const agent of ['claude', 'codex'])
  test(`${agent}: a conversation that another session has a process for cannot be resumed: here, from another home, or after a takeover`, async () => {
    using who = user();
    await using first = who.home();
    await using second = who.home();
    let daemon = await TestDaemon.start(first);
    const other = await TestDaemon.start(second);
    const session = await daemon.session(agent);
    expect((await daemon.turn(session, 'say one')).type).toBe('turn.completed');
    const conversation = await conversationOf(daemon, session);
    const { pid } = (await daemon.request('GET', `/v1/sessions/${session}`)).body.runtime;

    expect(await resuming(daemon, agent, conversation)).toMatchObject({
      status: 409,
      body: { code: 'agent_session_in_use', session },
    });
    expect(await resuming(other, agent, conversation)).toMatchObject({
      status: 409,
      body: { code: 'agent_session_in_use', pid, session, home: first.path },
    });
    await daemon.kill9();
    daemon = await TestDaemon.takeOver(first);
    expect((await resuming(other, agent, conversation)).body).toMatchObject({ pid, session });

    await daemon.request('DELETE', `/v1/sessions/${session}`);
    await daemon.follow(session, (event) => event.type === 'runtime.ended');
    const taken = await resuming(other, agent, conversation);
    expect(taken.status).toBe(201);
    expect((await other.turn(taken.body.id, 'say two')).type).toBe('turn.completed');
    await daemon.stop();
    await other.stop();
    expect(readdirSync(who.owners)).toEqual([]);
  });

test('a conversation that went to another home meanwhile: the message fails without a process, and runs when it is free', async () => {
  using who = user();
  await using first = who.home();
  await using second = who.home();
  let daemon = await TestDaemon.start(first);
  const other = await TestDaemon.start(second);
  const session = await daemon.session('claude');
  expect((await daemon.turn(session, 'say one')).type).toBe('turn.completed');
  const conversation = await conversationOf(daemon, session);
  await daemon.stop();
  const guest = (await resuming(other, 'claude', conversation)).body.id;
  expect((await other.turn(guest, 'say two')).type).toBe('turn.completed');

  daemon = await TestDaemon.takeOver(first);
  const refused = await daemon.turn(session, 'say three');
  expect(refused).toMatchObject({
    type: 'turn.failed',
    data: { code: 'resume_failed', effects: 'none' },
  });
  expect(refused.data['message']).toContain(`for session ${guest} of ${second.path}`);
  const events = await daemon.events(session);
  expect(events.filter(({ type }) => type === 'runtime.started')).toHaveLength(1);
  expect(events.some(({ type }) => type === 'runtime.degraded')).toBe(false);

  await other.request('DELETE', `/v1/sessions/${guest}`);
  await other.follow(guest, (event) => event.type === 'runtime.ended');
  expect((await daemon.turn(session, 'say four')).type).toBe('turn.completed');
  checkJournal(await daemon.events(session));
  await daemon.stop();
  await other.stop();
});

test('a conversation that gets another id in its process is held under that, and free under the old one', async () => {
  using who = user();
  await using home = who.home();
  const daemon = await TestDaemon.start(home);
  const session = await daemon.session('claude');
  await daemon.turn(session, 'say one');
  const before = await conversationOf(daemon, session);
  await daemon.turn(session, 'fault new-session');
  const after = await conversationOf(daemon, session);
  expect(after).not.toBe(before);
  const holder = (id: string): unknown =>
    new Owners(who.owners).holderOf({ agent: 'claude', at: who.claude, id });
  expect(holder(after)).toMatchObject({ session, home: home.path });
  expect(holder(before)).toBeUndefined();
  await daemon.stop();
  expect(readdirSync(who.owners)).toEqual([]);
});

test('the same key gives the same session again, although its conversation has a process by then', async () => {
  using who = user();
  await using home = who.home();
  const daemon = await TestDaemon.start(home);
  const first = await daemon.session('claude');
  await daemon.turn(first, 'say one');
  const conversation = await conversationOf(daemon, first);
  await daemon.request('DELETE', `/v1/sessions/${first}`);
  await daemon.follow(first, (event) => event.type === 'runtime.ended');
  const body = { agent: 'claude', cwd: home.cwd, mode: 'bypass', resume: conversation };
  const key = { 'idempotency-key': 'again' };
  const made = await daemon.request('POST', '/v1/sessions', body, key);
  await daemon.follow(made.body.id, (event) => event.type === 'runtime.started');
  const again = await daemon.request('POST', '/v1/sessions', body, key);
  expect(again).toMatchObject({ status: 201, body: { id: made.body.id } });
  await daemon.stop();
});
