import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import type { TestDaemon } from '../support/daemon.ts';
import { type TestHome } from '../support/daemon.ts';
import { daemonForAll } from '../support/for-all.ts';
import { openRaw, readRaw, requestText, sendRaw, type RawAnswer } from '../support/raw.ts';

/** What is full says so: 429 `limit`, what it is, what to do; and gives way again. */
let home: TestHome;
let daemon: TestDaemon;

const CONNECTIONS = 12;

daemonForAll(
  (made) => {
    ({ home, daemon } = made);
  },
  () => {
    const agents = new URL('../agents/', import.meta.url).pathname;
    return {
      config: `[limits]
connections = ${String(CONNECTIONS)}
requests = 4
requestsPerToken = 3
streams = 4
streamsPerToken = 3
sessions = 2
bodyMb = 0.01
[pool]
warmOnCreate = false
[agents.claude]
path = "${agents}fake-claude.mjs"
`,
    };
  },
);

const port = (): number => Number(new URL(daemon.url).port);
const lines = (token: string, more: readonly string[] = []): string[] => [
  `Host: 127.0.0.1:${String(port())}`,
  `Authorization: Bearer ${token}`,
  ...more,
];

async function newToken(): Promise<string> {
  return (await daemon.request('POST', '/v1/tokens', { scopes: ['admin'] })).body.token;
}

function problemOf({ status, body }: RawAnswer): unknown[] {
  const { code, detail, fix } = JSON.parse(body);
  return [status, code, detail, fix];
}

/** A stream that has begun. */
async function stream(token: string): Promise<{ answer: string; close: () => Promise<void> }> {
  const socket = openRaw(port());
  socket.write(requestText('GET /v1/events', lines(token, ['Accept: text/event-stream'])));
  const [chunk] = await once(socket, 'data');
  const close = async (): Promise<void> => {
    socket.destroy();
    await once(socket, 'close');
  };
  return { answer: String(chunk), close };
}

async function until(done: () => Promise<boolean>): Promise<void> {
  while (!(await done()));
}

test('event streams of one token, and of all', async () => {
  const other = await newToken();
  const open = [];
  for (let n = 0; n < 3; n += 1) open.push(await stream(daemon.token));
  const fourth = await sendRaw(
    port(),
    requestText('GET /v1/events', lines(daemon.token, ['Accept: text/event-stream', 'Connection: close'])),
  );
  expect(problemOf(fourth)).toEqual([
    429,
    'limit',
    '3 event streams are open with this token',
    expect.stringContaining('one stream of /v1/events carries every session'),
  ]);
  open.push(await stream(other));
  expect((await stream(other)).answer).toContain('4 event streams are open');
  for (const one of open) await one.close();
  await until(async () => {
    const again = await stream(daemon.token);
    await again.close();
    return again.answer.includes('200 OK');
  });
});

test('requests that are being answered', async () => {
  const sockets = [];
  for (let n = 0; n < 3; n += 1) {
    const socket = openRaw(port());
    const head = lines(daemon.token, ['Content-Type: application/json', 'Content-Length: 50']);
    // The body is on its way.
    socket.write(requestText('POST /v1/sessions', head, '{'));
    sockets.push(socket);
  }
  const ask = (): Promise<RawAnswer> =>
    sendRaw(port(), requestText('GET /v1/status', lines(daemon.token, ['Connection: close'])));
  await until(async () => (await ask()).status === 429);
  const answer = await ask();
  expect(problemOf(answer)).toEqual([
    429,
    'limit',
    '3 requests are being answered with this token',
    'Ask again in a moment.',
  ]);
  expect(answer.head.toLowerCase()).toContain('retry-after: 1');
  expect(
    (await sendRaw(port(), requestText('GET /v1/health', lines('x', ['Connection: close'])))).status,
  ).toBe(200);
  for (const socket of sockets) socket.destroy();
  await until(async () => (await ask()).status === 200);
});

test('sessions, counted together when they come together; a repeated key is no new one', async () => {
  const body = { agent: 'claude', cwd: home.cwd };
  const keyed = { 'idempotency-key': 'first' };
  const first = await daemon.request('POST', '/v1/sessions', body, keyed);
  expect(first.status).toBe(201);
  const both = await Promise.all([1, 2].map(() => daemon.request('POST', '/v1/sessions', body)));
  expect(new Set(both.map(({ status }) => status))).toEqual(new Set([201, 429]));
  const refused = both.find(({ status }) => status === 429)?.body;
  expect(refused).toMatchObject({ code: 'limit', detail: '2 sessions are open', most: 2 });
  expect(refused.fix).toContain('limits.sessions');
  expect((await daemon.request('POST', '/v1/sessions', body, keyed)).body.id).toBe(first.body.id);
  await daemon.request('DELETE', `/v1/sessions/${String(first.body.id)}`);
  expect((await daemon.request('POST', '/v1/sessions', body)).status).toBe(201);
});

test('bodies', async () => {
  const { status, body } = await daemon.request('POST', '/v1/sessions', { name: 'x'.repeat(20_000) });
  expect([status, body.code, body.mostBytes]).toEqual([413, 'too_large', 10_485]);
});

test('connections: one too many is told so, many too many are dropped, and the rest goes on', async () => {
  const held = await Promise.all(
    Array.from({ length: CONNECTIONS }, async () => {
      const socket = connect(port(), '127.0.0.1');
      socket.on('error', () => undefined);
      await once(socket, 'connect');
      return socket;
    }),
  );
  const ask = (): Promise<RawAnswer> =>
    sendRaw(port(), requestText('GET /v1/health', lines('x', ['Connection: close'])));
  await until(async () => (await ask()).status === 429);
  expect(problemOf(await ask())).toEqual([
    429,
    'limit',
    `${String(CONNECTIONS)} connections are open`,
    expect.stringContaining('limits.connections'),
  ]);
  const flood = Array.from({ length: 200 }, () => openRaw(port()));
  const dropped = await Promise.race(flood.map(async (socket) => (await readRaw(socket)).text));
  expect(dropped).toBe('');
  for (const socket of [...held, ...flood]) socket.destroy();
  await until(async () => (await ask().catch(() => undefined))?.status === 200);
});
