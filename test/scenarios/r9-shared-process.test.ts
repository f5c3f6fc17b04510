import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { checkJournal, TestDaemon, testHome, type Event, type TestHome } from '../support/daemon.ts';
import { identityOf, marked, stopped } from '../support/processes.ts';
import { until } from '../support/until.ts';

/**
 * R9: sessions of one domain share a Codex process. What each of them sees is what it would see alone; what becomes of the process becomes of all of them.
 */
const agentsDir = new URL('../agents/', import.meta.url).pathname;

function homeWith(config = '', killAfterMs = 300): TestHome {
  return testHome({
    config: `${config}\n[ladder]\ntermAfterMs = 300\nkillAfterMs = ${String(killAfterMs)}\n[agents.codex]\npath = "${agentsDir}fake-codex.mjs"\n`,
  });
}

const of = (events: readonly Event[], type: string): Event[] => events.filter((event) => event.type === type);

interface Lease {
  readonly sessions: readonly string[];
  readonly evictable: boolean;
  readonly reason: string;
}

async function leases(daemon: TestDaemon): Promise<readonly Lease[]> {
  return (await daemon.request('GET', '/v1/status')).body.pool.leases;
}

/** The pids that a session was served by, in order. */
async function pids(daemon: TestDaemon, session: string): Promise<number[]> {
  return of(await daemon.events(session), 'runtime.started').map((event) => Number(event.data['pid']));
}

async function several(
  daemon: TestDaemon,
  count: number,
  more: Record<string, unknown> = {},
): Promise<string[]> {
  return Promise.all(Array.from({ length: count }, () => daemon.session('codex', more)));
}

async function ready(daemon: TestDaemon, sessions: readonly string[]): Promise<void> {
  for (const session of sessions) await daemon.follow(session, (event) => event.type === 'runtime.started');
}

/** A turn that goes on until the gate is there. */
async function held(daemon: TestDaemon, session: string, gate: string): Promise<string> {
  const turn = await daemon.send(session, `hold ${gate}`);
  await daemon.follow(session, (event) => event.turn === turn && event.type === 'message.delta');
  return turn;
}

test('sessions of one domain are one process and one lease; another label is another process', async () => {
  await using home = homeWith();
  const daemon = await TestDaemon.start(home);
  const sessions = await several(daemon, 4);
  const other = await daemon.session('codex', { domain: 'apart' });
  await ready(daemon, [...sessions, other]);
  const served = (await Promise.all(sessions.map((session) => pids(daemon, session)))).flat();
  expect(new Set(served).size).toBe(1);
  expect(served).not.toContain((await pids(daemon, other))[0]);
  const all = await leases(daemon);
  expect(all.map((lease) => lease.sessions.length).toSorted((a, b) => a - b)).toEqual([1, 4]);
  const view = (await daemon.request('GET', `/v1/sessions/${sessions[0] ?? ''}`)).body;
  expect(view.runtime).toMatchObject({ kind: 'shared', pid: served[0] });
  const texts = await Promise.all(
    sessions.map(async (session, at) => (await daemon.turn(session, `say word ${String(at)}`)).data['text']),
  );
  expect(texts).toEqual(['word 0', 'word 1', 'word 2', 'word 3']);
  for (const session of sessions) checkJournal(await daemon.events(session));
  await daemon.stop();
  expect(marked(home.path)).toEqual([]);
});

test('one of several is closed in its turn: the others go on, the last one ends the process', async () => {
  await using home = homeWith();
  const daemon = await TestDaemon.start(home);
  const [a = '', b = '', c = ''] = await several(daemon, 3);
  await ready(daemon, [a, b, c]);
  const gate = join(home.cwd, 'gate');
  const turns = [await held(daemon, a, join(home.cwd, 'never')), await held(daemon, b, gate)];
  await daemon.request('DELETE', `/v1/sessions/${a}`);
  const closed = await daemon.follow(a, (event) => event.type === 'runtime.ended');
  expect(of(closed, 'turn.interrupted')).toHaveLength(1);
  expect(of(closed, 'runtime.ended')[0]?.data).toMatchObject({ reason: 'closed' });
  writeFileSync(gate, '');
  expect((await daemon.ending(b, turns[1] ?? '')).at(-1)?.type).toBe('turn.completed');
  expect(await pids(daemon, b)).toEqual(await pids(daemon, c));
  expect(of(await daemon.events(b), 'runtime.ended')).toEqual([]);
  await daemon.request('DELETE', `/v1/sessions/${b}`);
  await daemon.request('DELETE', `/v1/sessions/${c}`);
  for (const session of [b, c]) {
    const events = await daemon.follow(session, (event) => event.type === 'runtime.ended');
    checkJournal(events);
  }
  expect(await leases(daemon)).toEqual([]);
  await daemon.stop();
});

test('an interrupt of one leaves the turn of the other alone', async () => {
  await using home = homeWith();
  const daemon = await TestDaemon.start(home);
  const [a = '', b = ''] = await several(daemon, 2);
  const gate = join(home.cwd, 'gate');
  const stopped = await held(daemon, a, join(home.cwd, 'never'));
  const goes = await held(daemon, b, gate);
  await daemon.request('POST', `/v1/sessions/${a}/interrupt`, {});
  expect((await daemon.ending(a, stopped)).at(-1)?.type).toBe('turn.interrupted');
  writeFileSync(gate, '');
  expect((await daemon.ending(b, goes)).at(-1)?.type).toBe('turn.completed');
  expect((await daemon.turn(a, 'say still here')).data['text']).toBe('still here');
  expect(await pids(daemon, a)).toEqual(await pids(daemon, b));
  await daemon.stop();
});

test('a crash ends the running turns; who was idle only loses its process, and comes back to another', async () => {
  await using home = homeWith();
  const daemon = await TestDaemon.start(home);
  const [a = '', b = '', idle = ''] = await several(daemon, 3);
  await ready(daemon, [a, b, idle]);
  await daemon.turn(idle, 'say remember this');
  const turns = [
    await held(daemon, a, join(home.cwd, 'never')),
    await held(daemon, b, join(home.cwd, 'never')),
  ];
  const [pid = 0] = await pids(daemon, a);
  process.kill(pid, 'SIGKILL');
  for (const [at, session] of [a, b].entries()) {
    const ending = (await daemon.ending(session, turns[at] ?? '')).at(-1);
    expect([ending?.type, ending?.data['code']]).toEqual(['turn.failed', 'runtime_exited']);
  }
  const events = await daemon.follow(idle, (event) => event.type === 'runtime.ended');
  expect(of(events, 'runtime.ended')[0]?.data['reason']).toBe('crashed');
  expect(of(events, 'turn.failed')).toEqual([]);
  expect(of(events, 'runtime.degraded')).toEqual([]);
  expect((await daemon.turn(idle, 'recall')).data['text']).toContain('remember this');
  expect(of(await daemon.events(idle), 'runtime.started').map(({ data }) => data['kind'])).toEqual([
    'shared',
    'shared',
  ]);
  for (const session of [a, b, idle]) checkJournal(await daemon.events(session));
  await daemon.stop();
});

test('the daemon is killed while they work, come and go: the next one serves all of them from the same process', async () => {
  await using home = homeWith();
  const first = await TestDaemon.start(home);
  const sessions = await several(first, 3);
  const gate = join(home.cwd, 'gate');
  const turns = [];
  for (const session of sessions) turns.push(await held(first, session, gate));
  // One is on its way in when it dies.
  const coming = await first.session('codex');
  const sent = await first.send(coming, 'say late');
  await first.kill9();
  writeFileSync(gate, '');
  const next = await TestDaemon.takeOver(home);
  for (const [at, session] of sessions.entries()) {
    const events = await next.ending(session, turns[at] ?? '');
    expect(events.at(-1)?.type).toBe('turn.completed');
    checkJournal(events);
  }
  expect((await next.ending(coming, sent)).at(-1)?.data['text']).toBe('late');
  const served = (await Promise.all(sessions.map((session) => pids(next, session)))).flat();
  expect(new Set(served).size).toBe(1);
  expect((await next.turn(sessions[0] ?? '', 'say and on')).data['text']).toBe('and on');
  for (const session of [...sessions, coming]) checkJournal(await next.events(session));
  await next.stop();
  expect(marked(home.path)).toEqual([]);
});

test('an idle shared process is evicted for all of them, each is told, and each comes back', async () => {
  await using home = homeWith('[pool]\nmaxWarm = 1');
  const daemon = await TestDaemon.start(home);
  const sessions = await several(daemon, 2);
  await ready(daemon, sessions);
  for (const session of sessions) await daemon.turn(session, `say i am ${session}`);
  const other = await daemon.session('codex', { domain: 'apart' });
  expect((await daemon.turn(other, 'say mine')).data['text']).toBe('mine');
  for (const session of sessions) {
    const events = await daemon.follow(session, (event) => event.type === 'runtime.ended');
    expect(of(events, 'runtime.ended')[0]?.data['reason']).toBe('evicted');
    expect(events.some((event) => event.data['code'] === 'runtime_evicted')).toBe(true);
  }
  expect((await daemon.turn(sessions[1] ?? '', 'recall')).data['text']).toContain(sessions[1]);
  for (const session of [...sessions, other]) checkJournal(await daemon.events(session));
  await daemon.stop();
});

test('busy with one of several, the process is evicted for none of them', async () => {
  await using home = homeWith('[pool]\nmaxWarm = 1');
  const daemon = await TestDaemon.start(home);
  const [a = '', b = ''] = await several(daemon, 2);
  await ready(daemon, [a, b]);
  const gate = join(home.cwd, 'gate');
  const turn = await held(daemon, a, gate);
  expect((await leases(daemon))[0]).toMatchObject({
    evictable: false,
    reason: 'a turn is open (1 of 2 sessions hold it)',
  });
  const other = await daemon.session('codex', { domain: 'apart' });
  expect((await daemon.turn(other, 'say mine')).data['text']).toBe('mine');
  expect(of(await daemon.events(other), 'runtime.started')[0]?.data['kind']).toBe('per-message');
  writeFileSync(gate, '');
  expect((await daemon.ending(a, turn)).at(-1)?.type).toBe('turn.completed');
  expect(of(await daemon.events(b), 'runtime.ended')).toEqual([]);
  await daemon.stop();
});

test('idle for too long beside one that works: it gives up its seat and comes back to the same process', async () => {
  await using home = homeWith('[pool]\nidleTimeoutMs = 400');
  const daemon = await TestDaemon.start(home);
  const [a = '', idle = ''] = await several(daemon, 2);
  await ready(daemon, [a, idle]);
  await daemon.turn(idle, 'say before');
  const gate = join(home.cwd, 'gate');
  const turn = await held(daemon, a, gate);
  const events = await daemon.follow(idle, (event) => event.type === 'runtime.ended');
  expect(of(events, 'runtime.ended')[0]?.data['reason']).toBe('idle');
  expect((await daemon.turn(idle, 'recall')).data['text']).toContain('say before');
  const served = await pids(daemon, idle);
  expect(served).toEqual([served[0], served[0]]);
  writeFileSync(gate, '');
  expect((await daemon.ending(a, turn)).at(-1)?.type).toBe('turn.completed');
  await daemon.stop();
});

test('a new token for commands is for its session alone: the others keep their process and their turns', async () => {
  await using home = homeWith();
  const daemon = await TestDaemon.start(home);
  const [a = '', b = ''] = await several(daemon, 2, { credentials: { githubToken: 'gh-made-up-one' } });
  await ready(daemon, [a, b]);
  await daemon.turn(b, 'say with the old one');
  const gate = join(home.cwd, 'gate');
  const turn = await held(daemon, a, gate);
  await daemon.request('PATCH', `/v1/sessions/${b}`, { credentials: { githubToken: 'gh-made-up-two' } });
  expect((await daemon.turn(b, 'recall')).data['text']).toContain('with the old one');
  const served = await pids(daemon, b);
  expect(served).toEqual([served[0], served[0]]);
  writeFileSync(gate, '');
  expect((await daemon.ending(a, turn)).at(-1)?.type).toBe('turn.completed');
  expect(await pids(daemon, a)).toEqual([served[0]]);
  await daemon.stop();
});

test('one process each, where that is wanted', async () => {
  await using home = homeWith('[pool]\nsessionsPerProcess = 1');
  const daemon = await TestDaemon.start(home);
  const sessions = await several(daemon, 2);
  await ready(daemon, sessions);
  const served = (await Promise.all(sessions.map((session) => pids(daemon, session)))).flat();
  expect(new Set(served).size).toBe(2);
  await daemon.stop();
});

test('what the commands of a session left running ends with it, and what those of the others did goes on', async () => {
  await using home = homeWith();
  const daemon = await TestDaemon.start(home);
  const [leaves = '', stays = ''] = await several(daemon, 2);
  const [ended, kept] = [await childOf(daemon, leaves), await childOf(daemon, stays)];
  expect((await pids(daemon, leaves))[0]).toBe((await pids(daemon, stays))[0]);
  await daemon.request('DELETE', `/v1/sessions/${leaves}`);
  await until(() => !alive(ended));
  expect(alive(kept)).toBe(true);
  expect((await daemon.turn(stays, 'say still here')).data['text']).toBe('still here');
  await daemon.stop();
  await until(() => !alive(kept));
});

test('the daemon dies while it ends what a session left running: the next one ends it, and nothing of the others', async () => {
  await using home = homeWith('', 60_000);
  const first = await TestDaemon.start(home);
  const [leaves = '', stays = ''] = await several(first, 2);
  const [left, kept] = [await childOf(first, leaves), await childOf(first, stays)];
  // Stopped, it does not end by a friendly signal.
  await stopped(left);
  await first.request('DELETE', `/v1/sessions/${leaves}`);
  await first.follow(leaves, (event) => event.type === 'runtime.ended');
  await first.kill9();
  expect(alive(left)).toBe(true);
  const file = join(home.path, 'config.toml');
  writeFileSync(file, readFileSync(file, 'utf8').replace('killAfterMs = 60000', 'killAfterMs = 300'));
  const next = await TestDaemon.takeOver(home);
  await until(() => !alive(left));
  expect(alive(kept)).toBe(true);
  expect((await next.turn(stays, 'say still here')).data['text']).toBe('still here');
  await next.stop();
});

async function childOf(daemon: TestDaemon, session: string): Promise<number> {
  const { text } = (await daemon.turn(session, 'child')).data;
  return Number(/child (\d+)/.exec(String(text))?.[1]);
}

function alive(pid: number): boolean {
  return identityOf(pid) !== undefined;
}

test('a token that a command printed for a session which waited for its process is in no log', async () => {
  await using home = homeWith(
    `[pool]\nmaxWarm = 1\nwhenFull = "wait"\n[runtime]\ndebug = true\n[credentials.githubToken]\ncommand = ["/bin/echo", "made-up-printed-token"]`,
  );
  const daemon = await TestDaemon.start(home);
  const gate = join(home.cwd, 'gate');
  const own = { credentials: { githubToken: 'made-up-own-token' } };
  const other = await daemon.session('codex', { domain: 'apart', ...own });
  const turn = await held(daemon, other, gate);
  const waits = await daemon.session('codex');
  const sent = await daemon.send(waits, 'say hello');
  await daemon.follow(waits, (event) => event.data['code'] === 'pool_waiting');
  writeFileSync(gate, '');
  expect((await daemon.ending(other, turn)).at(-1)?.type).toBe('turn.completed');
  expect((await daemon.ending(waits, sent)).at(-1)?.data['text']).toBe('hello');
  await daemon.stop();
  const logs = join(home.path, 'logs');
  const written = readdirSync(logs).map((name) => readFileSync(join(logs, name), 'utf8'));
  expect(written.join('')).toContain('thread/start');
  expect(written.join('')).not.toContain('made-up-printed');
});
