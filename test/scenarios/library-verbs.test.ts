/** The library's verbs are the same on a host in this process, with a journal in memory or in a home, and on a daemon. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { connect, createHost } from '../../src/index.ts';
import type { EventStream, Pilotlight, Session, SessionEvent, StreamItem } from '../../src/protocol/index.ts';
import { TestDaemon, testHome } from '../support/daemon.ts';
import { marked } from '../support/processes.ts';

const agents = new URL('../agents/', import.meta.url).pathname;

interface At extends AsyncDisposable {
  readonly library: Pilotlight;
  readonly cwd: string;
}

async function inProcess(kept: boolean): Promise<At> {
  const home = testHome();
  const config = {
    agents: { claude: { path: `${agents}fake-claude.mjs` }, codex: { path: `${agents}fake-codex.mjs` } },
  };
  const host = await createHost({ env: home.env, ...(kept ? { home: home.path } : { config }) });
  return {
    library: host,
    cwd: home.cwd,
    async [Symbol.asyncDispose]() {
      await host[Symbol.asyncDispose]();
      expect(marked(home.root)).toEqual([]);
      await home[Symbol.asyncDispose]();
    },
  };
}

async function aDaemon(by: 'home' | 'url'): Promise<At> {
  const home = testHome();
  const daemon = await TestDaemon.start(home);
  const library = connect(by === 'home' ? { home: home.path } : { url: daemon.url, token: daemon.token });
  return {
    library,
    cwd: home.cwd,
    async [Symbol.asyncDispose]() {
      await library[Symbol.asyncDispose]();
      await daemon.stop();
      await home[Symbol.asyncDispose]();
    },
  };
}

const KINDS: readonly (readonly [string, () => Promise<At>])[] = [
  ['createHost()', () => inProcess(false)],
  ['createHost({home})', () => inProcess(true)],
  ['connect({home})', () => aDaemon('home')],
  ['connect({url, token})', () => aDaemon('url')],
];

describe.each(KINDS)('%s', (_, open) => {
  async function at(): Promise<At> {
    const made = await open();
    onTestFinished(() => made[Symbol.asyncDispose]());
    return made;
  }

  function create({ library, cwd }: At, more: object = {}): Promise<Session> {
    return library.sessions.create({ agent: 'claude', cwd, ...more });
  }

  test.each(['claude', 'codex'])(
    '%s: a turn is its events up to its ending, and its result',
    async (agent) => {
      const here = await at();
      const session = await create(here, { agent });
      const turn = await session.send('say hello there');
      expect(turn.accepted).toMatchObject({ id: turn.id, sessionId: session.id });
      const events: SessionEvent[] = [];
      for await (const event of turn) events.push(event);
      expect(events.map(({ type }) => type)).toEqual(
        expect.arrayContaining(['turn.queued', 'turn.started', 'message.delta', 'turn.completed']),
      );
      expect(events.at(-1)?.type).toBe('turn.completed');
      expect(await turn.result).toMatchObject({ id: turn.id, state: 'completed', text: 'hello there' });
      expect(await turn.view()).toEqual(await turn.result);
      const known = await session.turn(turn.id);
      expect((await known.result).text).toBe('hello there');
      expect((await session.turns()).items.map(({ id }) => id)).toEqual([turn.id]);
    },
  );

  test('events({after}) of all sessions and of one: each once, from where one has got to', async () => {
    const here = await at();
    const { library } = here;
    const [first, second] = [await create(here), await create(here, { name: 'second' })];
    await (
      await first.send('say one')
    ).result;
    await (
      await second.send('say two')
    ).result;
    const all = await drained(library.events({ follow: false }));
    const live = library.events({ after: 0 });
    expect(await taken(live, all.length)).toEqual(all);
    const position = live.position;
    await live[Symbol.asyncDispose]();
    expect(new Set(all.map((item) => ('session' in item ? item.session : '')))).toEqual(
      new Set([first.id, second.id]),
    );
    await (
      await first.send('say three')
    ).result;
    const rest = await drained(library.events({ after: position, follow: false }));
    expect(rest.length).toBeGreaterThan(0);
    expect(rest.every((item) => 'session' in item && item.session === first.id)).toBe(true);
    const own = await drained(first.events({ follow: false }));
    expect(own).toEqual([...all, ...rest].filter((item) => 'session' in item && item.session === first.id));
    const after = own.length - 3;
    expect(await drained(first.events({ after, follow: false }))).toEqual(own.slice(after));
  });

  test('a stream tells when it is live, and ends quietly by its signal, its disposal and its host', async () => {
    const here = await at();
    const session = await create(here);
    await (
      await session.send('say one')
    ).result;
    const lives: Promise<number>[] = [];
    const open = (signal?: AbortSignal): EventStream => {
      const { promise, resolve } = Promise.withResolvers<number>();
      lives.push(promise);
      return session.events({ signal, onLive: resolve });
    };
    const stop = new AbortController();
    const streams = [open(stop.signal), open(), open()];
    const ends = streams.map((stream) => drained(stream));
    const through = await Promise.all(lives);
    stop.abort();
    await streams[1]?.[Symbol.asyncDispose]();
    await here.library[Symbol.asyncDispose]();
    for (const items of await Promise.all(ends))
      expect(items.slice(0, through[0]).map((item) => ('seq' in item ? item.seq : 0))).toEqual(
        Array.from({ length: through[0] ?? 0 }, (__, i) => i + 1),
      );
  });

  test('a position of another epoch, or beyond the end, is a reset', async () => {
    const here = await at();
    const session = await create(here);
    const [other] = await drained(session.events({ epoch: 'another', after: 1 }));
    expect(other?.type).toBe('stream.reset');
    const [beyond] = await drained(session.events({ after: 1000 }));
    expect(beyond).toMatchObject({ type: 'stream.reset', data: { lastSeq: expect.any(Number) } });
  });

  test('what is asked is answered, once', async () => {
    const here = await at();
    const session = await create(here);
    const turn = await session.send('ask');
    let request = '';
    for await (const event of turn)
      if (event.type === 'permission.requested') {
        request = event.data.id;
        break;
      }
    expect((await session.permissions()).map(({ id }) => id)).toEqual([request]);
    await session.answer(request, { decision: 'allow' });
    await expect(session.answer(request, { decision: 'deny' })).rejects.toMatchObject({
      code: 'already_resolved',
    });
    expect((await turn.result).text).toContain('permission: allowed');
    expect(await session.permissions()).toEqual([]);
  });

  test('interrupted, taken back, changed, closed; a key makes a message one', async () => {
    const here = await at();
    const session = await create(here);
    const gate = join(here.cwd, 'gate');
    const turn = await session.send(`hold ${gate}`, { idempotencyKey: 'k1' });
    expect((await session.send(`hold ${gate}`, { idempotencyKey: 'k1' })).id).toBe(turn.id);
    await expect(session.send('say another', { idempotencyKey: 'k1' })).rejects.toMatchObject({
      code: 'idempotency_mismatch',
    });
    const queued = await session.send('say later', { whenBusy: 'queue' });
    expect((await session.takeBack(queued.id)).state).toBe('interrupted');
    for await (const event of turn) if (event.type === 'message.delta') break;
    await session.interrupt();
    expect((await turn.result).state).toBe('interrupted');
    expect(existsSync(gate)).toBe(false);
    await expect(session.interrupt()).rejects.toMatchObject({ code: 'no_turn' });
    expect(await session.update({ name: 'renamed' })).toMatchObject({ name: 'renamed' });
    writeFileSync(gate, '');
    expect((await session.close()).state).toBe('closed');
    await expect(session.send('say no')).rejects.toMatchObject({ code: 'session_closed' });
    const again = await here.library.sessions.get(session.id);
    expect((await again.view()).name).toBe('renamed');
    expect((await here.library.sessions.list({ state: 'closed' })).items.map(({ id }) => id)).toEqual([
      session.id,
    ]);
    expect((await here.library.sessions.list({ limit: 1, state: undefined })).items).toHaveLength(1);
  });

  test('refusals reject with their code, whatever is asked; nothing throws at once', async () => {
    const here = await at();
    const { library, cwd } = here;
    const session = await create(here);
    const made = { agent: 'claude', cwd };
    const asked: readonly (readonly [string, () => Promise<unknown>])[] = [
      ['not_found', () => library.sessions.get('ses_none')],
      ['unknown_agent', () => library.sessions.create({ ...made, agent: 'nobody' })],
      ['bad_request', () => library.sessions.create({ ...made, name: 7 as unknown as string })],
      ['not_found', () => session.turn('turn_none')],
      ['bad_request', () => library.sessions.create(made, { idempotencyKey: '\n' })],
      ['aborted', () => library.sessions.create(made, { signal: AbortSignal.abort() })],
    ];
    for (const [code, ask] of asked) await expect(ask()).rejects.toMatchObject({ code });
    expect((await library.sessions.list()).items).toHaveLength(1);
    expect((await library.agents()).map(({ id }) => id)).toEqual(expect.arrayContaining(['claude', 'codex']));
    expect((await library.status()).sessions).toBeDefined();
  });
});

test('a host that cannot be made leaves its home free', async () => {
  await using home = testHome();
  const making = createHost({ home: home.path, env: home.env, config: { secrets: { store: 'keyring' } } });
  await expect(making).rejects.toMatchObject({ fix: expect.stringContaining('secret-tool') });
  await using host = await createHost({ home: home.path, env: home.env });
  expect((await host.status()).daemon.home).toBe(home.path);
});

async function drained(stream: EventStream): Promise<StreamItem[]> {
  const items: StreamItem[] = [];
  for await (const item of stream) items.push(item);
  return items;
}

async function taken(stream: EventStream, count: number): Promise<StreamItem[]> {
  const items: StreamItem[] = [];
  for await (const item of stream) {
    items.push(item);
    if (items.length === count) break;
  }
  return items;
}
