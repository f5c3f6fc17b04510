import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { checkJournal, TestDaemon, testHome, type TestHome } from '../support/daemon.ts';
import { identityOf, marked } from '../support/processes.ts';
import { until } from '../support/until.ts';

/**
 * R21 and R9: in a shared Codex that is started before there is a session for it a conversation is opened, too. It is for the first session, where that would have
 * opened the same one; whoever wants another one opens that.
 */
const agentsDir = new URL('../agents/', import.meta.url).pathname;
const CONFIG = `
[pool]
spares = 1
spareRestMs = 20
[ladder]
termAfterMs = 300
killAfterMs = 300
[agents.codex]
path = "${agentsDir}fake-codex.mjs"
`;

async function closed(daemon: TestDaemon, session: string): Promise<void> {
  await daemon.request('DELETE', `/v1/sessions/${session}`);
}

/** The spare, once a conversation is open in it; another one than `but`. */
async function conversing(daemon: TestDaemon, but?: number): Promise<number> {
  const deadline = performance.now() + 20_000;
  for (;;) {
    const { leases } = (await daemon.request('GET', '/v1/status')).body.pool;
    for (const { pid, reason } of leases)
      if (String(reason).includes('a conversation is open in it') && pid !== but) return pid;
    if (performance.now() > deadline)
      throw new Error(`no conversation was opened: ${JSON.stringify(leases)}`);
  }
}

/** What it answers at once, and then to a message. */
async function created(
  daemon: TestDaemon,
  home: TestHome,
  more: object = {},
): Promise<{ readonly session: string; readonly state: string; readonly pid: number }> {
  const { body } = await daemon.request('POST', '/v1/sessions', { agent: 'codex', cwd: home.cwd, ...more });
  expect((await daemon.turn(body.id, 'say hello')).data['text']).toBe('hello');
  const started = (await daemon.events(body.id)).find(({ type }) => type === 'runtime.started');
  return { session: body.id, state: body.state, pid: Number(started?.data['pid']) };
}

test('a session that is started alike has its conversation with the answer, and speaks in it', async () => {
  await using home = testHome({ config: CONFIG });
  const daemon = await TestDaemon.start(home);
  const first = await created(daemon, home);
  expect(first.state).toBe('starting');
  await closed(daemon, first.session);
  const spare = await conversing(daemon);
  const second = await created(daemon, home);
  expect(second).toMatchObject({ state: 'idle', pid: spare });
  expect((await daemon.turn(second.session, 'recall')).data['text']).toBe('I remember: say hello');
  const events = await daemon.events(second.session);
  expect(events.find(({ type }) => type === 'runtime.started')?.data).toMatchObject({
    kind: 'shared',
    pid: spare,
    resumed: false,
    spare: true,
  });
  const { body } = await daemon.request('GET', `/v1/sessions/${second.session}`);
  expect(body.agentSessionId).toEqual(expect.any(String));
  // It is resumed as any other.
  await daemon.stop();
  const next = await TestDaemon.start(home);
  expect((await next.turn(second.session, 'recall')).data['text']).toContain('say hello');
  for (const { session } of [first, second]) checkJournal(await next.events(session));
  await next.stop();
  expect(marked(home.path)).toEqual([]);
});

test('who comes beside it opens one of their own; the one that nobody took is closed', async () => {
  await using home = testHome({ config: CONFIG });
  const daemon = await TestDaemon.start(home);
  await closed(daemon, (await created(daemon, home)).session);
  const spare = await conversing(daemon);
  const other = await created(daemon, home, { model: 'gpt-5.1' });
  expect(other).toMatchObject({ state: 'starting', pid: spare });
  const beside = await created(daemon, home);
  expect(beside).toMatchObject({ state: 'starting', pid: spare });
  for (const { session } of [other, beside]) {
    expect((await daemon.turn(session, 'recall')).data['text']).toBe('I remember: say hello');
    checkJournal(await daemon.events(session));
  }
  // The process ends with its last session, nobody's conversation or not.
  for (const { session } of [other, beside]) await closed(daemon, session);
  await until(() => identityOf(spare) === undefined);
  await daemon.stop();
  expect(marked(home.path)).toEqual([]);
});

test('another directory, mode, prompt, variable, secret, or file that it reads: another conversation', async () => {
  await using home = testHome({ config: CONFIG });
  const daemon = await TestDaemon.start(home);
  await daemon.request('POST', '/v1/workspaces', { path: home.cwd, trusted: true });
  await closed(daemon, (await created(daemon, home)).session);
  let spare = await conversing(daemon);
  const other = join(home.cwd, 'other');
  mkdirSync(other);
  const others = [
    { cwd: other },
    { mode: 'plan' },
    { systemPrompt: 'Be brief.' },
    { env: { COLOUR: 'red' } },
    { credentials: { githubToken: 'made-up-of-a-session' } },
    { agentOptions: { effort: 'low' } },
  ];
  for (const more of others) {
    const { session, state, pid } = await created(daemon, home, more);
    expect([more, state, pid]).toEqual([more, 'starting', spare]);
    await closed(daemon, session);
    // What was used last is what is wanted.
    await closed(daemon, (await created(daemon, home)).session);
    spare = await conversing(daemon, spare);
  }
  writeFileSync(join(home.cwd, 'AGENTS.md'), 'Say it in Latin.\n');
  expect(await created(daemon, home)).toMatchObject({ state: 'starting', pid: spare });
  await daemon.stop();
});

test('a session whose directory is gone gets no conversation, not even the one that was opened when it was there', async () => {
  await using home = testHome({ config: CONFIG.replace('[pool]', '[pool]\nwarmOnCreate = false') });
  const daemon = await TestDaemon.start(home);
  const cwd = join(home.cwd, 'short-lived');
  mkdirSync(cwd);
  const late = await daemon.session('codex', { cwd });
  await conversing(daemon);
  rmSync(cwd, { recursive: true });
  const turn = await daemon.send(late, 'say hello');
  const ending = (await daemon.ending(late, turn)).at(-1);
  expect(ending).toMatchObject({ type: 'turn.failed', data: { code: 'spawn_failed' } });
  expect(String(ending?.data['message'])).toContain(`its directory ${cwd} does not exist`);
  await daemon.stop();
});

test('kill -9 of the daemon before anybody took it ends it; behind that the message goes on in it, and what its commands left goes with it alone', async () => {
  await using home = testHome({ config: CONFIG });
  const daemon = await TestDaemon.start(home);
  await closed(daemon, (await created(daemon, home)).session);
  const unused = await conversing(daemon);
  await daemon.kill9();
  const next = await TestDaemon.takeOver(home);
  await until(() => identityOf(unused) === undefined);
  await closed(next, (await created(next, home)).session);
  const spare = await conversing(next);
  const { session, state } = await created(next, home);
  expect(state).toBe('idle');
  const beside = await created(next, home);
  expect(beside.pid).toBe(spare);
  const [left, kept] = [await childOf(next, session), await childOf(next, beside.session)];
  const gate = join(home.cwd, 'gate');
  const turn = await next.send(session, `hold ${gate}`);
  await next.kill9();
  const last = await TestDaemon.takeOver(home);
  writeFileSync(gate, '');
  expect((await last.ending(session, turn)).at(-1)?.type).toBe('turn.completed');
  // Those of a session that is still there were not taken for leavings by the daemon that took over.
  expect([left, kept].map((pid) => identityOf(pid) === undefined)).toEqual([false, false]);
  expect((await last.turn(session, 'recall')).data['text']).toContain('say hello');
  await closed(last, session);
  await until(() => identityOf(left) === undefined);
  expect(identityOf(kept)).toBeDefined();
  for (const one of [session, beside.session]) checkJournal(await last.events(one));
  await last.stop();
  expect(marked(home.path)).toEqual([]);
});

async function childOf(daemon: TestDaemon, session: string): Promise<number> {
  const { text } = (await daemon.turn(session, 'child')).data;
  return Number(/child (\d+)/.exec(String(text))?.[1]);
}
