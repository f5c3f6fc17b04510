import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { cli } from '../support/cli.ts';
import { checkJournal, gone, TestDaemon, testHome, textOf, type TestHome } from '../support/daemon.ts';
import { identityOf, isAlive, marked, type Identity } from '../support/processes.ts';

/** Two daemons for one home, daemons and keepers that hang, files and sockets of others in their place: one owner, agents go on, nothing foreign is touched. */

function keeperOf(home: TestHome): Identity {
  const { pid, startTime } = JSON.parse(readFileSync(join(home.path, 'keeper.json'), 'utf8'));
  return { pid, startTime };
}

function must(identity: Identity | undefined): Identity {
  if (identity === undefined) throw new Error('the process is gone');
  return identity;
}

const start = (home: TestHome, ...args: string[]) => cli(home, ['start', '--json', '--port', '0', ...args]);

test('a second daemon on the same home: journal_locked, and the first goes on', async () => {
  await using home = testHome();
  const first = await TestDaemon.start(home);
  const session = await first.session('claude');
  await expect(TestDaemon.start(home)).rejects.toMatchObject({
    reported: { code: 'journal_locked', fix: expect.stringMatching(/pilotlight status/) },
  });
  expect((await first.turn(session, 'say still here')).data['text']).toBe('still here');
  const { keeper } = (await first.request('GET', '/v1/status')).body;
  expect(keeper.children).toBe(1);
  await first.stop();
});

test('start when one runs: says so, exit 0, with --foreground too', async () => {
  await using home = testHome();
  const daemon = await TestDaemon.start(home);
  for (const more of [[], ['--foreground']]) {
    const { code, stdout } = await start(home, ...more);
    expect([code, JSON.parse(stdout)]).toMatchObject([0, { url: daemon.url, already: true }]);
  }
  const said = await cli(home, ['start']);
  expect(said.stdout).toContain(`Already running: ${daemon.url}`);
  await daemon.stop();
});

test('four starts at once on a home that is not there yet: all exit 0 with one daemon, one token, one keeper', async () => {
  await using home = testHome();
  const started = await Promise.all([start(home), start(home), start(home), start(home)]);
  expect(started.map(({ code, stderr }) => [code, stderr])).toEqual(started.map(() => [0, '']));
  const urls = started.map(({ stdout }) => JSON.parse(stdout).url);
  expect(new Set(urls).size).toBe(1);
  expect(started.filter(({ stdout }) => JSON.parse(stdout).already === false)).toHaveLength(1);
  const daemon = await TestDaemon.running(home);
  expect((await daemon.request('GET', '/v1/sessions')).status).toBe(200);
  await daemon.stop();
  expect(marked(home.root)).toEqual([]);
});

test('a daemon that hangs: start says who holds the home and what to do; --replace takes over, agent and turn go on', async () => {
  await using home = testHome();
  const first = await TestDaemon.start(home);
  const session = await first.session('claude');
  const gate = join(home.cwd, 'gate');
  const turn = await first.send(session, `say the beginning then hold ${gate} then say the end`);
  await first.follow(session, (event) => event.type === 'message.delta');
  const events = await first.events(session);
  const agent = must(identityOf(events.find((event) => event.type === 'runtime.started')?.data['pid']));
  const hung = first.identity;
  process.kill(hung.pid, 'SIGSTOP');
  const refused = await start(home);
  expect(refused.code).not.toBe(0);
  const { error } = JSON.parse(refused.stdout);
  expect(error.message).toContain(String(hung.pid));
  expect(error.fix).toContain('--replace');
  const replaced = await start(home, '--replace');
  expect([replaced.code, replaced.stderr]).toEqual([0, '']);
  const daemon = await TestDaemon.running(home);
  expect(daemon.identity.pid).toBe(JSON.parse(replaced.stdout).pid);
  expect(isAlive(hung)).toBe(false);
  writeFileSync(gate, '');
  const all = await daemon.ending(session, turn);
  expect(all.at(-1)?.type).toBe('turn.completed');
  expect(textOf(all, turn)).toMatch(/the beginning[^]*the end/);
  checkJournal(all);
  expect((await daemon.turn(session, 'say on')).data['text']).toBe('on');
  expect(isAlive(agent)).toBe(true);
  // The keeper starts a daemon that vanished: that one finds the home taken and leaves.
  await expect
    .poll(() => marked(home.root).filter(({ command }) => command.includes('daemon/main')).length, {
      timeout: 10_000,
    })
    .toBe(1);
  await daemon.stop();
  expect(isAlive(agent)).toBe(false);
});

test('a daemon that is only slow to be seen (SIGSTOP, then SIGCONT) goes on where it was', async () => {
  await using home = testHome();
  const daemon = await TestDaemon.start(home);
  const session = await daemon.session('claude');
  const turn = await daemon.send(session, 'stream 200 words 5 ms');
  await daemon.follow(session, (event) => event.type === 'message.delta');
  process.kill(daemon.identity.pid, 'SIGSTOP');
  await expect(TestDaemon.start(home)).rejects.toMatchObject({ reported: { code: 'journal_locked' } });
  process.kill(daemon.identity.pid, 'SIGCONT');
  const events = await daemon.ending(session, turn);
  expect(events.at(-1)?.type).toBe('turn.completed');
  expect(textOf(events, turn)).toContain('w199');
  checkJournal(events);
  await daemon.stop();
});

/** A process of ours that is no daemon: what a stale file may name after its pid was given to another. */
function stranger(): Identity {
  return must(identityOf(process.pid));
}

test.each([
  ['is torn', () => '{"pid": 1'],
  ['is empty', () => ''],
  ['is of another kind', () => '[1, 2]'],
  [
    'names a process that is gone',
    () => JSON.stringify({ pid: 999_999, startTime: '1', url: 'http://127.0.0.1:9' }),
  ],
  [
    'names a pid that is somebody else now',
    () => JSON.stringify({ ...stranger(), startTime: '1', url: 'http://127.0.0.1:9' }),
  ],
])(
  'daemon.json and keeper.json that %s: start and --replace succeed, nobody else is ended',
  async (_name, text) => {
    await using home = testHome();
    for (const args of [[], ['--replace']]) {
      for (const file of ['daemon.json', 'keeper.json']) writeFileSync(join(home.path, file), text());
      const { code, stderr } = await start(home, ...args);
      expect([code, stderr]).toEqual([0, '']);
      const daemon = await TestDaemon.running(home);
      const session = await daemon.session('claude');
      expect((await daemon.turn(session, 'say hello')).type).toBe('turn.completed');
      await daemon.stop();
    }
  },
);

test('daemon.sock and keeper.sock that are stale, files, links or another process listens on: they make room', async () => {
  await using home = testHome();
  const paths = ['daemon.sock', 'keeper.sock'].map((name) => join(home.path, name));
  const kept = join(home.root, 'not-ours');
  writeFileSync(kept, 'not ours');
  const server = createServer((socket) => socket.end('foreign'));
  const placed: readonly ((path: string) => unknown)[] = [
    (path) => {
      writeFileSync(path, 'a file');
    },
    (path) => {
      symlinkSync(kept, path);
    },
    (path) => new Promise((resolve) => server.listen(path, () => resolve(undefined))),
  ];
  for (const place of placed) {
    for (const path of paths) {
      rmSync(path, { force: true });
      await place(path);
      const daemon = await TestDaemon.start(home);
      const session = await daemon.session('claude');
      expect((await daemon.turn(session, 'say hello')).type).toBe('turn.completed');
      await daemon.stop();
      if (server.listening) await new Promise((resolve) => server.close(resolve));
    }
  }
  expect(readFileSync(kept, 'utf8')).toBe('not ours');
});

test('a folder in the place of daemon.sock: said by its path, with what to do, and nothing stays running', async () => {
  await using home = testHome();
  const path = join(home.path, 'daemon.sock');
  mkdirSync(path);
  writeFileSync(join(path, 'mine'), 'mine');
  const { code, stdout } = await start(home);
  expect(code).toBe(1);
  expect(JSON.parse(stdout).error.message).toContain(path);
  expect(JSON.parse(stdout).error.fix).toMatch(/\S/);
  expect(readFileSync(join(path, 'mine'), 'utf8')).toBe('mine');
  expect(existsSync(join(home.path, 'daemon.json'))).toBe(false);
  rmSync(path, { recursive: true });
  const daemon = await TestDaemon.start(home);
  await daemon.stop();
});

test('a keeper killed while no daemon runs: its agents are ended by the next daemon, their turns end once, sessions go on', async () => {
  await using home = testHome();
  const first = await TestDaemon.start(home);
  const session = await first.session('claude');
  const turn = await first.send(session, 'tool-hang');
  const events = await first.follow(session, (event) => event.type === 'tool.started');
  const agent = must(identityOf(events.find((event) => event.type === 'runtime.started')?.data['pid']));
  const keeper = keeperOf(home);
  await first.term();
  process.kill(keeper.pid, 'SIGKILL');
  await gone(keeper);
  const daemon = await TestDaemon.start(home);
  expect((await daemon.ending(session, turn)).at(-1)?.data['code']).toBe('runtime_lost');
  await gone(agent);
  expect((await daemon.turn(session, 'say on')).data['text']).toBe('on');
  checkJournal(await daemon.events(session));
  await daemon.stop();
  expect(marked(home.root)).toEqual([]);
});

test('a keeper that hangs: the next daemon ends it and what it held, the turn ends once as lost, sessions go on', async () => {
  await using home = testHome();
  const first = await TestDaemon.start(home);
  const session = await first.session('claude');
  const turn = await first.send(session, 'tool-hang');
  await first.follow(session, (event) => event.type === 'tool.started');
  const keeper = keeperOf(home);
  await first.term();
  process.kill(keeper.pid, 'SIGSTOP');
  const daemon = await TestDaemon.start(home);
  expect(isAlive(keeper)).toBe(false);
  expect((await daemon.ending(session, turn)).at(-1)?.data['code']).toBe('runtime_lost');
  expect((await daemon.turn(session, 'say on')).data['text']).toBe('on');
  checkJournal(await daemon.events(session));
  await daemon.stop();
  expect(marked(home.root)).toEqual([]);
});

test('a keeper that stands still under a daemon (SIGSTOP, SIGCONT): the daemon answers meanwhile, the turn goes on', async () => {
  await using home = testHome();
  const daemon = await TestDaemon.start(home);
  const session = await daemon.session('claude');
  const turn = await daemon.send(session, 'stream 300 words 5 ms');
  await daemon.follow(session, (event) => event.type === 'message.delta');
  const keeper = keeperOf(home);
  process.kill(keeper.pid, 'SIGSTOP');
  for (const path of ['/v1/health', '/v1/status', `/v1/sessions/${session}`])
    expect((await daemon.request('GET', path)).status).toBe(200);
  process.kill(keeper.pid, 'SIGCONT');
  const events = await daemon.ending(session, turn);
  expect(events.at(-1)?.type).toBe('turn.completed');
  expect(textOf(events, turn)).toContain('w299');
  checkJournal(events);
  await daemon.stop();
});

test('a keeper of another version with an agent: it is kept, its turn completes; status names both versions', async () => {
  await using home = testHome();
  const first = await TestDaemon.start(home);
  const session = await first.session('claude');
  const gate = join(home.cwd, 'gate');
  const turn = await first.send(session, `hold ${gate} then say done`);
  await first.follow(session, (event) => event.type === 'message.delta');
  const keeper = keeperOf(home);
  await first.term();
  const file = join(home.path, 'keeper.json');
  writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), version: '0.0.1' }));
  const daemon = await TestDaemon.start(home);
  writeFileSync(gate, '');
  expect((await daemon.ending(session, turn)).at(-1)?.type).toBe('turn.completed');
  expect(keeperOf(home)).toEqual(keeper);
  await daemon.stop();
  expect(marked(home.root)).toEqual([]);
});

test('a keeper that speaks another protocol: start says so or replaces it, never both half, and no agent is left', async () => {
  await using home = testHome();
  const first = await TestDaemon.start(home);
  const session = await first.session('claude');
  const turn = await first.send(session, 'tool-hang');
  await first.follow(session, (event) => event.type === 'tool.started');
  await first.term();
  const file = join(home.path, 'keeper.json');
  const about = JSON.parse(readFileSync(file, 'utf8'));
  writeFileSync(file, JSON.stringify({ ...about, protocol: 99 }));
  const { code, stdout } = await start(home);
  expect(code).toBe(1);
  expect(JSON.parse(stdout).error.code).toBe('keeper_lost');
  expect(JSON.parse(stdout).error.message).toContain('99');
  expect(JSON.parse(stdout).error.fix).toMatch(/\S/);
  // Nothing was lost: with what it can speak to, the turn is taken up.
  writeFileSync(file, JSON.stringify(about));
  const daemon = await TestDaemon.start(home);
  await daemon.request('POST', `/v1/sessions/${session}/interrupt`, {});
  expect((await daemon.ending(session, turn)).at(-1)?.type).toBe('turn.interrupted');
  await daemon.stop();
  expect(marked(home.root)).toEqual([]);
});

test('stop with a daemon that hangs says so; with only a keeper it ends what that held', async () => {
  await using home = testHome();
  const daemon = await TestDaemon.start(home);
  const session = await daemon.session('claude');
  const turn = await daemon.send(session, 'tool-hang');
  await daemon.follow(session, (event) => event.type === 'tool.started');
  const { identity } = daemon;
  process.kill(identity.pid, 'SIGSTOP');
  const hung = await cli(home, ['stop', '--json']);
  expect([hung.code, JSON.parse(hung.stdout).error.message]).toEqual([
    3,
    expect.stringContaining(String(identity.pid)),
  ]);
  process.kill(identity.pid, 'SIGCONT');
  await daemon.term();
  const stopped = await cli(home, ['stop', '--json']);
  expect([stopped.code, stopped.stderr]).toEqual([0, '']);
  expect(marked(home.root)).toEqual([]);
  const next = await TestDaemon.start(home);
  const events = await next.events(session);
  checkJournal(events);
  expect(
    events.filter((event) => event.turn === turn && event.type.startsWith('turn.')).at(-1)?.type,
  ).toMatch(/turn\.(failed|interrupted)/);
  await next.stop();
});
