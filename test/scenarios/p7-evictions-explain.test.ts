import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { checkJournal, TestDaemon, testHome, type Event, type TestHome } from '../support/daemon.ts';

/**
 * P7: a warm process is ended only when it is really idle, the reason is an event, and the next message brings the session back.
 * And what a full pool does besides: a process for one message, a line, a refusal; nothing waits for ever, nothing is lost with the daemon.
 */
const agentsDir = new URL('../agents/', import.meta.url).pathname;

function homeWith(pool: string, env: Readonly<Record<string, string>> = {}): TestHome {
  const config = `
[pool]
${pool}
[ladder]
termAfterMs = 300
killAfterMs = 300
[agents.claude]
path = "${agentsDir}fake-claude.mjs"
[agents.codex]
path = "${agentsDir}fake-codex.mjs"
`;
  return testHome({ config, env });
}

const of = (events: readonly Event[], type: string): Event[] => events.filter((event) => event.type === type);
const isNotice = (code: string) => (event: Event) => event.type === 'notice' && event.data['code'] === code;

async function pool(daemon: TestDaemon): Promise<{ leases: Record<string, unknown>[]; waiting: number }> {
  return (await daemon.request('GET', '/v1/status')).body.pool;
}

function received(log: string): string[] {
  if (!existsSync(log)) return [];
  const lines = readFileSync(log, 'utf8').split('\n').filter(Boolean);
  return lines.map((line) => (JSON.parse(line) as { text: string }).text);
}

for (const agent of ['claude', 'codex'])
  test(`${agent}: a full pool ends the least recently used idle process, says so, and its session comes back with what it knew`, async () => {
    await using home = homeWith('maxWarm = 2\nwarmOnCreate = false');
    const daemon = await TestDaemon.start(home);
    const sessions = [];
    for (const word of ['one', 'two', 'three']) {
      const session = await daemon.session(agent);
      sessions.push(session);
      expect((await daemon.turn(session, `say ${word}`)).type).toBe('turn.completed');
      expect((await pool(daemon)).leases.length).toBeLessThanOrEqual(2);
    }
    const [first = '', second = '', third = ''] = sessions;
    const events = await daemon.follow(first, (event) => event.type === 'runtime.ended');
    expect(of(events, 'runtime.ended')[0]?.data).toMatchObject({ reason: 'evicted' });
    expect(events.find(isNotice('runtime_evicted'))?.data['message']).toContain(third);
    expect(of(await daemon.events(second), 'runtime.ended')).toEqual([]);
    const view = (await daemon.request('GET', `/v1/sessions/${first}`)).body;
    expect([view.state, view.runtime.kind]).toEqual(['asleep', 'none']);
    expect((await daemon.turn(first, 'recall')).data['text']).toContain('say one');
    const again = of(await daemon.events(first), 'runtime.started').map((event) => event.data);
    expect(again).toMatchObject([
      { kind: 'warm', resumed: false },
      { kind: 'warm', resumed: true },
    ]);
    for (const session of sessions) checkJournal(await daemon.events(session));
    await daemon.stop();
  });

test('with nothing idle a message runs in a process of its own, which ends behind it; events and turn name its kind', async () => {
  await using home = homeWith('maxWarm = 1');
  const daemon = await TestDaemon.start(home);
  const gate = join(home.cwd, 'gate');
  const busy = await daemon.session('claude');
  const held = await daemon.send(busy, `hold ${gate}`);
  await daemon.follow(busy, (event) => event.type === 'message.delta');
  const other = await daemon.session('claude');
  const ending = await daemon.turn(other, 'say beside');
  expect(ending.data).toMatchObject({ text: 'beside' });
  const events = await daemon.follow(other, (event) => event.type === 'runtime.ended');
  expect(of(events, 'runtime.started')[0]?.data['kind']).toBe('per-message');
  expect(of(events, 'turn.started')[0]?.data['runtime'].kind).toBe('per-message');
  expect(of(events, 'runtime.ended')[0]?.data['reason']).toBe('closed');
  expect(events.find(isNotice('pool_per_message'))?.data['message']).toContain(
    'all 1 warm processes are in use',
  );
  const turn = (await daemon.request('GET', `/v1/sessions/${other}/turns/${ending.turn ?? ''}`)).body;
  expect(turn.runtime).toBe('per-message');
  expect((await daemon.turn(other, 'recall')).data['text']).toContain('say beside');
  expect((await pool(daemon)).leases).toMatchObject([
    { sessions: [busy], evictable: false, reason: 'a turn is open' },
  ]);
  writeFileSync(gate, '');
  expect((await daemon.ending(busy, held)).at(-1)?.type).toBe('turn.completed');
  for (const session of [busy, other]) checkJournal(await daemon.events(session));
  await daemon.stop();
});

test('where it shall wait it waits in a line with an end, goes on when a slot is free, and beyond the line it is refused', async () => {
  await using home = homeWith('maxWarm = 1\nwhenFull = "wait"\nmaxWaiting = 2');
  const daemon = await TestDaemon.start(home);
  const gate = join(home.cwd, 'gate');
  const busy = await daemon.session('claude');
  const held = await daemon.send(busy, `hold ${gate}`);
  await daemon.follow(busy, (event) => event.type === 'message.delta');
  const waiting = [await daemon.session('claude'), await daemon.session('codex')];
  const turns = [];
  for (const session of waiting) turns.push(await daemon.send(session, 'say at last'));
  expect((await pool(daemon)).waiting).toBe(2);
  const third = await daemon.session('claude');
  const refused = await daemon.request('POST', `/v1/sessions/${third}/turns`, { input: 'say no' });
  expect([refused.status, refused.body.code]).toEqual([503, 'pool_full']);
  expect(of(await daemon.events(third), 'turn.queued')).toEqual([]);
  writeFileSync(gate, '');
  expect((await daemon.ending(busy, held)).at(-1)?.type).toBe('turn.completed');
  for (const [at, session] of waiting.entries()) {
    const events = await daemon.ending(session, turns[at] ?? '');
    expect(events.at(-1)?.data['text']).toBe('at last');
    expect(events.find(isNotice('pool_waiting'))).toBeDefined();
    expect(of(events, 'runtime.started')[0]?.data['kind']).toBe('warm');
  }
  for (const session of [busy, ...waiting]) checkJournal(await daemon.events(session));
  expect((await pool(daemon)).waiting).toBe(0);
  await daemon.stop();
});

test('who waits is not lost with the daemon: the next one hands out the slots, each message arrives once', async () => {
  await using home = homeWith('maxWarm = 1\nwhenFull = "wait"');
  const first = await TestDaemon.start(home);
  const gate = join(home.cwd, 'gate');
  const env = { FAKE_AGENT_LOG: join(home.cwd, 'received') };
  const busy = await first.session('claude');
  const held = await first.send(busy, `hold ${gate}`);
  await first.follow(busy, (event) => event.type === 'message.delta');
  const waiting = [await first.session('claude', { env }), await first.session('codex', { env })];
  const turns = [];
  for (const [at, session] of waiting.entries())
    turns.push(await first.send(session, `say number ${String(at)}`));
  await first.kill9();
  const daemon = await TestDaemon.takeOver(home);
  writeFileSync(gate, '');
  expect((await daemon.ending(busy, held)).at(-1)?.type).toBe('turn.completed');
  for (const [at, session] of waiting.entries())
    expect((await daemon.ending(session, turns[at] ?? '')).at(-1)?.type).toBe('turn.completed');
  expect(received(env.FAKE_AGENT_LOG).toSorted()).toEqual(['say number 0', 'say number 1']);
  for (const session of [busy, ...waiting]) checkJournal(await daemon.events(session));
  await daemon.stop();
});

test('a message that waits and is interrupted leaves the line; the next one of its session is answered', async () => {
  await using home = homeWith('maxWarm = 1\nwhenFull = "wait"');
  const daemon = await TestDaemon.start(home);
  const gate = join(home.cwd, 'gate');
  const busy = await daemon.session('claude');
  await daemon.send(busy, `hold ${gate}`);
  await daemon.follow(busy, (event) => event.type === 'message.delta');
  const session = await daemon.session('claude');
  const turn = await daemon.send(session, 'say never');
  await daemon.request('POST', `/v1/sessions/${session}/interrupt`, {});
  expect((await daemon.ending(session, turn)).at(-1)?.type).toBe('turn.interrupted');
  const next = await daemon.send(session, 'say after all');
  writeFileSync(gate, '');
  expect((await daemon.ending(session, next)).at(-1)?.data['text']).toBe('after all');
  checkJournal(await daemon.events(session));
  await daemon.stop();
});

test('who waited for too long gets a process of its own', async () => {
  await using home = homeWith('maxWarm = 1\nwhenFull = "wait"\nmaxWaitMs = 200');
  const daemon = await TestDaemon.start(home);
  const busy = await daemon.session('claude');
  const held = await daemon.send(busy, 'tool-hang');
  await daemon.follow(busy, (event) => event.type === 'tool.started');
  const other = await daemon.session('codex');
  expect((await daemon.turn(other, 'say beside')).data['text']).toBe('beside');
  const events = await daemon.follow(other, (event) => event.type === 'runtime.ended');
  expect(of(events, 'runtime.started')[0]?.data['kind']).toBe('per-message');
  await daemon.request('POST', `/v1/sessions/${busy}/interrupt`, {});
  await daemon.ending(busy, held);
  checkJournal(await daemon.events(other));
  await daemon.stop();
});

test('idle for too long: ended with that reason, and the next message brings the session back', async () => {
  await using home = homeWith('idleTimeoutMs = 250');
  const daemon = await TestDaemon.start(home);
  const session = await daemon.session('claude');
  await daemon.turn(session, 'say one');
  const events = await daemon.follow(session, (event) => event.type === 'runtime.ended');
  expect(events.at(-1)?.data['reason']).toBe('idle');
  expect(events.find(isNotice('runtime_idle'))?.data['message']).toContain('pool.idleTimeoutMs');
  expect((await daemon.turn(session, 'recall')).data['text']).toContain('say one');
  checkJournal(await daemon.events(session));
  await daemon.stop();
});

test('a turn that runs holds its process, however long nothing else happens', async () => {
  await using home = homeWith('idleTimeoutMs = 100');
  const daemon = await TestDaemon.start(home);
  const gate = join(home.cwd, 'gate');
  const session = await daemon.session('claude');
  const turn = await daemon.send(session, `hold ${gate}`);
  await daemon.follow(session, (event) => event.type === 'message.delta');
  // Another session goes to sleep meanwhile: the rounds are made.
  const other = await daemon.session('codex');
  await daemon.follow(other, (event) => event.type === 'runtime.ended');
  writeFileSync(gate, '');
  const events = await daemon.ending(session, turn);
  expect(events.at(-1)?.data['text']).toContain('and going on');
  expect(of(events, 'runtime.ended')).toEqual([]);
  await daemon.stop();
});

test('warm processes switched off, or a model that does not run warm: per message', async () => {
  await using home = homeWith('blockedModels = ["haiku"]');
  const daemon = await TestDaemon.start(home);
  const blocked = await daemon.session('claude', { model: 'claude-haiku-x' });
  await daemon.turn(blocked, 'say one');
  const events = await daemon.follow(blocked, (event) => event.type === 'runtime.ended');
  expect(of(events, 'runtime.started').map((event) => event.data['kind'])).toEqual(['per-message']);
  await daemon.stop();
  await using cold = homeWith('', { AGENT_DISABLE_PERSISTENT: '1' });
  const off = await TestDaemon.start(cold);
  const session = await off.session('codex');
  for (const word of ['one', 'two']) expect((await off.turn(session, `say ${word}`)).data['text']).toBe(word);
  const kinds = of(await off.events(session), 'runtime.started').map((event) => event.data['kind']);
  expect(kinds).toEqual(['per-message', 'per-message']);
  checkJournal(await off.events(session));
  await off.stop();
});
