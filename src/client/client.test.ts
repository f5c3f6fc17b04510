import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, connect as dial, type AddressInfo, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { admin, anybody, known } from '../../test/support/askers.ts';
import { MemoryHost } from '../../test/support/memory-host.ts';
import { createApi, type ApiOptions, type Listening } from '../api/index.ts';
import type { SessionEvent } from '../protocol/index.ts';
import {
  connect,
  connectHome,
  type ClientBounds,
  type ClientSession,
  type PilotlightClient,
  type StreamItem,
} from './index.ts';

let host: MemoryHost;
let listening: Listening | undefined;
let url: string;
let cleanup: AsyncDisposableStack;

beforeEach(async () => {
  cleanup = new AsyncDisposableStack();
  host = new MemoryHost();
  await serve();
});

afterEach(async () => {
  await cleanup.disposeAsync();
  await listening?.close();
  await host.unfollowed();
});

/** The daemon; called again after `listening.close()` it is the daemon started again, at the same address. */
async function serve(options: Partial<ApiOptions> = {}): Promise<void> {
  const api = createApi({
    host: () => host,
    tokens: known({ right: admin() }),
    version: '7',
    ...options,
  });
  listening = await api.listen({ host: '127.0.0.1', port: listening?.port ?? 0, closeMs: 20 });
  url = `http://127.0.0.1:${listening.port!}`;
}

async function restart(): Promise<void> {
  await listening!.close();
  await serve();
}

function client(bounds: ClientBounds & { at?: string; token?: string } = {}): PilotlightClient {
  const { at = url, token = 'right', ...rest } = bounds;
  return cleanup.use(connect({ url: at, token, ...rest }));
}

function newSession(using = client()): Promise<ClientSession> {
  return using.sessions.create({ agent: 'claude', cwd: '/' });
}

/** A way to the daemon whose connections can be cut, or that cuts what comes back. */
class Cable implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  connections = 0;
  /** Cuts a connection instead of handing on what the daemon answers, so many times. */
  swallow = 0;
  /** Hands nothing on, without a word. */
  mute = false;

  constructor(daemon: string) {
    this.#server = createServer((near) => {
      this.connections += 1;
      const far = dial(daemon);
      for (const socket of [near, far]) {
        this.#sockets.add(socket);
        socket.on('error', () => undefined);
        socket.on('close', () => {
          this.#sockets.delete(socket);
          near.destroy();
          far.destroy();
        });
      }
      near.pipe(far);
      far.on('data', (data) => {
        if (this.mute) return;
        if (this.swallow > 0) {
          this.swallow -= 1;
          near.resetAndDestroy();
        } else near.write(data);
      });
    });
  }

  async open(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return `http://localhost:${(this.#server.address() as AddressInfo).port}`;
  }

  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** A cable is another port: the door must know it. */
async function cable(): Promise<{ cable: Cable; at: string }> {
  await listening!.close();
  const api = createApi({ host: () => host, tokens: anybody, version: '7' });
  const folder = mkdtempSync(join(tmpdir(), 'pl-client-'));
  cleanup.defer(() => {
    rmSync(folder, { recursive: true });
  });
  // Behind the cable any Host will do: only the socket's door is that open, so that it leads there.
  const socket = join(folder, 'daemon.sock');
  listening = await api.listen({ socket, closeMs: 20 });
  const made = new Cable(socket);
  const at = await made.open();
  cleanup.use(made);
  return { cable: made, at };
}

async function take(items: AsyncIterable<StreamItem>, count: number): Promise<StreamItem[]> {
  const taken: StreamItem[] = [];
  for await (const item of items) {
    taken.push(item);
    if (taken.length === count) break;
  }
  return taken;
}

const failureOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'nothing failed',
    (error: unknown) => error,
  );

const seqs = (items: readonly StreamItem[]): number[] =>
  items.flatMap((item) => ('seq' in item ? [item.seq] : []));

describe('calls', () => {
  test('health, status, agents', async () => {
    const daemon = client();
    expect(await daemon.health()).toEqual({ status: 'ok', version: '7' });
    expect((await daemon.status()).pool.maxWarm).toBe(1);
    expect((await daemon.agents()).map(({ id }) => id)).toEqual(['claude']);
  });

  test('sessions', async () => {
    const daemon = client();
    const session = await daemon.sessions.create({ agent: 'claude', cwd: '/', name: 'a' });
    const again = await daemon.sessions.get(session.id);
    expect((await again.view()).name).toBe('a');
    await again.update({ name: 'b' });
    const page = await daemon.sessions.list({ state: 'idle', limit: 1 });
    expect(page.items.map(({ id, name }) => [id, name])).toEqual([[session.id, 'b']]);
    expect((await again.close()).state).toBe('closed');
    expect((await daemon.sessions.list({ state: 'idle' })).items).toEqual([]);
  });

  test('a port that no browser asks is told as what it is', async () => {
    const nobody = cleanup.use(connect({ url: 'http://127.0.0.1:1', token: 'x', retryMs: 0 }));
    await expect(nobody.status()).rejects.toMatchObject({
      code: 'no_daemon',
      message: expect.stringContaining('refuse this port'),
      fix: expect.stringContaining('server.port'),
    });
  });

  test('refusals are errors with their code, what to do, and their facts', async () => {
    const session = await newSession();
    const turn = await session.send('a');
    await expect(session.send('b')).rejects.toMatchObject({
      code: 'turn_in_progress',
      exitCode: 5,
      detail: { turn: turn.id, httpStatus: 409 },
    });
    await expect(client().sessions.get('ses_none')).rejects.toMatchObject({ code: 'not_found' });
    await expect(client({ token: 'wrong' }).status()).rejects.toMatchObject({
      code: 'unauthorized',
      fix: expect.any(String),
    });
  });

  test('a code of a newer daemon is internal and named', async () => {
    const fetch = (): Promise<Response> =>
      Promise.resolve(
        Response.json({ status: 409, code: 'moon_phase', detail: 'Not today' }, { status: 409 }),
      );
    await expect(client({ fetch }).status()).rejects.toMatchObject({
      code: 'internal',
      message: 'Not today',
      detail: { code: 'moon_phase' },
    });
  });

  test('what no daemon of ours answers', async () => {
    const page = (): Promise<Response> => Promise.resolve(new Response('<html>', { status: 502 }));
    await expect(client({ fetch: page }).status()).rejects.toMatchObject({
      code: 'internal',
      detail: { status: 502 },
    });
    const other = (): Promise<Response> => Promise.resolve(Response.json({ hello: 1 }));
    await expect(client({ fetch: other }).status()).rejects.toMatchObject({ code: 'protocol' });
  });

  test('fields of a newer daemon are passed on', async () => {
    const fetch = (): Promise<Response> =>
      Promise.resolve(Response.json({ status: 'ok', version: '9', moon: 'full' }));
    expect(await client({ fetch }).health()).toMatchObject({ moon: 'full' });
  });

  test('nobody there: no_daemon, in bounded time', async () => {
    await listening!.close();
    const daemon = client({ retryMs: 200 });
    await expect(daemon.status()).rejects.toMatchObject({ code: 'no_daemon', exitCode: 3 });
    await expect(newSession(daemon)).rejects.toMatchObject({ code: 'no_daemon' });
  });

  test('no answer in time: timeout', async () => {
    const gate = Promise.withResolvers<void>();
    host.before = () => gate.promise;
    await expect(newSession(client({ timeoutMs: 50 }))).rejects.toMatchObject({ code: 'timeout' });
    gate.resolve();
  });

  test('a caller that leaves, and a client that is disposed: aborted', async () => {
    const gate = Promise.withResolvers<void>();
    host.before = () => gate.promise;
    const leaving = new AbortController();
    const daemon = client();
    const first = failureOf(
      daemon.sessions.create({ agent: 'claude', cwd: '/' }, { signal: leaving.signal }),
    );
    const second = failureOf(newSession(daemon));
    leaving.abort();
    expect(await first).toMatchObject({ code: 'aborted' });
    await daemon[Symbol.asyncDispose]();
    expect(await second).toMatchObject({ code: 'aborted' });
    gate.resolve();
  });

  test.each(['localhost:7433', 'ftp://x', ''])('%j is no address', (text) => {
    expect(() => connect({ url: text, token: 't' })).toThrow('is no http address');
  });
});

describe('a command is sent again under its key', () => {
  test('after 503', async () => {
    const session = await newSession();
    await listening!.close();
    let draining = 2;
    await serve({ draining: () => draining-- > 0 });
    const turn = await session.send('hello');
    expect([turn.accepted.state, draining]).toEqual(['running', -1]);
  });

  test('while the daemon is away', async () => {
    const session = await newSession();
    await listening!.close();
    const sent = session.send('hello');
    await serve();
    expect((await sent).accepted.input).toBe('hello');
  });

  test('when the answer was lost on the way: it has acted once', async () => {
    const way = await cable();
    const session = await newSession(client({ at: way.at }));
    const before = host.accepted;
    way.cable.swallow = 2;
    const turn = await session.send('hello');
    expect([host.accepted - before, way.cable.swallow]).toEqual([1, 0]);
    expect((await session.turns()).items.map(({ id }) => id)).toEqual([turn.id]);
  });

  test('but not after a refusal', async () => {
    let asked = 0;
    const fetch = (input: string, init: RequestInit): Promise<Response> => {
      asked += 1;
      return globalThis.fetch(input, init);
    };
    await expect(client({ fetch }).sessions.create({ agent: 'nobody', cwd: '/' })).rejects.toMatchObject({
      code: 'unknown_agent',
    });
    expect(asked).toBe(1);
  });

  test('a key of the caller is the key', async () => {
    const session = await newSession();
    const first = await session.send('a', { idempotencyKey: 'k' });
    expect((await session.send('a', { idempotencyKey: 'k' })).id).toBe(first.id);
    await expect(session.send('b', { idempotencyKey: 'k' })).rejects.toMatchObject({
      code: 'idempotency_mismatch',
    });
  });
});

describe('events', () => {
  test('replayed, then live', async () => {
    const session = await newSession();
    const live: number[] = [];
    const events = session.events({ onLive: (through) => void live.push(through) });
    const iterator = events[Symbol.asyncIterator]();
    expect((await iterator.next()).value).toMatchObject({ type: 'session.created', seq: 1 });
    const next = iterator.next();
    host.append(session.id, 'notice', { level: 'info', code: 'x', message: 'y' });
    expect((await next).value).toMatchObject({ type: 'notice', seq: 2 });
    expect([live, events.position, events.epoch]).toEqual([[1], 2, 'epoch-1']);
    await events[Symbol.asyncDispose]();
  });

  test('without follow: up to the end, over pages, with what was removed', async () => {
    const session = await newSession();
    for (let n = 0; n < 2500; n += 1)
      host.append(session.id, 'notice', { level: 'info', code: 'x', message: 'y' });
    host.remove(session.id, 10);
    const items = await take(session.events({ follow: false }), Infinity);
    expect(items[0]).toEqual({ type: 'stream.gap', data: { from: 1, to: 10, reason: 'retention' } });
    expect(seqs(items)).toEqual(Array.from({ length: 2491 }, (_, index) => index + 11));
    await expect(take(session.events({ follow: false, after: 9999 }), 1)).rejects.toMatchObject({
      code: 'cursor_ahead',
    });
  });

  test('of all sessions, from a cursor', async () => {
    const daemon = client();
    const first = await newSession(daemon);
    const second = await newSession(daemon);
    const events = daemon.events();
    expect((await take(events, 2)).map((item) => 'session' in item && item.session)).toEqual([
      first.id,
      second.id,
    ]);
    expect(events.position).toBe(2);
    expect((await take(daemon.events({ follow: false, after: 1 }), 9)).length).toBe(1);
  });

  test('each once and in order while the connection breaks and the daemon starts again', async () => {
    const session = await newSession();
    const events = session.events();
    const seen: number[] = [];
    let restarts = 0;
    for await (const item of events) {
      if ('seq' in item) seen.push(item.seq);
      if (seen.length === 60) break;
      if (seen.length % 20 === 10 && restarts < 3) {
        restarts += 1;
        await restart();
      }
      if (seen.length % 5 === 1)
        for (let n = 0; n < 5; n += 1)
          host.append(session.id, 'notice', { level: 'info', code: 'x', message: 'y' });
    }
    expect([seen, restarts]).toEqual([Array.from({ length: 60 }, (_, index) => index + 1), 3]);
  });

  test('each once wherever the connection is cut', async () => {
    const way = await cable();
    const daemon = client({ at: way.at });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 4 }),
        async (cuts) => {
          const session = await newSession(daemon);
          const total = cuts.reduce((sum, cut) => sum + cut, 1);
          const cutAt = new Set(
            cuts.map((_, index) => cuts.slice(0, index + 1).reduce((sum, cut) => sum + cut, 0)),
          );
          const seen: number[] = [];
          for await (const item of session.events()) {
            if ('seq' in item) seen.push(item.seq);
            if (cutAt.has(seen.length)) way.cable.cut();
            if (seen.length === total) break;
            host.append(session.id, 'notice', { level: 'info', code: 'x', message: 'y' });
          }
          expect(seen).toEqual(Array.from({ length: total }, (_, index) => index + 1));
        },
      ),
      { numRuns: 8 },
    );
  });

  test('a connection that is silent is opened again', async () => {
    const way = await cable();
    const session = await newSession(client({ at: way.at }));
    const events = client({ at: way.at, silenceMs: 60 }).session(session.id).events();
    const iterator = events[Symbol.asyncIterator]();
    await iterator.next();
    const before = way.cable.connections;
    way.cable.mute = true;
    const next = iterator.next();
    host.append(session.id, 'notice', { level: 'info', code: 'x', message: 'y' });
    while (way.cable.connections < before + 2) await new Promise((resolve) => setImmediate(resolve));
    way.cable.mute = false;
    expect((await next).value).toMatchObject({ seq: 2 });
    await events[Symbol.asyncDispose]();
  });

  test('a consumer that takes its time is no silence', async () => {
    let connections = 0;
    const fetch = (input: string, init: RequestInit): Promise<Response> => {
      connections += 1;
      return globalThis.fetch(input, init);
    };
    const session = await newSession();
    const events = client({ silenceMs: 250, fetch }).session(session.id).events();
    const seen: number[] = [];
    for await (const item of events) {
      if ('seq' in item) seen.push(item.seq);
      if (seen.length === 4) break;
      await new Promise((resolve) => setTimeout(resolve, 320));
      host.append(session.id, 'notice', { level: 'info', code: 'x', message: 'y' });
    }
    expect([seen, connections]).toEqual([[1, 2, 3, 4], 1]);
  });

  test('what retention removed is an item', async () => {
    const session = await newSession();
    for (let n = 0; n < 4; n += 1)
      host.append(session.id, 'notice', { level: 'info', code: 'x', message: 'y' });
    host.remove(session.id, 3);
    expect(await take(session.events(), 2)).toMatchObject([
      { type: 'stream.gap', data: { from: 1, to: 3, reason: 'retention' } },
      { seq: 4 },
    ]);
  });

  test('a cursor beyond the end is a reset, and the end', async () => {
    const session = await newSession();
    expect(await take(session.events({ after: 9 }), Infinity)).toEqual([
      { type: 'stream.reset', data: { epoch: 'epoch-1', lastSeq: 1 } },
    ]);
  });

  test('a journal that lost its end and grew again is a reset too', async () => {
    const session = await newSession();
    host.append(session.id, 'notice', { level: 'info', code: 'x', message: 'lost' });
    const events = session.events();
    const iterator = events[Symbol.asyncIterator]();
    await iterator.next();
    await iterator.next();
    host.lose(session.id, 2);
    for (const message of ['new', 'newer'])
      host.append(session.id, 'notice', { level: 'info', code: 'x', message });
    const next = iterator.next();
    await restart();
    expect((await next).value).toEqual({ type: 'stream.reset', data: { epoch: 'epoch-2' } });
    expect((await iterator.next()).done).toBe(true);
  });

  test('a refusal is thrown', async () => {
    await expect(take(client().session('ses_none').events(), 1)).rejects.toMatchObject({ code: 'not_found' });
    await expect(take(client({ token: 'wrong' }).events(), 1)).rejects.toMatchObject({
      code: 'unauthorized',
    });
  });

  test('leaving, a signal, disposing: nobody follows any more', async () => {
    const session = await newSession();
    await take(session.events(), 1);
    await host.unfollowed();
    const leaving = new AbortController();
    const onLive = (): void => {
      leaving.abort();
    };
    expect(seqs(await take(session.events({ signal: leaving.signal, onLive }), 9))).toEqual([1]);
    const live = Promise.withResolvers<void>();
    const stream = session.events({
      onLive: () => {
        live.resolve();
      },
    });
    const second = take(stream, 9);
    await live.promise;
    await stream[Symbol.asyncDispose]();
    expect(seqs(await second)).toEqual([1]);
    await host.unfollowed();
    expect(host.followers).toBe(0);
  });
});

describe('a turn', () => {
  test('is its events up to its ending, and its result', async () => {
    const session = await newSession();
    const turn = await session.send([{ type: 'text', text: 'hello' }]);
    host.say(turn.id, 'hi');
    host.append(session.id, 'notice', { level: 'info', code: 'x', message: 'of nobody' });
    host.finish(turn.id, 'hi there');
    const other = await session.send('more');
    const types: string[] = [];
    for await (const event of turn) types.push(event.type);
    expect(types).toEqual(['turn.queued', 'turn.started', 'message.delta', 'turn.completed']);
    expect(await turn.result).toMatchObject({ id: turn.id, state: 'completed', text: 'hi there' });
    host.finish(other.id);
    expect((await other.result).state).toBe('completed');
  });

  test('may be awaited before it ends, and once more', async () => {
    const session = await newSession();
    const turn = await session.send('x');
    const results = [turn.result, turn.result];
    await host.followed();
    await session.interrupt();
    expect((await Promise.all(results)).map(({ state }) => state)).toEqual(['interrupted', 'interrupted']);
    expect(await (await session.turn(turn.id)).result).toMatchObject({ state: 'interrupted' });
  });

  test('has each event once, and its ending, over a daemon that starts again', async () => {
    const session = await newSession();
    const turn = await session.send('x');
    const events: SessionEvent[] = [];
    const result = turn.result;
    for await (const event of turn) {
      events.push(event);
      if (events.length === 2) {
        host.say(turn.id, 'one');
        await restart();
        host.say(turn.id, 'two');
      }
      if (events.length === 4) {
        await listening!.close();
        host.finish(turn.id);
        await serve();
      }
    }
    expect(events.map(({ seq }) => seq)).toEqual([2, 3, 4, 5, 6]);
    expect(events.at(-1)?.type).toBe('turn.completed');
    expect((await result).state).toBe('completed');
  });

  test('whose ending was removed is told, and still has its result', async () => {
    const session = await newSession();
    const turn = await session.send('x');
    host.finish(turn.id, 'kept');
    host.remove(session.id, 4);
    const events: SessionEvent[] = [];
    const iterating = (async () => {
      for await (const event of turn) events.push(event);
    })();
    await expect(iterating).rejects.toMatchObject({ code: 'pruned' });
    expect((await turn.result).text).toBe('kept');
  });

  test('that the journal has lost is an error', async () => {
    const session = await newSession();
    const turn = await session.send('x');
    host.lose(session.id, 1);
    await expect(turn.result).rejects.toMatchObject({ code: 'cursor_ahead' });
  });

  test('is left alone when its follower is disposed', async () => {
    const session = await newSession();
    const turn = await session.send('x');
    const result = turn.result;
    const refused = failureOf(result);
    await host.followed();
    await turn[Symbol.asyncDispose]();
    expect(await refused).toMatchObject({ code: 'aborted' });
    expect((await turn.view()).state).toBe('running');
  });
});

describe('a home', () => {
  test('without a daemon says what to do', async () => {
    await expect(connectHome({ home: join(tmpdir(), 'pl-no-such-home') })).rejects.toMatchObject({
      code: 'no_daemon',
      fix: '`pilotlight start` starts one.',
    });
  });

  test('is found by its files, also when the daemon comes back elsewhere', async () => {
    const home = mkdtempSync(join(tmpdir(), 'pl-home-'));
    cleanup.defer(() => {
      rmSync(home, { recursive: true });
    });
    writeFileSync(join(home, 'token'), 'right\n', { mode: 0o600 });
    writeFileSync(join(home, 'daemon.json'), JSON.stringify({ url, pid: 1 }));
    const daemon = cleanup.use(await connectHome({ home }));
    expect((await daemon.health()).version).toBe('7');
    await listening!.close();
    listening = undefined;
    await serve();
    writeFileSync(join(home, 'daemon.json'), JSON.stringify({ url, pid: 1 }));
    expect((await daemon.status()).pool.maxWarm).toBe(1);
  });
});
