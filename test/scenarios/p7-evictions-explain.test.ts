import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { checkJournal, TestDaemon, testHome, type Event, type TestHome, FAKES } from '../support/daemon.ts';

/**
 * P7: a warm process is ended only when it is really idle, the reason is an event, and the next message brings the session back.
 * And what a full pool does besides: a process for one message, a line, a refusal; nothing waits for ever, nothing is lost with the daemon.
 */
function homeWith(pool: string, env: Readonly<Record<string, string>> = {}): TestHome {
  const config = `
[pool]
${pool}
[ladder]
termAfterMs = 300
killAfterMs = 300
${FAKES}`;
  return testHome({ config, env });
}

const of = (events: readonly Event[], type: string): Event[] => events.filter((event) => event.type === type);
const isNotice = (code: string) => (event: Event) => event.type === 'notice' && event.data['code'] === code;

async function pool(
  daemon: TestDaemon,
): Promise<{ leases: Record<string, unknown>[]; waiting: number; ended?: unknown }> {
  return (await daemon.request('GET', '/v1/status')).body.pool;
}

function received(log: string): string[] {
  if (!existsSync(log)) return [];
  const lines = readFileSync(log, 'utf8').split('\n').filter(Boolean);
  return lines.map((line) => (JSON.parse(line) as { text: string }).text);
}

for (const [agent, warm] of [
  ['claude', 'warm'],
  ['codex', 'shared'],
] as const)
  test(`${agent}: a full pool ends the least recently used idle process, says so, and its session comes back with what it knew`, async () => {
    await using home = homeWith('maxWarm = 2\nwarmOnCreate = false');
    const daemon = await TestDaemon.start(home);
    const sessions = [];
    for (const word of ['one', 'two', 'three']) {
      const session = await daemon.session(agent, { domain: word });
      sessions.push(session);
      expect((await daemon.turn(session, `say ${word}`)).type).toBe('turn.completed');
      expect((await pool(daemon)).leases.length).toBeLessThanOrEqual(2);
    }
    const [first = '', second = '', third = ''] = sessions;
    const events = await daemon.follow(first, (event) => event.type === 'runtime.ended');
    expect(of(events, 'runtime.ended')[0]?.data).toMatchObject({ reason: 'evicted' });
    expect(events.find(isNotice('runtime_evicted'))?.data['message']).toContain(third);
    const { pid } = of(events, 'runtime.started')[0]?.data ?? {};
    expect((await pool(daemon)).ended).toMatchObject([
      { sessions: [first], pid, reason: 'evicted', words: `its slot is needed by session ${third}` },
    ]);
    expect(of(await daemon.events(second), 'runtime.ended')).toEqual([]);
    const view = (await daemon.request('GET', `/v1/sessions/${first}`)).body;
    expect([view.state, view.runtime.kind]).toEqual(['asleep', 'none']);
    expect((await daemon.turn(first, 'recall')).data['text']).toContain('say one');
    const again = of(await daemon.events(first), 'runtime.started').map((event) => event.data);
    expect(again).toMatchObject([
      { kind: warm, resumed: false },
      { kind: warm, resumed: true },
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
    expect(of(events, 'runtime.started')[0]?.data['kind']).toBe(at === 0 ? 'warm' : 'shared');
  }
  for (const session of [busy, ...waiting]) checkJournal(await daemon.events(session));
  expect((await pool(daemon)).waiting).toBe(0);
  await daemon.stop();
});

test('processes for one message are so many and no more: the next waits, says so, and goes on with the first place of either kind', async () => {
  await using home = homeWith('maxWarm = 1\nmaxPerMessage = 1\nwarmOnCreate = false');
  const daemon = await TestDaemon.start(home);
  const gates = ['first', 'second'].map((name) => join(home.cwd, name));
  const busy = [];
  for (const gate of gates) {
    const session = await daemon.session('claude');
    const turn = await daemon.send(session, `hold ${gate}`);
    await daemon.follow(session, (event) => event.type === 'message.delta');
    busy.push({ session, turn });
  }
  const third = await daemon.session('codex');
  const turn = await daemon.send(third, 'say at last');
  const [waits] = (await daemon.follow(third, isNotice('pool_waiting'))).slice(-1);
  expect(waits?.data['message']).toBe(
    'The message waits for a slot or a process of its own: all 1 warm processes are in use, none is idle; and the one process for one message (pool.maxPerMessage) is in use',
  );
  expect(await pool(daemon)).toMatchObject({ waiting: 1, perMessage: 1, maxPerMessage: 1 });
  writeFileSync(gates[1] ?? '', '');
  const events = await daemon.ending(third, turn);
  expect(events.at(-1)?.data['text']).toBe('at last');
  expect(of(events, 'runtime.started').map((event) => event.data['kind'])).toEqual(['per-message']);
  writeFileSync(gates[0] ?? '', '');
  for (const { session, turn: held } of busy) {
    expect((await daemon.ending(session, held)).at(-1)?.type).toBe('turn.completed');
    checkJournal(await daemon.events(session));
  }
  await daemon.stop();
});

test('who has waited for long enough while there is no place of any kind: the turn fails, with the bounds named and nothing started', async () => {
  await using home = homeWith('persistent = false\nmaxPerMessage = 1\nmaxWaitMs = 300');
  const daemon = await TestDaemon.start(home);
  const gate = join(home.cwd, 'gate');
  const busy = await daemon.session('claude');
  const held = await daemon.send(busy, `hold ${gate}`);
  await daemon.follow(busy, (event) => event.type === 'message.delta');
  const other = await daemon.session('claude');
  const ending = await daemon.turn(other, 'say no');
  expect(ending).toMatchObject({ type: 'turn.failed', data: { code: 'limit_reached', effects: 'none' } });
  expect(ending.data['message']).toMatch(/pool\.maxWaitMs.*pool\.maxPerMessage/);
  writeFileSync(gate, '');
  expect((await daemon.ending(busy, held)).at(-1)?.type).toBe('turn.completed');
  expect((await daemon.turn(other, 'say yes')).data['text']).toBe('yes');
  const events = await daemon.events(other);
  expect(of(events, 'runtime.started')).toHaveLength(1);
  checkJournal(events);
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

test('a background task holds its process, in words; when it has ended the process is given up', async () => {
  await using home = homeWith('maxWarm = 1\nidleTimeoutMs = 200\nbackgroundRestMs = 300');
  const daemon = await TestDaemon.start(home);
  const gate = join(home.cwd, 'gate');
  const session = await daemon.session('claude');
  expect((await daemon.turn(session, `background ${gate}`)).type).toBe('turn.completed');
  // Another message finds no slot, and rounds are made meanwhile: the process stays.
  const other = await daemon.session('claude');
  await daemon.turn(other, 'say beside');
  const beside = await daemon.follow(other, (event) => event.type === 'runtime.ended');
  expect(of(beside, 'runtime.started')[0]?.data['kind']).toBe('per-message');
  expect((await pool(daemon)).leases).toMatchObject([
    { sessions: [session], evictable: false, reason: 'a background task runs' },
  ]);
  expect(of(await daemon.events(session), 'runtime.ended')).toEqual([]);
  writeFileSync(gate, '');
  const events = await daemon.follow(session, (event) => event.type === 'runtime.ended');
  expect(events.at(-1)?.data['reason']).toBe('idle');
  await daemon.stop();
});

test('a process for one message that leaves a background task goes when that has ended', async () => {
  await using home = homeWith('persistent = false\nbackgroundRestMs = 300');
  const daemon = await TestDaemon.start(home);
  const gate = join(home.cwd, 'gate');
  const session = await daemon.session('claude');
  await daemon.turn(session, `background ${gate}`);
  expect((await daemon.request('GET', `/v1/sessions/${session}`)).body.runtime.kind).toBe('per-message');
  writeFileSync(gate, '');
  const events = await daemon.follow(session, (event) => event.type === 'runtime.ended');
  expect(events.at(-1)?.data['reason']).toBe('closed');
  checkJournal(events);
  await daemon.stop();
});

test('a background task that never ends holds its process only so long', async () => {
  await using home = homeWith('idleTimeoutMs = 200\nbackgroundMaxMs = 300');
  const daemon = await TestDaemon.start(home);
  const session = await daemon.session('claude');
  await daemon.turn(session, 'background never');
  const events = await daemon.follow(session, (event) => event.type === 'runtime.ended');
  expect(events.find(isNotice('runtime_idle'))?.data['message']).toContain(
    'a background task runs for longer',
  );
  await daemon.stop();
});

for (const [agent, warm] of [
  ['claude', 'warm'],
  ['codex', 'shared'],
] as const)
  test(`${agent}: a process that crashes in a turn degrades its session to per message; a person who interrupts heals it`, async () => {
    await using home = homeWith('');
    const daemon = await TestDaemon.start(home);
    const session = await daemon.session(agent);
    expect((await daemon.turn(session, 'die@5\nsay a few words')).type).toBe('turn.failed');
    const degraded = of(await daemon.events(session), 'runtime.degraded')[0]?.data;
    expect(degraded?.['reason']).toContain('exited with code 3');
    const view = (await daemon.request('GET', `/v1/sessions/${session}`)).body;
    expect(view.runtime.degraded).toEqual(degraded);
    expect((await daemon.turn(session, 'say on')).data['text']).toBe('on');
    const turn = await daemon.send(session, 'tool-hang');
    await daemon.follow(session, (event) => event.turn === turn && event.type === 'tool.started');
    await daemon.request('POST', `/v1/sessions/${session}/interrupt`, {});
    await daemon.ending(session, turn);
    expect(of(await daemon.events(session), 'runtime.restored')).toHaveLength(1);
    await daemon.turn(session, 'say warm');
    const events = await daemon.events(session);
    expect(of(events, 'runtime.started').map((event) => event.data['kind'])).toEqual([
      warm,
      'per-message',
      'per-message',
      warm,
    ]);
    checkJournal(events);
    await daemon.stop();
  });

test('a warm start that fails: the same message is tried in a process of its own before its turn fails', async () => {
  await using home = homeWith('warmOnCreate = false');
  const daemon = await TestDaemon.start(home);
  const once = join(home.cwd, 'once');
  const session = await daemon.session('claude', {
    env: { FAKE_FAULT: 'exit-at-start:7', FAKE_FAULT_ONCE: once },
  });
  expect((await daemon.turn(session, 'say on')).data['text']).toBe('on');
  const events = await daemon.events(session);
  expect(of(events, 'runtime.degraded')).toHaveLength(1);
  expect(of(events, 'runtime.started').map((event) => event.data['kind'])).toEqual(['per-message']);
  checkJournal(events);
  await daemon.stop();
});

test('a process that has had its turns is replaced between two of them, by one that resumes', async () => {
  await using home = homeWith('recycleTurns = 2');
  const daemon = await TestDaemon.start(home);
  const session = await daemon.session('claude');
  for (const word of ['one', 'two']) await daemon.turn(session, `say ${word}`);
  const events = await daemon.follow(
    session,
    (event, all) => event.type === 'runtime.started' && of(all, 'runtime.started').length === 2,
  );
  expect(of(events, 'runtime.ended')[0]?.data['reason']).toBe('replaced');
  expect(events.at(-1)?.data).toMatchObject({ kind: 'warm', resumed: true });
  expect((await daemon.turn(session, 'recall')).data['text']).toContain('say two');
  checkJournal(await daemon.events(session));
  await daemon.stop();
});

test('a process that has grown is replaced between turns; one that has grown too far does not end its turn', async () => {
  await using home = homeWith('recycleMb = 200\nkillMb = 500');
  const daemon = await TestDaemon.start(home);
  const session = await daemon.session('claude');
  await daemon.turn(session, 'memory 200 MB');
  const events = await daemon.follow(session, (event) => event.type === 'runtime.ended');
  expect(events.at(-1)?.data['reason']).toBe('replaced');
  expect(events.find(isNotice('runtime_replaced'))?.data['message']).toContain('pool.recycleMb is 200');
  const ending = await daemon.turn(session, 'memory 600 MB then tool-hang');
  expect(ending.data).toMatchObject({ code: 'limit_reached', effects: 'possible' });
  expect(ending.data['message']).toContain('pool.killMb is 500');
  expect((await daemon.turn(session, 'say on')).data['text']).toBe('on');
  expect(of(await daemon.events(session), 'runtime.degraded')).toEqual([]);
  checkJournal(await daemon.events(session));
  await daemon.stop();
});

test('a memory budget: one more process than fits ends the least recently used', async () => {
  await using home = homeWith('memoryBudgetMb = 190\nwarmOnCreate = false');
  const daemon = await TestDaemon.start(home);
  const sessions = [];
  for (const word of ['one', 'two', 'three', 'four']) {
    const session = await daemon.session('claude');
    sessions.push(session);
    await daemon.turn(session, `say ${word}`);
  }
  const events = await daemon.follow(sessions[0] ?? '', (event) => event.type === 'runtime.ended');
  expect(events.at(-1)?.data['reason']).toBe('evicted');
  await daemon.stop();
});

test('killed while it ends one process for another: the next daemon starts what waits, and says the right reason', async () => {
  await using home = homeWith('maxWarm = 1\nwarmOnCreate = false');
  const first = await TestDaemon.start(home);
  // It takes its time to leave: the daemon dies meanwhile.
  const slow = await first.session('codex', { env: { FAKE_FAULT: 'eof-late:1000,ignore-sigterm' } });
  await first.turn(slow, 'say one');
  const env = { FAKE_AGENT_LOG: join(home.cwd, 'received') };
  const other = await first.session('claude', { env });
  const turn = await first.send(other, 'say two');
  await first.kill9();
  const daemon = await TestDaemon.takeOver(home);
  expect((await daemon.ending(other, turn)).at(-1)?.data['text']).toBe('two');
  expect(received(env.FAKE_AGENT_LOG)).toEqual(['say two']);
  const events = await daemon.follow(slow, (event) => event.type === 'runtime.ended');
  expect(events.at(-1)?.data['reason']).toBe('evicted');
  expect((await daemon.turn(slow, 'recall')).data['text']).toContain('say one');
  for (const session of [slow, other]) checkJournal(await daemon.events(session));
  await daemon.stop();
});

test('a keeper that is killed takes its agents and not those who wait for their slots', async () => {
  await using home = homeWith('maxWarm = 1\nwhenFull = "wait"');
  const daemon = await TestDaemon.start(home);
  const busy = await daemon.session('claude');
  const held = await daemon.send(busy, 'tool-hang');
  await daemon.follow(busy, (event) => event.type === 'tool.started');
  const env = { FAKE_AGENT_LOG: join(home.cwd, 'received') };
  const other = await daemon.session('claude', { env });
  const turn = await daemon.send(other, 'say at last');
  const { keeper } = (await daemon.request('GET', '/v1/status')).body;
  process.kill(keeper.pid, 'SIGKILL');
  expect((await daemon.ending(busy, held)).at(-1)?.data['code']).toBe('runtime_lost');
  expect((await daemon.ending(other, turn)).at(-1)?.data['text']).toBe('at last');
  expect(received(env.FAKE_AGENT_LOG)).toEqual(['say at last']);
  expect(of(await daemon.events(busy), 'runtime.degraded')).toEqual([]);
  for (const session of [busy, other]) checkJournal(await daemon.events(session));
  await daemon.stop();
});

test('an open permission request holds its process, in words', async () => {
  await using home = homeWith('maxWarm = 1');
  const daemon = await TestDaemon.start(home);
  const asking = await daemon.session('claude', { mode: 'default' });
  const turn = await daemon.send(asking, 'ask');
  const events = await daemon.follow(asking, (event) => event.type === 'permission.requested');
  const other = await daemon.session('codex');
  await daemon.turn(other, 'say beside');
  expect((await pool(daemon)).leases).toMatchObject([
    { sessions: [asking], evictable: false, reason: 'a permission request is open' },
  ]);
  const request = String(events.at(-1)?.data['id']);
  await daemon.request('POST', `/v1/sessions/${asking}/permissions/${request}`, { decision: 'allow' });
  expect((await daemon.ending(asking, turn)).at(-1)?.data['text']).toContain('permission: allowed');
  for (const session of [asking, other]) checkJournal(await daemon.events(session));
  await daemon.stop();
});

test('messages that queue behind a process of one message each get their own, in order', async () => {
  await using home = homeWith('persistent = false');
  const daemon = await TestDaemon.start(home);
  const session = await daemon.session('claude');
  const turns = [];
  for (const word of ['one', 'two', 'three']) {
    const body = { input: `say ${word}`, whenBusy: 'queue' };
    turns.push((await daemon.request('POST', `/v1/sessions/${session}/turns`, body)).body.id);
  }
  const events = await daemon.ending(session, turns.at(-1));
  expect(of(events, 'turn.completed').map((event) => event.data['text'])).toEqual(['one', 'two', 'three']);
  const pids = of(events, 'turn.started').map((event) => event.data['runtime'].pid);
  expect(new Set(pids).size).toBe(3);
  checkJournal(events);
  await daemon.stop();
});
