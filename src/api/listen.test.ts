import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { createServer, request, type IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { admin, anybody, known } from '../../test/support/askers.ts';
import { MemoryHost } from '../../test/support/memory-host.ts';
import { createApi, type Api, type Listening } from './index.ts';

let host: MemoryHost;
let api: Api;
let listening: Listening[];
let sockets: Socket[];
let folder: string;

beforeEach(() => {
  host = new MemoryHost();
  api = createApi({
    host: () => host,
    tokens: known({ right: admin() }),
    version: '1',
  });
  listening = [];
  sockets = [];
  folder = mkdtempSync(join(tmpdir(), 'pl-api-'));
});

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await Promise.all(listening.map((one) => one.close()));
  rmSync(folder, { recursive: true });
  await host.unfollowed();
});

async function tcp(): Promise<number> {
  const one = await api.listen({ host: '127.0.0.1', port: 0 });
  listening.push(one);
  return one.port!;
}

async function unix(): Promise<string> {
  const socket = join(folder, 'daemon.sock');
  listening.push(await api.listen({ socket }));
  return socket;
}

const authorization = 'Bearer right';

/** Sends bytes as they are and reads until `enough`, or the end. */
async function raw(
  at: number | string,
  text: string,
  enough: (answer: string) => boolean = () => false,
): Promise<string> {
  const socket = typeof at === 'number' ? connect(at, '127.0.0.1') : connect(at);
  sockets.push(socket);
  socket.write(text);
  let answer = '';
  for await (const chunk of socket) {
    answer += String(chunk);
    if (enough(answer)) break;
  }
  socket.destroy();
  return answer;
}

function get(port: number, path: string, lines: readonly string[] = []): Promise<string> {
  return raw(port, [`GET ${path} HTTP/1.1`, ...lines, 'Connection: close', '', ''].join('\r\n'));
}

describe('TCP', () => {
  test('answers on a free port', async () => {
    const port = await tcp();
    const response = await fetch(`http://127.0.0.1:${port}/v1/sessions`, { headers: { authorization } });
    expect(await response.json()).toEqual({ items: [] });
  });

  test('takes a body and gives an answer', async () => {
    const port = await tcp();
    const response = await fetch(`http://localhost:${port}/v1/sessions`, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/json' },
      body: JSON.stringify({ agent: 'claude', cwd: '/' }),
    });
    expect([response.status, ((await response.json()) as { agent: string }).agent]).toEqual([201, 'claude']);
  });

  test('a taken port is told as the system tells it', async () => {
    const other = createServer();
    other.listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as { port: number };
    await expect(api.listen({ host: '127.0.0.1', port })).rejects.toMatchObject({ code: 'EADDRINUSE', port });
    other.close();
  });

  test.each([
    ['another name', ['Host: evil.example']],
    ['no name', []],
    ['an empty name', ['Host:']],
    ['what is no name', ['Host: a b/c\\@d']],
    ['the right name and another port', ['Host: localhost:1']],
  ])('%s as Host is 403, also for health', async (_name, lines) => {
    const port = await tcp();
    const answer = await get(port, '/v1/health', lines);
    expect(answer).toMatch(/^HTTP\/1\.1 403 /);
    expect(answer).toContain('"code":"forbidden_host"');
    expect(answer).toContain('application/problem+json');
  });

  test('an address that cannot be read, and bytes that are no HTTP, are problems too', async () => {
    const port = await tcp();
    const own = `Host: 127.0.0.1:${port}`;
    expect(await get(port, '/v1\\health', [own])).toMatch(
      /^HTTP\/1\.1 400 [^]*problem\+json[^]*"code":"bad_request"/,
    );
    expect(await raw(port, 'HELLO\r\n\r\n')).toMatch(
      /^HTTP\/1\.1 400 [^]*problem\+json[^]*"code":"bad_request"/,
    );
  });

  test.each([
    ['an expectation that nobody knows', 'GET /v1/health HTTP/1.1\r\nExpect: wonders', 417],
    ['a tunnel', 'CONNECT 127.0.0.1:80 HTTP/1.1', 405],
  ])('%s is refused with a problem, too', async (_name, head, status) => {
    const port = await tcp();
    const answer = await raw(port, `${head}\r\nHost: 127.0.0.1:${port}\r\nConnection: close\r\n\r\n`);
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} [^]*problem\\+json[^]*"status":${status}`));
    expect(answer).toMatch(/"code":"bad_request".*"fix":"\w/);
  });

  test('dots in a path lead past no check', async () => {
    const port = await tcp();
    const own = `Host: 127.0.0.1:${port}`;
    expect(await get(port, '/v1/health/../status', [own])).toMatch(/^HTTP\/1\.1 401 /);
    expect(await get(port, '/v1/%2e%2e/v1/status', [own])).toMatch(/^HTTP\/1\.1 401 /);
    expect(await get(port, `http://127.0.0.1:${port}/v1/status`, [own])).toMatch(/^HTTP\/1\.1 401 /);
  });

  test.each([
    ['declared', (size: number) => [`Content-Length: ${size}`]],
    ['counted', () => ['Transfer-Encoding: chunked']],
  ])('a body over 10 MiB, %s, is 413 before it is there', async (kind, lengthOf) => {
    const port = await tcp();
    const size = 40 * 1024 * 1024;
    const sending = request({
      port,
      host: '127.0.0.1',
      method: 'POST',
      path: '/v1/sessions',
      headers: Object.fromEntries(
        [...lengthOf(size), `Authorization: ${authorization}`, 'Content-Type: application/json'].map((line) =>
          line.split(': '),
        ),
      ),
    });
    sending.on('error', () => undefined);
    const part = Buffer.alloc(1024 * 1024, ' ');
    let sent = 0;
    if (kind === 'counted') for (; sent < 11; sent += 1) sending.write(part);
    else sending.write(part);
    const [response] = (await once(sending, 'response')) as [IncomingMessage];
    let text = '';
    for await (const chunk of response) text += String(chunk);
    sending.destroy();
    expect([response.statusCode, JSON.parse(text).code]).toEqual([413, 'too_large']);
    expect((await fetch(`http://127.0.0.1:${port}/v1/health`)).status).toBe(200);
  });

  test('a body of just 10 MiB is read', async () => {
    const port = await tcp();
    const frame = JSON.stringify({ agent: 'claude', cwd: '' });
    const body = JSON.stringify({ agent: 'claude', cwd: '/'.repeat(10 * 1024 * 1024 - frame.length) });
    const headers = { authorization, 'content-type': 'application/json' };
    const send = async (body: string): Promise<number> => {
      const response = await fetch(`http://127.0.0.1:${port}/v1/sessions`, { method: 'POST', headers, body });
      await response.arrayBuffer();
      return response.status;
    };
    expect([body.length, await send(body)]).toEqual([10 * 1024 * 1024, 201]);
    expect(await send(`${body} `)).toBe(413);
  });

  test('a client that hangs up in the middle of a body disturbs nobody', async () => {
    const port = await tcp();
    const socket = connect(port, '127.0.0.1');
    sockets.push(socket);
    socket.write(
      `POST /v1/sessions HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAuthorization: ${authorization}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"agent"`,
    );
    await once(socket, 'connect');
    socket.destroy();
    expect((await fetch(`http://127.0.0.1:${port}/v1/health`)).status).toBe(200);
    expect(host.accepted).toBe(0);
  });
});

describe('the Unix socket', () => {
  test('is for its owner only and needs no token', async () => {
    const socket = await unix();
    expect((statSync(socket).mode & 0o777).toString(8)).toBe('600');
    const answer = await raw(
      socket,
      'GET /v1/sessions HTTP/1.1\r\nHost: whatever\r\nConnection: close\r\n\r\n',
    );
    expect(answer).toContain('{"items":[]}');
  });

  test('a path in use is told as the system tells it', async () => {
    const socket = await unix();
    await expect(api.listen({ socket })).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });
});

describe('streams', () => {
  const streamOf = (port: number, session: string): string =>
    `GET /v1/sessions/${session}/events HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAuthorization: ${authorization}\r\nAccept: text/event-stream\r\n\r\n`;

  async function newSession(): Promise<string> {
    return (await host.create({ agent: 'claude', cwd: '/' }, { by: { kind: 'client' } })).value.id;
  }

  test('the head is sent at once, events as they happen', async () => {
    const port = await tcp();
    const session = await newSession();
    const response = await fetch(`http://127.0.0.1:${port}/v1/sessions/${session}/events?after=1`, {
      headers: { authorization, accept: 'text/event-stream' },
    });
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    const reader = response.body!.getReader();
    const ready = await reader.read();
    expect(new TextDecoder().decode(ready.value)).toBe(
      'event: stream.ready\ndata: {"epoch":"epoch-1","through":1}\n\n',
    );
    const { json } = host.append(session, 'notice', { level: 'info', code: 'x', message: 'now' });
    const event = await reader.read();
    expect(new TextDecoder().decode(event.value)).toBe(`id: 2\nevent: notice\ndata: ${json}\n\n`);
    await reader.cancel();
  });

  test('the head does not wait for the journal', async () => {
    const session = await newSession();
    const left = Promise.withResolvers<void>();
    host.follow = async function* silent(_session, _after, signal) {
      yield [];
      await once(signal, 'abort');
      left.resolve();
    };
    const port = await tcp();
    const answer = await raw(port, streamOf(port, session), (answer) => answer.includes('\r\n\r\n'));
    expect(answer).toMatch(/^HTTP\/1\.1 200 [^]*x-accel-buffering: no/);
    await left.promise;
  });

  test('a stream that fails is ended and told to the log', async () => {
    const log: unknown[] = [];
    api = createApi({
      host: () => host,
      tokens: anybody,
      version: '1',
      log: (entry) => log.push(entry),
    });
    const session = await newSession();
    host.follow = async function* broken() {
      yield [{ kind: 'live', through: 1 }];
      throw new Error('the journal is closed');
    };
    const port = await tcp();
    const answer = await raw(port, streamOf(port, session), (answer) => answer.endsWith('0\r\n\r\n'));
    expect(answer).toContain('stream.ready');
    expect(log).toMatchObject([{ method: 'GET', error: 'the journal is closed' }]);
  });

  test('a client that is gone is followed for no more', async () => {
    const port = await tcp();
    const session = await newSession();
    const socket = connect(port, '127.0.0.1');
    sockets.push(socket);
    socket.write(streamOf(port, session));
    await host.followed();
    socket.destroy();
    await host.unfollowed();
    expect(host.followers).toBe(0);
  });

  test('a client that reads nothing is given what fits into its socket, then cut', async () => {
    api = createApi({
      host: () => host,
      tokens: anybody,
      version: '1',
      limits: { pingMs: 50 },
    });
    const port = await tcp();
    const session = await newSession();
    const text = 'x'.repeat(10_000);
    for (let n = 0; n < 5000; n += 1)
      host.append(session, 'notice', { level: 'info', code: 'x', message: text });
    const socket = connect({ port, host: '127.0.0.1' });
    sockets.push(socket);
    socket.pause();
    socket.write(streamOf(port, session));
    await host.followed();
    // The pings that it does not take are the end of it.
    await host.unfollowed();
    expect(host.taken).toBeLessThan(2500);
  });

  test('closing ends streams and idle connections at once, twice is once', async () => {
    const port = await tcp();
    const session = await newSession();
    const response = await fetch(`http://127.0.0.1:${port}/v1/sessions/${session}/events`, {
      headers: { authorization, accept: 'text/event-stream' },
    });
    const reader = response.body!.getReader();
    await reader.read();
    const ended = (async () => {
      for (;;) if ((await reader.read()).done) return;
    })();
    await Promise.all([listening[0]!.close(), listening[0]!.close(), ended]);
    expect(host.followers).toBe(0);
    await expect(fetch(`http://127.0.0.1:${port}/v1/health`)).rejects.toThrow('fetch failed');
  });

  test('closing waits for an answer, but not for ever', async () => {
    const gate = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    host.before = () => {
      asked.resolve();
      return gate.promise;
    };
    const one = await api.listen({ host: '127.0.0.1', port: 0, closeMs: 50 });
    const sent = fetch(`http://127.0.0.1:${one.port!}/v1/sessions`, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/json' },
      body: JSON.stringify({ agent: 'claude', cwd: '/' }),
    });
    const outcome = sent.then(
      () => 'answered',
      () => 'cut',
    );
    await asked.promise;
    await one.close();
    gate.resolve();
    expect(await outcome).toBe('cut');
  });
});
