import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { checkJournal, TestDaemon, testHome, type Event, type TestHome } from '../support/daemon.ts';
import { marked } from '../support/processes.ts';
import { until } from '../support/until.ts';

/**
 * R21: a process that is started before there is a session for it. It serves only a session that is started alike, it is in nobody's way, and a
 * daemon that dies leaves neither it nor a message behind.
 */
const agentsDir = new URL('../agents/', import.meta.url).pathname;

function homeWith(
  pool: string,
  more: { readonly path?: string; readonly codex?: string; readonly env?: Record<string, string> } = {},
): TestHome {
  const config = `
[pool]
spares = 1
spareRestMs = 20
${pool}
[ladder]
termAfterMs = 300
killAfterMs = 300
[agents.claude]
path = "${more.path ?? `${agentsDir}fake-claude.mjs`}"
[agents.codex]
path = "${more.codex ?? `${agentsDir}fake-codex.mjs`}"
`;
  return testHome({ config, ...(more.env === undefined ? {} : { env: more.env }) });
}

interface Lease {
  readonly runtime: string;
  readonly sessions: readonly string[];
  readonly pid?: number;
  readonly evictable: boolean;
  readonly reason: string;
}

const of = (events: readonly Event[], type: string): Event[] => events.filter((event) => event.type === type);

async function leases(daemon: TestDaemon): Promise<readonly Lease[]> {
  return (await daemon.request('GET', '/v1/status')).body.pool.leases;
}

const spares = async (daemon: TestDaemon): Promise<Lease[]> =>
  (await leases(daemon)).filter(({ sessions }) => sessions.length === 0);

/** The spare once it is ready; another one than `but`. Asks the daemon again and again: a spare has no session to follow. */
async function ready(daemon: TestDaemon, but?: number): Promise<Lease & { readonly pid: number }> {
  const found: (Lease & { readonly pid: number })[] = [];
  await untilTold(async () => {
    for (const one of await spares(daemon))
      if (one.reason.startsWith('a spare process: ') && one.pid !== undefined && one.pid !== but)
        found.push({ ...one, pid: one.pid });
    return found.length > 0;
  });
  const [one] = found;
  if (one === undefined) throw new Error('there is no spare');
  return one;
}

const gone = (daemon: TestDaemon): Promise<void> =>
  untilTold(async () => (await spares(daemon)).length === 0);

async function untilTold(done: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!(await done())) if (performance.now() > deadline) throw new Error('it did not come to that');
}

const isThere = (pid: number): boolean => existsSync(`/proc/${String(pid)}`);

const startedOf = async (daemon: TestDaemon, session: string): Promise<Record<string, unknown>[]> =>
  of(await daemon.events(session), 'runtime.started').map(({ data }) => data);

test('a session that is started as the one before gets the process that is ready, at once; another one follows', async () => {
  await using home = homeWith('');
  const daemon = await TestDaemon.start(home);
  const first = await daemon.session('claude');
  await daemon.turn(first, 'say one');
  const spare = await ready(daemon);
  expect(spare).toMatchObject({ evictable: true, reason: expect.stringContaining('no session has it yet') });
  expect(spare.pid).not.toBe((await startedOf(daemon, first))[0]?.['pid']);

  const created = await daemon.request('POST', '/v1/sessions', {
    agent: 'claude',
    cwd: home.cwd,
    mode: 'bypass',
  });
  const second: string = created.body.id;
  // It is there with the answer: nothing is waited for.
  expect(created.body).toMatchObject({ state: 'idle', runtime: { kind: 'warm', pid: spare.pid } });
  expect((await daemon.turn(second, 'say two')).data).toMatchObject({ text: 'two' });
  expect(await startedOf(daemon, second)).toMatchObject([
    { kind: 'warm', pid: spare.pid, resumed: false, spare: true, startupMs: expect.any(Number) },
  ]);
  expect((await daemon.turn(second, 'recall')).data['text']).toBe('I remember: say two');

  const next = await ready(daemon, spare.pid);
  expect((await leases(daemon)).length).toBe(3);
  for (const session of [first, second]) checkJournal(await daemon.events(session));
  await daemon.stop();
  expect([spare.pid, next.pid].filter(isThere)).toEqual([]);
  expect(marked(home.path)).toEqual([]);
});

test('what a session is started with tells it from others: model, mode, prompt, directory, variables, rules', async () => {
  await using home = homeWith('maxWarm = 20');
  const daemon = await TestDaemon.start(home);
  await daemon.session('claude');
  const spare = await ready(daemon);
  const other = join(home.cwd, 'other');
  mkdirSync(other);
  const others = [
    { model: 'opus' },
    { mode: 'plan' },
    { systemPrompt: 'Be brief.' },
    { readOnly: {} },
    { cwd: other },
    { env: { COLOUR: 'red' } },
    { permissionPolicy: [{ tool: '*', decision: 'ask' }] },
    { agentOptions: { effort: 'low' } },
    { mcpServers: { tools: { command: 'true' } } },
  ];
  for (const more of others) {
    const session = await daemon.session('claude', more);
    const { body } = await daemon.request('GET', `/v1/sessions/${session}`);
    expect([more, body.runtime.pid]).not.toEqual([more, spare.pid]);
    await daemon.request('DELETE', `/v1/sessions/${session}`);
  }
  await daemon.stop();
});

test('a session that brings secrets neither gets a spare nor leaves one', async () => {
  await using home = homeWith('', { env: { ANTHROPIC_API_KEY: 'made-up-of-the-daemon' } });
  const daemon = await TestDaemon.start(home);
  const secrets = [
    { credentials: { anthropicApiKey: 'made-up-of-a-session' } },
    { env: { ANTHROPIC_API_KEY: 'made-up-of-a-session' } },
    { mcpServers: { tools: { command: 'true', env: { TOKEN: 'made-up-of-a-session' } } } },
  ];
  for (const more of secrets) {
    const session = await daemon.session('claude', more);
    await daemon.turn(session, 'say hello');
    expect(await startedOf(daemon, session)).toMatchObject([{ resumed: false }]);
    await daemon.request('DELETE', `/v1/sessions/${session}`);
  }
  // The daemon's own value is nobody's secret: this one is served, and only from here on is there a spare.
  expect(await spares(daemon)).toEqual([]);
  const env = { ANTHROPIC_API_KEY: 'made-up-of-the-daemon' };
  const plain = await daemon.session('claude', { env });
  const spare = await ready(daemon);
  for (const more of secrets) {
    const session = await daemon.session('claude', more);
    await daemon.turn(session, 'say hello');
    expect((await startedOf(daemon, session))[0]?.['pid']).not.toBe(spare.pid);
    await daemon.request('DELETE', `/v1/sessions/${session}`);
  }
  const next = await daemon.session('claude', { env });
  expect(await startedOf(daemon, next)).toMatchObject([{ pid: spare.pid, spare: true }]);
  for (const session of [plain, next]) checkJournal(await daemon.events(session));
  await daemon.stop();
});

test('a full pool ends the spare before any process of a session, and none is started where there is no room', async () => {
  await using home = homeWith('maxWarm = 2');
  const daemon = await TestDaemon.start(home);
  const first = await daemon.session('claude');
  await daemon.turn(first, 'say one');
  const spare = await ready(daemon);
  const second = await daemon.session('claude', { model: 'opus' });
  expect((await daemon.turn(second, 'say two')).data['text']).toBe('two');
  expect(isThere(spare.pid)).toBe(false);
  expect(of(await daemon.events(first), 'runtime.ended')).toEqual([]);
  expect(await leases(daemon)).toMatchObject([{ sessions: [first] }, { sessions: [second] }]);
  // The one that goes makes room, and not before.
  await daemon.request('DELETE', `/v1/sessions/${second}`);
  await ready(daemon);
  for (const session of [first, second]) checkJournal(await daemon.events(session));
  await daemon.stop();
});

test('a pool that is full with a spare in it has that spare for the session that it fits', async () => {
  await using home = homeWith('maxWarm = 1\nwhenFull = "wait"');
  const daemon = await TestDaemon.start(home);
  const first = await daemon.session('claude');
  await daemon.request('DELETE', `/v1/sessions/${first}`);
  const spare = await ready(daemon);
  const second = await daemon.session('claude');
  expect((await daemon.turn(second, 'say two')).data['text']).toBe('two');
  expect(await startedOf(daemon, second)).toMatchObject([{ pid: spare.pid, spare: true }]);
  await daemon.stop();
});

/** A Codex of this home alone, and how it is updated. */
function ownCodex(home: TestHome): { readonly update: () => void } {
  const path = join(home.root, 'codex.mjs');
  const config = join(home.path, 'config.toml');
  writeFileSync(path, `#!/usr/bin/env node\nawait import('${agentsDir}fake-codex.mjs');\n`);
  chmodSync(path, 0o755);
  writeFileSync(config, readFileSync(config, 'utf8').replace('"CODEX"', `"${path}"`));
  return { update: () => utimesSync(path, new Date(), new Date(Date.now() + 60_000)) };
}

async function closed(daemon: TestDaemon, ...sessions: readonly string[]): Promise<void> {
  for (const session of sessions) await daemon.request('DELETE', `/v1/sessions/${session}`);
}

test('codex: the process that is ready takes whoever comes, as they are; it is not for other keys, not after an update, and ends first', async () => {
  await using home = homeWith('maxWarm = 2', { codex: 'CODEX' });
  const { update } = ownCodex(home);
  const daemon = await TestDaemon.start(home);
  await closed(daemon, await daemon.session('codex'));
  const spare = await ready(daemon);
  expect(spare).toMatchObject({ evictable: true, reason: expect.stringContaining('no session has it yet') });

  // What is the thread's own does not tell them apart; both come at once.
  const two = await Promise.all([
    daemon.session('codex', { model: 'gpt-5.1', mode: 'bypass', env: { COLOUR: 'red' } }),
    daemon.session('codex', { credentials: { githubToken: 'made-up-of-a-session' } }),
  ]);
  const said = await Promise.all(two.map((session, at) => daemon.turn(session, `say ${String(at)}`)));
  expect(said.map(({ data }) => data['text'])).toEqual(['0', '1']);
  const started = (await Promise.all(two.map((session) => startedOf(daemon, session)))).flat();
  expect(started.map(({ kind, pid }) => [kind, pid])).toEqual([
    ['shared', spare.pid],
    ['shared', spare.pid],
  ]);
  expect(started.filter((one) => one['spare'] === true)).toHaveLength(1);
  expect(readFileSync(`/proc/${String(spare.pid)}/environ`, 'utf8')).not.toContain('made-up-of-a-session');
  // There is a seat left: nobody wants another.
  expect((await leases(daemon)).map(({ sessions }) => sessions.toSorted())).toEqual([two.toSorted()]);
  await closed(daemon, ...two);

  const second = await ready(daemon, spare.pid);
  update();
  const fresh = await daemon.session('codex');
  expect((await daemon.turn(fresh, 'say hello')).data['text']).toBe('hello');
  expect((await startedOf(daemon, fresh))[0]?.['pid']).not.toBe(second.pid);
  await until(() => !isThere(second.pid));
  await closed(daemon, fresh);

  // One whose process would be started with a key of its own.
  const third = await ready(daemon, second.pid);
  const keyed = await daemon.session('codex', { credentials: { openaiApiKey: 'made-up-of-a-session' } });
  await daemon.turn(keyed, 'say hello');
  expect(await startedOf(daemon, keyed)).not.toMatchObject([{ pid: third.pid }]);
  expect(isThere(third.pid)).toBe(true);
  const other = await daemon.session('claude');
  await daemon.turn(other, 'say hello');
  expect(isThere(third.pid)).toBe(false);
  expect(of(await daemon.events(keyed), 'runtime.ended')).toEqual([]);
  for (const session of [...two, fresh, keyed, other]) checkJournal(await daemon.events(session));
  await daemon.stop();
  expect(marked(home.path)).toEqual([]);
});

test('codex: kill -9 of the daemon before a session has the process ends it; behind that, it goes on with the message, once', async () => {
  await using home = homeWith('maxWarm = 1\nwhenFull = "wait"');
  const first = await TestDaemon.start(home);
  const env = { FAKE_AGENT_LOG: join(home.cwd, 'received') };
  await closed(first, await first.session('codex', { env }));
  const unused = await ready(first);
  await first.kill9();
  const daemon = await TestDaemon.takeOver(home);
  await until(() => !isThere(unused.pid));
  expect(await leases(daemon)).toEqual([]);
  const alone = await daemon.session('codex', { env });
  await daemon.turn(alone, 'say one');
  expect((await startedOf(daemon, alone))[0]).not.toHaveProperty('spare');
  await closed(daemon, alone);

  // The pool is full with it: who may have it needs no other slot.
  const spare = await ready(daemon);
  const values = ownValues(home);
  expect(values).toHaveLength(1);
  const session = await daemon.session('codex', { env });
  const gate = join(home.cwd, 'gate');
  const turn = await daemon.send(session, `hold ${gate}`);
  await daemon.kill9();
  const last = await TestDaemon.takeOver(home);
  writeFileSync(gate, '');
  expect((await last.ending(session, turn)).at(-1)?.type).toBe('turn.completed');
  expect(await startedOf(last, session)).toMatchObject([{ kind: 'shared', pid: spare.pid, spare: true }]);
  const received = readFileSync(env.FAKE_AGENT_LOG, 'utf8').split('\n').filter(Boolean);
  expect(received.length).toBe(2);
  await closed(last, session, await last.session('codex', { env }));
  // What it was started with went with it.
  await until(() => !ownValues(home).some((name) => values.includes(name)));
  // Codex reads this at its start.
  const former = await ready(last);
  mkdirSync(join(home.root, '.codex'));
  writeFileSync(join(home.root, '.codex', 'auth.json'), '{}');
  const another = await last.session('codex', { env });
  await last.turn(another, 'say two');
  expect((await startedOf(last, another))[0]?.['pid']).not.toBe(former.pid);
  await closed(last, another);
  await ready(last, former.pid);
  for (const one of [alone, session, another]) checkJournal(await last.events(one));
  await last.stop();
  expect(marked(home.path)).toEqual([]);
});

test('an agent that was updated, and one whose files were edited, is started anew; its spare ends unused', async () => {
  await using home = homeWith('', { path: 'CLAUDE' });
  const path = join(home.root, 'claude.mjs');
  const config = join(home.path, 'config.toml');
  writeFileSync(path, `#!/usr/bin/env node\nawait import('${agentsDir}fake-claude.mjs');\n`);
  chmodSync(path, 0o755);
  writeFileSync(config, readFileSync(config, 'utf8').replace('"CLAUDE"', `"${path}"`));
  const daemon = await TestDaemon.start(home);
  const changes = [
    () => utimesSync(path, new Date(), new Date(Date.now() + 60_000)),
    () => writeFileSync(join(home.cwd, 'CLAUDE.md'), 'Be kind.'),
    () => writeFileSync(join(home.cwd, '.mcp.json'), '{"mcpServers": {}}'),
  ];
  await daemon.session('claude');
  for (const change of changes) {
    const spare = await ready(daemon);
    change();
    const session = await daemon.session('claude');
    expect((await daemon.turn(session, 'say hello')).data['text']).toBe('hello');
    expect((await startedOf(daemon, session))[0]?.['pid']).not.toBe(spare.pid);
    await ready(daemon, spare.pid);
    expect(isThere(spare.pid)).toBe(false);
    await daemon.request('DELETE', `/v1/sessions/${session}`);
  }
  await daemon.stop();
});

test('once SessionStart has a hook no process is started before its session, and the one that is there ends', async () => {
  await using home = homeWith('');
  const daemon = await TestDaemon.start(home);
  await daemon.session('claude');
  const spare = await ready(daemon);
  mkdirSync(join(home.cwd, '.claude'));
  const hooks = { SessionStart: [{ hooks: [{ type: 'command', command: 'true' }] }] };
  writeFileSync(join(home.cwd, '.claude', 'settings.json'), JSON.stringify({ hooks }));
  const session = await daemon.session('claude');
  await daemon.turn(session, 'say hello');
  expect((await startedOf(daemon, session))[0]?.['pid']).not.toBe(spare.pid);
  await gone(daemon);
  expect(isThere(spare.pid)).toBe(false);
  await daemon.stop();
});

test('what was not used of late has no spare any more', async () => {
  await using home = homeWith('spareForMs = 1500');
  const daemon = await TestDaemon.start(home);
  const session = await daemon.session('claude');
  const spare = await ready(daemon);
  await gone(daemon);
  expect(isThere(spare.pid)).toBe(false);
  expect(of(await daemon.events(session), 'runtime.ended')).toEqual([]);
  await daemon.stop();
});

test('kill -9 of the daemon with a spare that nobody has: the next one ends it, and what comes then is as ever', async () => {
  await using home = homeWith('');
  const first = await TestDaemon.start(home);
  const session = await first.session('claude');
  await first.turn(session, 'say one');
  const spare = await ready(first);
  await first.kill9();
  const daemon = await TestDaemon.takeOver(home);
  await until(() => !isThere(spare.pid));
  expect((await leases(daemon)).map(({ sessions }) => sessions)).toEqual([[session]]);
  const other = await daemon.session('claude');
  expect((await daemon.turn(other, 'say two')).data['text']).toBe('two');
  expect(await startedOf(daemon, other)).toMatchObject([{ resumed: false }]);
  await ready(daemon);
  for (const one of [session, other]) checkJournal(await daemon.events(one));
  await daemon.stop();
  expect(marked(home.path)).toEqual([]);
});

test('kill -9 of the daemon behind the assignment: the same process has the message, once', async () => {
  await using home = homeWith('');
  const first = await TestDaemon.start(home);
  const env = { FAKE_AGENT_LOG: join(home.cwd, 'received') };
  const like = { env, mcpServers: { tools: { command: 'true' } } };
  await first.session('claude', like);
  const spare = await ready(first);
  const session = await first.session('claude', like);
  const files = join(home.path, 'secrets', `${spare.runtime}.files`);
  const gate = join(home.cwd, 'gate');
  const turn = await first.send(session, `hold ${gate}`);
  await first.kill9();
  const daemon = await TestDaemon.takeOver(home);
  writeFileSync(gate, '');
  expect((await daemon.ending(session, turn)).at(-1)?.type).toBe('turn.completed');
  expect(await startedOf(daemon, session)).toMatchObject([{ pid: spare.pid, spare: true }]);
  expect((await daemon.turn(session, 'recall')).data['text']).toBe(`I remember: hold ${gate}`);
  const received = readFileSync(env.FAKE_AGENT_LOG, 'utf8').split('\n').filter(Boolean);
  expect(received.length).toBe(2);
  checkJournal(await daemon.events(session));
  // The file that names its servers is there as long as the process is.
  expect(existsSync(join(files, 'mcp.json'))).toBe(true);
  await daemon.request('DELETE', `/v1/sessions/${session}`);
  await daemon.follow(session, (event) => event.type === 'runtime.ended');
  await until(() => !existsSync(files));
  await daemon.stop();
  expect(marked(home.path)).toEqual([]);
});

test('a spare that dies while nobody has it is not started again by itself; the next session is served', async () => {
  await using home = homeWith('');
  const daemon = await TestDaemon.start(home);
  await daemon.session('claude');
  const spare = await ready(daemon);
  process.kill(spare.pid, 'SIGKILL');
  await gone(daemon);
  const session = await daemon.session('claude');
  expect((await daemon.turn(session, 'say hello')).data['text']).toBe('hello');
  await ready(daemon, spare.pid);
  await daemon.stop();
});

test('a session whose process went before its first message starts again under another id, or has the spare', async () => {
  await using home = homeWith('maxWarm = 1\nidleTimeoutMs = 100');
  const daemon = await TestDaemon.start(home);
  const session = await daemon.session('claude');
  await daemon.follow(session, (event) => event.type === 'runtime.ended');
  const spare = await ready(daemon);
  expect((await daemon.turn(session, 'say hello')).data['text']).toBe('hello');
  const [before, after] = await startedOf(daemon, session);
  expect([before?.['resumed'], after?.['resumed'], after?.['pid']]).toEqual([false, false, spare.pid]);
  checkJournal(await daemon.events(session));
  await daemon.stop();
});

test('where no process is started with a session, its first message has the spare', async () => {
  await using home = homeWith('warmOnCreate = false');
  const daemon = await TestDaemon.start(home);
  await daemon.session('claude');
  const spare = await ready(daemon);
  const session = await daemon.session('claude');
  expect(await startedOf(daemon, session)).toEqual([]);
  expect((await daemon.turn(session, 'say hello')).data['text']).toBe('hello');
  expect(await startedOf(daemon, session)).toMatchObject([{ pid: spare.pid, spare: true, resumed: false }]);
  checkJournal(await daemon.events(session));
  await daemon.stop();
});

test('of many that come at once one has the spare, and each has an answer of its own', async () => {
  await using home = homeWith('maxWarm = 3');
  const daemon = await TestDaemon.start(home);
  await daemon.session('claude');
  const spare = await ready(daemon);
  const sessions = await Promise.all(Array.from({ length: 4 }, () => daemon.session('claude')));
  const said = await Promise.all(sessions.map((session, at) => daemon.turn(session, `say ${String(at)}`)));
  expect(said.map(({ data }) => data['text'])).toEqual(['0', '1', '2', '3']);
  const pids = await Promise.all(
    sessions.map(async (one) => (await startedOf(daemon, one)).map(({ pid }) => pid)),
  );
  expect(pids.flat().filter((pid) => pid === spare.pid)).toHaveLength(1);
  for (const session of sessions) checkJournal(await daemon.events(session));
  await daemon.stop();
  expect(marked(home.path)).toEqual([]);
});

/** Files of values that belong to processes, not to sessions. */
function ownValues(home: TestHome): string[] {
  return readdirSync(join(home.path, 'secrets')).filter((name) => name.startsWith('rt_'));
}
