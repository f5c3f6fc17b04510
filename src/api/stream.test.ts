import { once } from 'node:events';
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createParser, type EventSourceMessage } from 'eventsource-parser';
import { anybody } from '../../test/support/askers.ts';
import { MemoryHost } from '../../test/support/memory-host.ts';
import { createApi, type Api, type ApiLimits } from './index.ts';
import { EventStream } from './stream.ts';

let host: MemoryHost;
let api: Api;
let session: string;
const open = new Set<Reader>();

const byTest = { by: { kind: 'client', name: 'test' } } as const;

beforeEach(async () => {
  host = new MemoryHost();
  build();
  session = (await host.create({ agent: 'claude', cwd: '/' }, byTest)).value.id;
});

afterEach(async () => {
  for (const reader of open) await reader.leave();
  await host.unfollowed();
});

function build(limits: Partial<ApiLimits> = {}): void {
  api = createApi({ host: () => host, tokens: anybody, version: '1', limits });
}

/** What one client reads of one stream. */
class Reader {
  readonly messages: EventSourceMessage[] = [];
  readonly comments: string[] = [];
  readonly #body: ReadableStreamDefaultReader<Uint8Array>;
  readonly #parser = createParser({
    onEvent: (message) => this.messages.push(message),
    onComment: (comment) => this.comments.push(comment),
  });
  over = false;

  constructor(response: Response) {
    this.#body = (response.body as ReadableStream<Uint8Array>).getReader();
    open.add(this);
  }

  /** Reads until `enough`, or the end. */
  async until(enough: () => boolean): Promise<void> {
    const decoder = new TextDecoder();
    while (!enough()) {
      const { done, value } = await this.#body.read();
      if (done) {
        this.over = true;
        return;
      }
      this.#parser.feed(decoder.decode(value, { stream: true }));
    }
  }

  async untilLive(): Promise<void> {
    await this.until(() => this.messages.some(({ event }) => event === 'stream.ready'));
  }

  get ids(): (string | undefined)[] {
    return this.messages.map(({ id }) => id);
  }

  get kinds(): (string | undefined)[] {
    return this.messages.map(({ event }) => event);
  }

  async leave(): Promise<void> {
    open.delete(this);
    await this.#body.cancel();
  }
}

async function follow(
  path = `/v1/sessions/${session}/events`,
  headers: Record<string, string> = {},
): Promise<Reader> {
  const response = await api.fetch(
    new Request(`http://127.0.0.1:1${path}`, {
      headers: { authorization: 'Bearer x', accept: 'text/event-stream', ...headers },
    }),
  );
  expect(response.status).toBe(200);
  return new Reader(response);
}

function say(count: number): void {
  for (let n = 0; n < count; n += 1)
    host.append(session, 'notice', { level: 'info', code: 'n', message: String(n) });
}

describe('a stream', () => {
  test('has the headers of one', async () => {
    const response = await api.fetch(
      new Request('http://127.0.0.1:1/v1/events', {
        headers: { authorization: 'Bearer x', accept: 'text/html, Text/Event-Stream;q=0.9' },
      }),
    );
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
      'pilotlight-epoch': 'epoch-1',
    });
    await response.body?.cancel();
  });

  test('replays, says that it is live, then goes on', async () => {
    say(2);
    const reader = await follow();
    await reader.untilLive();
    expect(reader.kinds).toEqual(['session.created', 'notice', 'notice', 'stream.ready']);
    expect(reader.ids).toEqual(['1', '2', '3', undefined]);
    expect(JSON.parse(reader.messages[3]!.data)).toEqual({ epoch: 'epoch-1', through: 3 });
    expect(JSON.parse(reader.messages[1]!.data)).toMatchObject({
      session,
      seq: 2,
      type: 'notice',
      data: { message: '0' },
    });
    say(1);
    await reader.until(() => reader.messages.length === 5);
    expect(reader.ids[4]).toBe('4');
  });

  test('begins behind after, and Last-Event-ID wins', async () => {
    say(4);
    const after = await follow(`/v1/sessions/${session}/events?after=3`);
    await after.untilLive();
    expect(after.ids).toEqual(['4', '5', undefined]);
    const last = await follow(`/v1/sessions/${session}/events?after=1`, { 'last-event-id': '4' });
    await last.untilLive();
    expect(last.ids).toEqual(['5', undefined]);
  });

  test('of all sessions is numbered by the global cursor', async () => {
    const other = (await host.create({ agent: 'claude', cwd: '/' }, byTest)).value.id;
    say(1);
    const reader = await follow('/v1/events?after=1');
    await reader.untilLive();
    expect(reader.ids).toEqual(['2', '3', undefined]);
    expect(reader.messages.slice(0, 2).map(({ data }) => JSON.parse(data))).toMatchObject([
      { session: other, seq: 1 },
      { session, seq: 2 },
    ]);
  });

  test('tells a gap with the id of its end, so that a client that comes back is behind it', async () => {
    say(4);
    host.remove(session, 3);
    const reader = await follow();
    await reader.untilLive();
    expect(reader.kinds.slice(0, 2)).toEqual(['stream.gap', 'notice']);
    expect(reader.ids.slice(0, 2)).toEqual(['3', '4']);
    expect(JSON.parse(reader.messages[0]!.data)).toEqual({ from: 1, to: 3, reason: 'retention' });
  });

  test('resets a cursor beyond the end, and ends', async () => {
    const reader = await follow(`/v1/sessions/${session}/events?after=99`);
    await reader.until(() => false);
    expect(reader.kinds).toEqual(['stream.reset']);
    expect([reader.ids[0], JSON.parse(reader.messages[0]!.data)]).toEqual([
      undefined,
      { epoch: 'epoch-1', lastSeq: 1 },
    ]);
    expect([reader.over, host.followers]).toEqual([true, 0]);
  });

  test('shows life while nothing happens', async () => {
    build({ pingMs: 5 });
    const reader = await follow();
    await reader.until(() => reader.comments.length === 3);
    expect(reader.comments).toEqual(['ping', 'ping', 'ping']);
    say(1);
    await reader.until(() => reader.kinds.includes('notice'));
  });

  test('that the client leaves follows no more', async () => {
    const reader = await follow();
    await reader.untilLive();
    expect(host.followers).toBe(1);
    await reader.leave();
    await host.unfollowed();
  });

  test('whose request is aborted ends', async () => {
    const leaving = new AbortController();
    const response = await api.fetch(
      new Request(`http://127.0.0.1:1/v1/sessions/${session}/events`, {
        signal: leaving.signal,
        headers: { authorization: 'Bearer x', accept: 'text/event-stream' },
      }),
    );
    const reader = new Reader(response);
    await reader.untilLive();
    leaving.abort();
    await reader.until(() => false);
    await host.unfollowed();
    expect(reader.over).toBe(true);
  });

  test('that is not read follows nothing at all', async () => {
    const reader = await follow();
    expect(host.followers).toBe(0);
    await reader.leave();
  });

  test('carries a large event whole, and line breaks of every kind', async () => {
    const message = `${'x'.repeat(3 * 1024 * 1024)}\r\n\u2028\n\r`;
    host.append(session, 'notice', { level: 'info', code: 'x', message });
    const reader = await follow();
    await reader.untilLive();
    expect(JSON.parse(reader.messages[1]!.data).data.message).toBe(message);
  });

  test('read slowly takes from the journal only what it hands on', async () => {
    say(5000);
    const response = await api.fetch(
      new Request(`http://127.0.0.1:1/v1/sessions/${session}/events`, {
        headers: { authorization: 'Bearer x', accept: 'text/event-stream' },
      }),
    );
    const body = (response.body as ReadableStream<Uint8Array>).getReader();
    const first = await body.read();
    expect(first.value!.length).toBeGreaterThan(10_000);
    expect(host.taken).toBeLessThanOrEqual(512);
    await body.cancel();
  });

  test('too many streams are refused, and room comes back', async () => {
    build({ streams: 1 });
    const first = await follow();
    const second = await api.fetch(
      new Request('http://127.0.0.1:1/v1/events', {
        headers: { authorization: 'Bearer x', accept: 'text/event-stream' },
      }),
    );
    expect([second.status, ((await second.json()) as { code: string }).code]).toEqual([429, 'limit']);
    await first.leave();
    await (await follow()).leave();
  });
});

test('poured to a client that has left already it is over at once, and only once', async () => {
  const gone = new ServerResponse(new IncomingMessage(new Socket()));
  const closed = once(gone, 'close');
  gone.destroy();
  await closed;
  let ends = 0;
  const stream = new EventStream({
    follow: (signal) => host.follow(session, 0, signal),
    numbering: 'seq',
    epoch: 'e',
    pingMs: 60_000,
    signals: [],
    cut: undefined,
    onError: (error) => expect.unreachable(String(error)),
    onEnd: () => {
      ends += 1;
    },
  });
  await stream.pour(gone);
  expect([ends, host.followers]).toEqual([1, 0]);
});

test('a client that comes back at any seq sees each event once, in order', async () => {
  const visit = fc.record({ say: fc.nat(40), read: fc.nat(60) });
  await fc.assert(
    fc.asyncProperty(fc.array(visit, { maxLength: 8 }), fc.nat(20), async (visits, before) => {
      host = new MemoryHost();
      build();
      session = (await host.create({ agent: 'claude', cwd: '/' }, byTest)).value.id;
      say(before);
      const seen: number[] = [];
      for (const { say: said, read } of [...visits, { say: 0, read: Infinity }]) {
        const reader = await follow(
          undefined,
          seen.length === 0 ? {} : { 'last-event-id': String(seen.at(-1)) },
        );
        say(said);
        const events = (): number[] => reader.ids.flatMap((id) => (id === undefined ? [] : [Number(id)]));
        await reader.until(() => reader.kinds.includes('stream.ready') || events().length >= read);
        seen.push(...events().slice(0, read));
        await reader.leave();
      }
      const { lastSeq } = host.get(session);
      expect(seen).toEqual(Array.from({ length: lastSeq }, (_, index) => index + 1));
    }),
  );
});
