import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createApi, type Api, type Listening } from '../../src/api/index.ts';
import { admin, anybody, known } from '../support/askers.ts';
import { MemoryHost } from '../support/memory-host.ts';
import { openRaw, readRaw, requestText, sendRaw, type RawAnswer } from '../support/raw.ts';

/** Attacks on the listener by name, sent as bytes. Where a test sends the right token, the refusal is the door's own. */
let host: MemoryHost;
let api: Api;
let listening: Listening[];
let port: number;
let folder: string;

const TOKEN = 'Authorization: Bearer right';
const JSON_TYPE = 'Content-Type: application/json';

beforeEach(async () => {
  host = new MemoryHost();
  api = createApi({
    host: () => host,
    tokens: known({ right: admin() }),
    version: '1',
  });
  listening = [];
  folder = mkdtempSync(join(tmpdir(), 'pl-door-'));
  port = await listen();
});

afterEach(async () => {
  await Promise.all(listening.map((one) => one.close()));
  rmSync(folder, { recursive: true });
  await host.unfollowed();
});

async function listen(bounds: Parameters<Api['listen']>[0]['bounds'] = {}): Promise<number> {
  const one = await api.listen({ host: '127.0.0.1', port: 0, bounds });
  listening.push(one);
  return one.port!;
}

async function unix(): Promise<string> {
  const socket = join(folder, 'daemon.sock');
  listening.push(await api.listen({ socket }));
  return socket;
}

const own = (): string => `Host: 127.0.0.1:${String(port)}`;

/** One request with the headers of this server's own caller, closed behind it. */
function ask(first: string, lines: readonly string[] = [], body = ''): Promise<RawAnswer> {
  const length = body === '' ? [] : [`Content-Length: ${String(Buffer.byteLength(body))}`];
  return sendRaw(port, requestText(first, [...lines, ...length, 'Connection: close'], body));
}

function codeOf(answer: RawAnswer): [number, unknown] {
  return [answer.status, JSON.parse(answer.body).code];
}

/** Nothing that a page could read, and nothing that happened. */
function keptOut(answer: RawAnswer): void {
  expect(answer.head.toLowerCase()).not.toContain('access-control-');
  expect(host.accepted).toBe(0);
}

const SESSION = JSON.stringify({ agent: 'claude', cwd: '/' });

test('what a program of this machine sends comes in', async () => {
  expect((await ask('POST /v1/sessions', [own(), TOKEN, JSON_TYPE], SESSION)).status).toBe(201);
  expect(host.accepted).toBe(1);
});

describe('DNS rebinding', () => {
  test.each([
    ['a name of the attacker', 'evil.example'],
    ['with our port', 'evil.example:PORT'],
    ['a name that begins as ours', 'localhost.evil.example:PORT'],
    ['a name that ends as ours', 'evil-localhost:PORT'],
    ['an address with a name in front', 'localhost@evil.example:PORT'],
    ['any address (0.0.0.0 reaches loopback)', '0.0.0.0:PORT'],
    ['an address of the network', '192.168.1.5:PORT'],
    ['another port of loopback', 'localhost:1'],
    ['no port', 'localhost'],
    ['nothing', ''],
  ])('%s as Host is refused, with the right token too', async (_name, name) => {
    const lines = [`Host: ${name.replace('PORT', String(port))}`, TOKEN, JSON_TYPE];
    const answer = await ask('POST /v1/sessions', lines, SESSION);
    expect(codeOf(answer)).toEqual([403, 'forbidden_host']);
    keptOut(answer);
  });

  test('two Hosts, the right one among them', async () => {
    for (const lines of [
      [own(), 'Host: evil.example'],
      ['Host: evil.example', own()],
    ])
      expect(codeOf(await ask('GET /v1/status', [...lines, TOKEN]))).toEqual([403, 'forbidden_host']);
  });

  test('no Host at all: HTTP/1.0 and HTTP/0.9', async () => {
    expect((await sendRaw(port, 'GET /v1/health HTTP/1.0\r\n\r\n')).status).toBe(403);
    expect((await sendRaw(port, 'GET /v1/health\r\n\r\n')).status).toBe(403);
  });

  test('a foreign name in an absolute target, the right one in the header', async () => {
    for (const target of [`http://evil.example:${String(port)}/v1/health`, 'http://evil.example/v1/health'])
      expect(codeOf(await ask(`GET ${target}`, [own(), TOKEN]))).toEqual([403, 'forbidden_host']);
  });

  test('health, which needs no token, is no exception', async () => {
    expect(codeOf(await ask('GET /v1/health', ['Host: evil.example']))).toEqual([403, 'forbidden_host']);
  });

  test('a domain on the Unix socket, as a forwarded port would carry it', async () => {
    const text = requestText('GET /v1/sessions', [`Host: evil.example`, 'Connection: close']);
    expect(codeOf(await sendRaw(await unix(), text))).toEqual([403, 'forbidden_host']);
  });
});

describe('a page of another site', () => {
  test.each([
    ['a plain form', 'application/x-www-form-urlencoded', 'agent=claude&cwd=%2F'],
    ['a form with text/plain that makes JSON', 'text/plain', SESSION],
    ['a multipart form', 'multipart/form-data; boundary=x', `--x\r\n\r\n${SESSION}\r\n--x--`],
    ['a beacon', 'text/plain;charset=UTF-8', SESSION],
  ])('%s is refused for its Origin', async (_name, type, body) => {
    const lines = [own(), TOKEN, 'Origin: http://evil.example', 'Sec-Fetch-Site: cross-site'];
    const answer = await ask('POST /v1/sessions', [...lines, `Content-Type: ${type}`], body);
    expect(codeOf(answer)).toEqual([403, 'forbidden_origin']);
    keptOut(answer);
  });

  test.each([
    'application/x-www-form-urlencoded',
    'text/plain',
    'text/plain; x=application/json',
    'text/json',
  ])('%s is refused for its type where neither Origin nor Sec-Fetch-Site is sent', async (type) => {
    const answer = await ask('POST /v1/sessions', [own(), TOKEN, `Content-Type: ${type}`], SESSION);
    expect(codeOf(answer)).toEqual([415, 'unsupported_type']);
    keptOut(answer);
  });

  test('two types, JSON among them', async () => {
    const answer = await ask(
      'POST /v1/sessions',
      [own(), TOKEN, 'Content-Type: text/plain', JSON_TYPE],
      SESSION,
    );
    expect(codeOf(answer)).toEqual([415, 'unsupported_type']);
    keptOut(answer);
  });

  test('a preflight gets no permission', async () => {
    const answer = await ask('OPTIONS /v1/sessions', [
      own(),
      'Origin: http://evil.example',
      'Access-Control-Request-Method: POST',
      'Access-Control-Request-Headers: authorization,content-type',
      'Access-Control-Request-Private-Network: true',
    ]);
    expect(codeOf(answer)).toEqual([403, 'forbidden_origin']);
    keptOut(answer);
  });

  test.each([
    ['an opaque Origin (sandboxed frame, file)', 'null'],
    ['another port of loopback', 'http://127.0.0.1:1'],
    ['our port under the other name of loopback', 'http://localhost:PORT'],
    ['an extension', 'chrome-extension://abcdefghijklmnop'],
  ])('%s is refused', async (_name, origin) => {
    const line = `Origin: ${origin.replace('PORT', String(port))}`;
    expect(codeOf(await ask('GET /v1/status', [own(), TOKEN, line]))).toEqual([403, 'forbidden_origin']);
  });

  test('two Origins, ours among them', async () => {
    const ours = `Origin: http://127.0.0.1:${String(port)}`;
    for (const lines of [
      [ours, 'Origin: http://evil.example'],
      ['Origin: http://evil.example', ours],
    ])
      expect(codeOf(await ask('GET /v1/status', [own(), TOKEN, ...lines]))).toEqual([
        403,
        'forbidden_origin',
      ]);
  });

  test.each(['cross-site', 'same-site'])('without an Origin, %s by Sec-Fetch-Site', async (site) => {
    for (const mode of ['no-cors', 'navigate', 'cors', 'websocket'])
      expect(
        codeOf(
          await ask('GET /v1/status', [own(), TOKEN, `Sec-Fetch-Site: ${site}`, `Sec-Fetch-Mode: ${mode}`]),
        ),
      ).toEqual([403, 'forbidden_origin']);
  });

  test('without Origin and Sec-Fetch-Site (an old browser) it still has no token', async () => {
    for (const first of ['GET /v1/status', 'GET /v1/events', 'POST /v1/daemon/stop', 'DELETE /v1/sessions/x'])
      expect(codeOf(await ask(first, [own()]))).toEqual([401, 'unauthorized']);
    expect(codeOf(await ask('GET /v1/status', [own(), 'Cookie: token=right']))).toEqual([
      401,
      'unauthorized',
    ]);
  });

  test('a WebSocket upgrade (cross-site WebSocket hijacking) is answered as a request and refused', async () => {
    const upgrade = [
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
      'Sec-WebSocket-Protocol: pilotlight.v1',
    ];
    for (const path of ['/v1/events', '/', '/v1/link']) {
      const lines = [own(), TOKEN, 'Origin: http://evil.example', ...upgrade];
      const answer = await sendRaw(port, requestText(`GET ${path}`, lines), (text) =>
        text.includes('"code"'),
      );
      expect(codeOf(answer)).toEqual([403, 'forbidden_origin']);
    }
    const answer = await sendRaw(port, requestText('GET /v1/status', [own(), ...upgrade]), (text) =>
      text.includes('"code"'),
    );
    expect(codeOf(answer)).toEqual([401, 'unauthorized']);
  });

  test('an EventSource follows nothing', async () => {
    const lines = [
      own(),
      TOKEN,
      'Accept: text/event-stream',
      'Sec-Fetch-Site: cross-site',
      'Sec-Fetch-Mode: cors',
    ];
    const answer = await ask('GET /v1/events', [...lines, 'Origin: http://evil.example']);
    expect(codeOf(answer)).toEqual([403, 'forbidden_origin']);
    expect(host.followers).toBe(0);
    keptOut(answer);
  });

  test('on the Unix socket, behind a forwarded port', async () => {
    const socket = await unix();
    for (const line of ['Origin: http://evil.example', 'Sec-Fetch-Site: cross-site']) {
      const text = requestText('POST /v1/sessions', ['Host: localhost:9000', line, 'Connection: close']);
      expect(codeOf(await sendRaw(socket, text))).toEqual([403, 'forbidden_origin']);
    }
  });

  test('every answer tells a browser to guess no type, to frame nothing and to hand it to nobody', async () => {
    for (const first of ['GET /v1/health', 'GET /v1/status', 'GET /']) {
      const head = (await ask(first, [own()])).head.toLowerCase();
      expect(head).toContain('x-content-type-options: nosniff');
      expect(head).toContain('cross-origin-resource-policy: same-origin');
      expect(head).toContain("frame-ancestors 'none'");
    }
  });
});

describe('tokens', () => {
  test.each([
    '?token=right',
    '?access_token=right',
    '?authorization=Bearer%20right',
    '#right',
    ';token=right',
  ])('one in the URL (%s) is none', async (suffix) => {
    const answer = await ask(`GET /v1/status${suffix}`, [own()]);
    expect([400, 401]).toContain(answer.status);
    expect(answer.text).not.toContain('"daemon"');
  });

  test('one in front of the host is none', async () => {
    expect((await ask(`GET http://home:right@127.0.0.1:${String(port)}/v1/status`, [own()])).status).not.toBe(
      200,
    );
  });

  test.each([
    ['two of them', ['Authorization: Bearer wrong', 'Authorization: Bearer right']],
    ['another scheme', ['Authorization: Basic cmlnaHQ6']],
    ['a longer one', ['Authorization: Bearer rightt']],
    ['a shorter one', ['Authorization: Bearer righ']],
    ['another case', ['Authorization: Bearer RIGHT']],
    ['none behind the word', ['Authorization: Bearer']],
    ['for a proxy', ['Proxy-Authorization: Bearer right']],
  ])('%s: 401', async (_name, lines) => {
    expect(codeOf(await ask('GET /v1/status', [own(), ...lines]))).toEqual([401, 'unauthorized']);
  });
});

describe('smuggling', () => {
  const inner = requestText(
    'POST /v1/sessions',
    ['Host: x', TOKEN, JSON_TYPE, 'Content-Length: 28'],
    SESSION,
  );

  test.each([
    ['two lengths', ['Content-Length: 2', 'Content-Length: 300']],
    ['the same length twice', ['Content-Length: 2', 'Content-Length: 2']],
    ['a list of lengths', ['Content-Length: 2, 2']],
    ['a length with a sign', ['Content-Length: +2']],
    ['a negative length', ['Content-Length: -2']],
    ['length and encoding (CL.TE)', ['Content-Length: 4', 'Transfer-Encoding: chunked']],
    ['encoding and length (TE.CL)', ['Transfer-Encoding: chunked', 'Content-Length: 4']],
    ['an encoding that is almost chunked (TE.TE)', ['Transfer-Encoding: xchunked']],
    ['chunked not last', ['Transfer-Encoding: chunked, identity']],
    ['a blank before the colon', ['Content-Length : 2']],
    ['a folded header (obs-fold)', ['Transfer-Encoding:', ' chunked']],
    ['a folded type', ['Content-Type: text/plain', '\tapplication/json', 'Content-Length: 2']],
    ['a NUL in a value', ['X-A: a\0b']],
    ['a bare line feed between headers', ['X-A: a\nAuthorization: Bearer right']],
    ['a bare carriage return', ['X-A: a\rAuthorization: Bearer right']],
  ])('%s: 400, the connection ends, and what stands behind is no request', async (_name, lines) => {
    const text = requestText('POST /v1/sessions', [own(), TOKEN, JSON_TYPE, ...lines], `0\r\n\r\n${inner}`);
    const answer = await sendRaw(port, text);
    expect(answer.status).toBe(400);
    expect(answer.head).toMatch(/^connection: close$/im);
    expect(answer.text.match(/HTTP\/1\.1 /g)).toHaveLength(1);
    expect(host.accepted).toBe(0);
  });

  test('bytes that are no HTTP behind a request are not answered into its answer', async () => {
    const { id } = (await host.create({ agent: 'claude', cwd: '/' }, { by: { kind: 'client' } })).value;
    const stream = requestText(`GET /v1/sessions/${id}/events`, [own(), TOKEN, 'Accept: text/event-stream']);
    const socket = openRaw(port);
    socket.write(stream);
    await host.followed();
    socket.write('GET / HTTP/1.1\r\nContent-Length : x\r\n\r\n');
    const answer = await readRaw(socket);
    expect(answer.status).toBe(200);
    expect(answer.text).not.toContain('cannot be read');
    await host.unfollowed();
  });

  test('CONNECT, TRACE and h2c reach nothing', async () => {
    expect((await ask('CONNECT 127.0.0.1:22', [own(), TOKEN])).status).toBe(405);
    expect((await ask('TRACE /v1/status', [own(), TOKEN])).text).not.toContain('right');
    expect((await sendRaw(port, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')).status).toBe(400);
  });

  test('headers without number do not push the Origin out of sight', async () => {
    const many = Array.from({ length: 2500 }, () => 'a:');
    const answer = await ask('GET /v1/status', [own(), TOKEN, ...many, 'Origin: http://evil.example']);
    expect(codeOf(answer)).toEqual([403, 'forbidden_origin']);
  });
});

describe('slowness and size', () => {
  const late = { headersMs: 100, requestMs: 200 };

  test('slow loris: headers that never end are 408', async () => {
    port = await listen({ headersMs: 100 });
    const answer = await sendRaw(port, `GET /v1/health HTTP/1.1\r\n${own()}\r\n`);
    expect(codeOf(answer)).toEqual([408, 'bad_request']);
  });

  test('a connection that never says anything is closed without a word: one made beforehand would take it for its answer', async () => {
    port = await listen({ headersMs: 100 });
    expect((await readRaw(openRaw(port))).text).toBe('');
  });

  test('slow post: a body that never ends is cut, and nothing happened', async () => {
    port = await listen(late);
    const lines = [own(), TOKEN, JSON_TYPE, 'Content-Length: 1000'];
    const answer = await sendRaw(port, requestText('POST /v1/sessions', lines, '{"agent"'));
    expect(codeOf(answer)).toEqual([408, 'bad_request']);
    expect(host.accepted).toBe(0);
  });

  test('headers over 16 KiB are 431', async () => {
    const answer = await ask('GET /v1/health', [own(), `X-A: ${'a'.repeat(17_000)}`]);
    expect(codeOf(answer)).toEqual([431, 'too_large']);
  });

  test('a target over 16 KiB is 431', async () => {
    expect(codeOf(await ask(`GET /v1/health?${'a'.repeat(17_000)}`, [own()]))).toEqual([431, 'too_large']);
  });

  test('a body of chunk extensions is 413', async () => {
    const lines = [own(), TOKEN, JSON_TYPE, 'Transfer-Encoding: chunked'];
    const answer = await sendRaw(port, requestText('POST /v1/sessions', lines, `1;${'a'.repeat(20_000)}`));
    expect(codeOf(answer)).toEqual([413, 'too_large']);
    expect(host.accepted).toBe(0);
  });

  test('a client that does not take its answer is cut', async () => {
    port = await listen({ idleMs: 1000, connections: 1 });
    const { id } = (await host.create({ agent: 'claude', cwd: '/' }, { by: { kind: 'client' } })).value;
    const message = 'x'.repeat(40_000);
    for (let n = 0; n < 1000; n += 1) host.append(id, 'notice', { level: 'info', code: 'x', message });
    const socket = openRaw(port);
    socket.write(requestText(`GET /v1/sessions/${id}/events?limit=1000`, [own(), TOKEN]));
    const [first] = await once(socket, 'data');
    socket.pause();
    // There is room for one connection: another is let in when this one was cut.
    while ((await ask('GET /v1/health', [own()])).status !== 200);
    socket.resume();
    const answer = await readRaw(socket);
    const length = Number(/content-length: (\d+)/i.exec(String(first))?.[1]);
    expect(String(first).length + answer.text.length).toBeLessThan(length);
  });

  test('a body over 10 MiB by its length alone is 413', async () => {
    const lines = [own(), TOKEN, JSON_TYPE, 'Content-Length: 99999999999'];
    const answer = await sendRaw(port, requestText('POST /v1/sessions', lines), (text) =>
      text.includes('"code"'),
    );
    expect(codeOf(answer)).toEqual([413, 'too_large']);
  });

  test('a compressed body (zip bomb) is not unpacked', async () => {
    const lines = [own(), TOKEN, JSON_TYPE, 'Content-Encoding: gzip'];
    expect(codeOf(await ask('POST /v1/sessions', lines, SESSION))).toEqual([415, 'unsupported_type']);
  });

  test('a deep body does not overflow the stack', async () => {
    const body = `{"agent":"claude","cwd":"/","metadata":${'['.repeat(200_000)}${']'.repeat(200_000)}}`;
    expect(codeOf(await ask('POST /v1/sessions', [own(), TOKEN, JSON_TYPE], body))).toEqual([
      400,
      'bad_request',
    ]);
  });

  test('SSE backlog: a subscriber that never reads costs what fits into its socket, then it is cut', async () => {
    api = createApi({
      host: () => host,
      tokens: anybody,
      version: '1',
      limits: { pingMs: 50 },
    });
    port = await listen();
    const { id } = (await host.create({ agent: 'claude', cwd: '/' }, { by: { kind: 'client' } })).value;
    const message = 'x'.repeat(10_000);
    for (let n = 0; n < 5000; n += 1) host.append(id, 'notice', { level: 'info', code: 'x', message });
    const socket = openRaw(port);
    socket.pause();
    socket.write(requestText(`GET /v1/sessions/${id}/events`, [own(), TOKEN, 'Accept: text/event-stream']));
    await host.followed();
    await host.unfollowed();
    expect(host.taken).toBeLessThan(2500);
    socket.destroy();
  });
});

describe('paths', () => {
  test.each([
    '/v1/sessions/..%2f..%2ftoken',
    '/v1/sessions/%2e%2e%2f%2e%2e%2fsecrets',
    '/v1/sessions/..%5c..%5ctoken/events',
    '/v1/sessions/%00/events',
    '/v1/sessions/%ff%fe',
    '/v1/sessions/%252e%252e%252ftoken/turns/x',
    '/v1/sessions/../../../../etc/passwd',
    '/..%2f..%2fetc%2fpasswd',
    '//etc/passwd',
    '/v1/sessions/__proto__',
    '/v1/sessions/constructor/turns/toString',
    `/v1/sessions/${'a'.repeat(9000)}`,
  ])('traversal in ids: %s is not found', async (path) => {
    const answer = await ask(`GET ${path}`, [own(), TOKEN]);
    expect(codeOf(answer)).toEqual([404, 'not_found']);
  });

  test.each([
    '/v1/health/../status',
    '/v1/health/%2e%2e/status',
    '/v1/health%2f..%2fstatus',
    '/v1/health;/../status',
    '/v1/status#/v1/health',
    '/v1//status',
    '//v1/health/../status',
    '/v1/STATUS',
    '/v1/status/',
    '/v1/status?/v1/health',
  ])('the way that needs no token leads nowhere else: %s', async (path) => {
    const answer = await ask(`GET ${path}`, [own()]);
    expect(answer.text).not.toContain('"daemon"');
    expect([400, 401]).toContain(answer.status);
  });

  test('a body does not reach prototypes', async () => {
    const body =
      '{"agent":"claude","cwd":"/","metadata":{"__proto__":{"polluted":1}},"__proto__":{"polluted":1}}';
    const answer = await ask('POST /v1/sessions', [own(), TOKEN, JSON_TYPE], body);
    expect(codeOf(answer)).toEqual([400, 'unknown_field']);
    expect(Reflect.get({}, 'polluted')).toBeUndefined();
  });

  test('what was asked is told as data, never as a page', async () => {
    const answer = await ask('GET /v1/sessions/%3Cscript%3Ealert(1)%3C%2Fscript%3E', [own(), TOKEN]);
    expect(answer.head.toLowerCase()).toContain('content-type: application/problem+json');
    expect(codeOf(answer)).toEqual([404, 'not_found']);
  });
});
