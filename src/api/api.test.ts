import { beforeEach, describe, expect, test } from 'vitest';
import { admin, known } from '../../test/support/askers.ts';
import { MemoryHost } from '../../test/support/memory-host.ts';
import { createApi, type Api, type RequestEntry } from './index.ts';

const BASE = 'http://127.0.0.1:7433';
const tokens = known({ right: admin(), other: admin('other') });

let host: MemoryHost;
let api: Api;
let log: RequestEntry[];
let draining: boolean;

beforeEach(() => {
  host = new MemoryHost();
  log = [];
  draining = false;
  api = createApi({
    host: () => host,
    tokens,
    version: '1.2.3',
    log: (entry) => log.push(entry),
    draining: () => draining,
    limits: { bodyBytes: 1000 },
  });
});

interface Ask {
  readonly method?: string;
  readonly body?: unknown;
  readonly text?: string | Uint8Array<ArrayBuffer>;
  readonly headers?: Record<string, string>;
  readonly token?: string | null;
}

function ask(path: string, { method, body, text, headers, token = 'right' }: Ask = {}): Promise<Response> {
  const sent = text ?? (body === undefined ? undefined : JSON.stringify(body));
  return api.fetch(
    new Request(BASE + path, {
      method: method ?? (sent === undefined ? 'GET' : 'POST'),
      headers: {
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...(sent === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(sent === undefined ? {} : { body: sent }),
    }),
  );
}

// oxlint-disable-next-line typescript/no-explicit-any -- an answer, looked at field by field
async function bodyOf(response: Response): Promise<any> {
  return response.json();
}

async function problemOf(response: Response): Promise<[number, string]> {
  expect(response.headers.get('content-type')).toBe('application/problem+json');
  const problem = await bodyOf(response);
  expect(problem).toMatchObject({
    type: expect.any(String),
    title: expect.any(String),
    detail: expect.stringMatching(/\w/),
    fix: expect.stringMatching(/\w/),
    status: response.status,
  });
  return [response.status, problem.code];
}

async function newSession(): Promise<string> {
  const response = await ask('/v1/sessions', { body: { agent: 'claude', cwd: '/' } });
  expect(response.status).toBe(201);
  return (await bodyOf(response)).id;
}

describe('routes', () => {
  test('health needs no token', async () => {
    const response = await ask('/v1/health', { token: null });
    expect(await bodyOf(response)).toEqual({ status: 'ok', version: '1.2.3' });
    expect(response.headers.get('x-request-id')).toMatch(/^req_/);
    expect(response.headers.get('access-control-allow-origin')).toBeNull();
  });

  test('status and agents', async () => {
    expect((await bodyOf(await ask('/v1/status'))).pool).toEqual({ maxWarm: 1, leases: [], waiting: 0 });
    expect((await bodyOf(await ask('/v1/agents'))).items[0].id).toBe('claude');
  });

  test('a session from birth to end', async () => {
    const id = await newSession();
    expect((await bodyOf(await ask(`/v1/sessions/${id}`))).state).toBe('idle');
    const renamed = await ask(`/v1/sessions/${id}`, { method: 'PATCH', body: { name: 'x' } });
    expect([renamed.status, (await bodyOf(renamed)).name]).toEqual([200, 'x']);
    const turn = await ask(`/v1/sessions/${id}/turns`, { body: { input: 'hello' } });
    expect(turn.status).toBe(202);
    const { id: turnId, seq } = await bodyOf(turn);
    expect(seq).toBe(3);
    expect((await bodyOf(await ask(`/v1/sessions/${id}/turns/${turnId}`))).state).toBe('running');
    const stop = await ask(`/v1/sessions/${id}/interrupt`, { method: 'POST' });
    expect([stop.status, (await bodyOf(stop)).state]).toEqual([202, 'interrupted']);
    expect((await bodyOf(await ask(`/v1/sessions/${id}/turns`))).items).toHaveLength(1);
    expect(await bodyOf(await ask(`/v1/sessions/${id}/permissions`))).toEqual({ items: [] });
    const closed = await ask(`/v1/sessions/${id}`, { method: 'DELETE' });
    expect([closed.status, (await bodyOf(closed)).state]).toEqual([200, 'closed']);
  });

  test('lists are paged and filtered', async () => {
    const ids = [await newSession(), await newSession(), await newSession()];
    const first = await bodyOf(await ask('/v1/sessions?limit=2'));
    expect(first.items.map((one: { id: string }) => one.id)).toEqual(ids.slice(0, 2));
    const second = await bodyOf(await ask(`/v1/sessions?limit=2&after=${first.next}`));
    expect([second.items[0].id, second.next]).toEqual([ids[2], undefined]);
    expect((await bodyOf(await ask('/v1/sessions?state=closed'))).items).toEqual([]);
  });

  test('a page of events, with what was removed, from the stored text', async () => {
    const id = await newSession();
    for (const text of ['a', 'ü\n"', 'c'])
      host.append(id, 'notice', { level: 'info', code: 'x', message: text });
    const page = await bodyOf(await ask(`/v1/sessions/${id}/events?after=1&limit=2`));
    expect(page.events.map((event: { seq: number }) => event.seq)).toEqual([2, 3]);
    expect(page.events[1].data.message).toBe('ü\n"');
    expect([page.next, page.gaps]).toEqual([3, []]);
    const last = await bodyOf(await ask(`/v1/sessions/${id}/events?after=3`));
    expect([last.events.length, 'next' in last]).toEqual([1, false]);
    host.remove(id, 2);
    expect((await bodyOf(await ask(`/v1/sessions/${id}/events`))).gaps).toEqual([
      { from: 1, to: 2, reason: 'retention' },
    ]);
  });

  test('events of all sessions are numbered by the global cursor', async () => {
    await newSession();
    const other = await newSession();
    const page = await bodyOf(await ask('/v1/events?after=1&limit=1'));
    expect([page.events[0].session, page.events[0].seq]).toEqual([other, 1]);
    expect((await bodyOf(await ask('/v1/events?limit=1'))).next).toBe(1);
  });

  test('HEAD answers the head of a stream and follows nothing', async () => {
    const response = await ask('/v1/events', { method: 'HEAD', headers: { accept: 'text/event-stream' } });
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    expect([response.body, host.followers]).toEqual([null, 0]);
  });

  test('the description names every route, the errors, the token and the streams', async () => {
    const document = await bodyOf(await ask('/openapi.json'));
    expect(document.openapi).toBe('3.1.0');
    expect(Object.keys(document.paths)).toEqual(
      expect.arrayContaining([
        '/v1/health',
        '/v1/status',
        '/v1/agents',
        '/v1/sessions',
        '/v1/sessions/{id}',
        '/v1/sessions/{id}/turns',
        '/v1/sessions/{id}/turns/{turnId}',
        '/v1/sessions/{id}/interrupt',
        '/v1/sessions/{id}/permissions',
        '/v1/sessions/{id}/events',
        '/v1/events',
      ]),
    );
    expect(document.components.securitySchemes.token).toEqual({ type: 'http', scheme: 'bearer' });
    expect(document.security).toEqual([{ token: [] }]);
    const send = document.paths['/v1/sessions/{id}/turns'].post;
    expect(send.requestBody.content['application/json'].schema).toEqual({
      $ref: '#/components/schemas/SendTurn',
    });
    expect(Object.keys(send.responses)).toEqual(
      expect.arrayContaining(['202', '400', '401', '404', '409', '413', '415', '422', '503', '507']),
    );
    expect(document.paths['/v1/events'].get.responses['200'].content).toHaveProperty('text/event-stream');
    const refs = [...JSON.stringify(document).matchAll(/"#\/components\/schemas\/(\w+)"/g)].map(
      ([, name]) => name,
    );
    for (const name of refs) expect(document.components.schemas).toHaveProperty(name!);
  });

  test('/ is a line of text', async () => {
    expect(await (await ask('/')).text()).toContain('1.2.3');
  });
});

describe('who may ask', () => {
  test.each([null, 'wrong', '', 'right x'])('token %s: 401', async (token) => {
    for (const path of ['/v1/status', '/v1/nothing', '/openapi.json', '/', '/v1/health/'])
      expect(await problemOf(await ask(path, { token }))).toEqual([401, 'unauthorized']);
  });

  test('another scheme, 401 that says how', async () => {
    const response = await ask('/v1/status', { token: null, headers: { authorization: 'Basic right' } });
    expect(response.headers.get('www-authenticate')).toContain('Bearer');
    expect(await problemOf(response)).toEqual([401, 'unauthorized']);
  });

  test('a token in the URL is none', async () => {
    expect(await problemOf(await ask('/v1/status?token=right&access_token=right', { token: null }))).toEqual([
      401,
      'unauthorized',
    ]);
  });

  test('the door comes before the token', async () => {
    for (const path of ['/v1/health', '/v1/status']) {
      expect(await problemOf(await ask(path, { token: null, headers: { host: 'evil.example' } }))).toEqual([
        403,
        'forbidden_host',
      ]);
      expect(await problemOf(await ask(path, { token: null, headers: { origin: 'null' } }))).toEqual([
        403,
        'forbidden_origin',
      ]);
      expect(await problemOf(await ask(path, { headers: { 'sec-fetch-site': 'cross-site' } }))).toEqual([
        403,
        'forbidden_origin',
      ]);
    }
    expect((await ask('/v1/status', { headers: { origin: BASE } })).status).toBe(200);
  });

  test('on the socket no token is needed, a wrong one is refused', async () => {
    const arrival = { door: { kind: 'socket' } } as const;
    const request = (authorization?: string): Promise<Response> =>
      api.fetch(
        new Request(
          'http://localhost/v1/status',
          authorization === undefined ? {} : { headers: { authorization } },
        ),
        arrival,
      );
    expect((await request()).status).toBe(200);
    expect((await request('Bearer right')).status).toBe(200);
    expect((await request('Bearer wrong')).status).toBe(401);
  });
});

describe('errors', () => {
  test('what is not there', async () => {
    const id = await newSession();
    const turns = await bodyOf(await ask(`/v1/sessions/${id}/turns`));
    expect(turns.items).toEqual([]);
    for (const path of [
      '/v1/nothing',
      '/v2/health',
      '/v1/sessions/ses_none',
      '/v1/sessions/ses_none/events',
      '/v1/sessions/ses_none/turns',
      '/v1/sessions/ses_none/permissions',
      `/v1/sessions/${id}/turns/trn_none`,
      '/v1/sessions/',
      '/v1/sessions/%E0%A4%A',
    ])
      expect(await problemOf(await ask(path))).toEqual([404, 'not_found']);
    expect(await problemOf(await ask('/v1/sessions/ses_none/turns', { body: { input: 'x' } }))).toEqual([
      404,
      'not_found',
    ]);
    const streamed = await ask('/v1/sessions/ses_none/events', { headers: { accept: 'text/event-stream' } });
    expect(await problemOf(streamed)).toEqual([404, 'not_found']);
  });

  test('a known path with another method: 405 that says which', async () => {
    const response = await ask('/v1/sessions', { method: 'PUT', body: {} });
    expect(response.headers.get('allow')).toBe('POST, GET');
    expect(await problemOf(response)).toEqual([405, 'bad_request']);
    expect((await ask('/v1/sessions', { method: 'OPTIONS' })).status).toBe(405);
  });

  test.each<[string, Ask, number, string]>([
    ['no JSON', { text: '{' }, 400, 'bad_request'],
    ['no UTF-8', { text: new Uint8Array([0x22, 0xff, 0x22]) }, 400, 'bad_request'],
    ['an array', { body: [] }, 400, 'bad_request'],
    ['null', { text: 'null' }, 400, 'bad_request'],
    ['nothing', { method: 'POST' }, 400, 'bad_request'],
    [
      'too deep',
      { text: `{"agent":"a","cwd":"/","metadata":{"x":${'['.repeat(200)}${']'.repeat(200)}}}` },
      400,
      'bad_request',
    ],
    ['a wrong type', { body: { agent: 1, cwd: '/' } }, 400, 'bad_request'],
    [
      'a form',
      { text: 'agent=x', headers: { 'content-type': 'application/x-www-form-urlencoded' } },
      415,
      'unsupported_type',
    ],
    ['plain text', { text: '{}', headers: { 'content-type': 'text/plain' } }, 415, 'unsupported_type'],
    [
      'another charset',
      { text: '{}', headers: { 'content-type': 'application/json; charset=latin1' } },
      415,
      'unsupported_type',
    ],
    ['compressed', { text: '{}', headers: { 'content-encoding': 'gzip' } }, 415, 'unsupported_type'],
    ['too large', { text: 'x'.repeat(1001) }, 413, 'too_large'],
    ['too large as declared', { text: '{}', headers: { 'content-length': '1001' } }, 413, 'too_large'],
    ['an unknown agent', { body: { agent: 'nobody', cwd: '/' } }, 422, 'unknown_agent'],
  ])('a body that is %s', async (_name, sent, status, code) => {
    expect(await problemOf(await ask('/v1/sessions', sent))).toEqual([status, code]);
    expect(host.accepted).toBe(0);
  });

  test('a body without a type', async () => {
    const request = new Request(`${BASE}/v1/sessions`, {
      method: 'POST',
      body: new TextEncoder().encode('{}'),
      headers: { authorization: 'Bearer right' },
    });
    expect(await problemOf(await api.fetch(request))).toEqual([415, 'unsupported_type']);
  });

  test('a body with charset=utf-8 is read', async () => {
    const headers = { 'content-type': 'Application/JSON; charset="UTF-8"' };
    expect((await ask('/v1/sessions', { body: { agent: 'claude', cwd: '/' }, headers })).status).toBe(201);
  });

  test.each<[string, unknown, string[]]>([
    ['/v1/sessions', { agent: 'claude', cwd: '/', colour: 1 }, ['colour']],
    ['/v1/sessions', { agent: 1, readOnly: { reasons: '' }, x: 1 }, ['readOnly.reasons', 'x']],
    [
      '/v1/sessions',
      { agent: 'a', cwd: '/', credentials: { k: { value: 'v', when: 1 } } },
      ['credentials.k.when'],
    ],
    [
      '/v1/sessions/ID/turns',
      {
        input: [
          { type: 'text', text: 'x' },
          { type: 'text', text: 'x', cache: 1 },
        ],
      },
      ['input[1].cache'],
    ],
    ['/v1/sessions/ID/interrupt', { force: true }, ['force']],
  ])('%s refuses unknown fields by name', async (path, body, fields) => {
    const id = await newSession();
    const response = await ask(path.replace('ID', id), { body });
    const problem = await bodyOf(response);
    expect([response.status, problem.code, problem.fields]).toEqual([400, 'unknown_field', fields]);
    for (const field of fields) expect(problem.detail).toContain(field);
  });

  test.each<[unknown, string]>([
    [{ input: 5 }, 'input'],
    [{}, 'input'],
    [{ input: [] }, 'input'],
    [{ input: [{ type: 'text' }] }, 'input[0].text'],
    [{ input: [{ type: 'sound' }] }, 'input[0].type'],
    [{ input: 'x', whenBusy: 'never' }, 'whenBusy'],
  ])('%j is told by its path', async (body, path) => {
    const id = await newSession();
    const problem = await bodyOf(await ask(`/v1/sessions/${id}/turns`, { body }));
    expect([problem.code, problem.errors[0].path]).toEqual(['bad_request', path]);
  });

  test('a name that is no variable is told by its path', async () => {
    const problem = await bodyOf(
      await ask('/v1/sessions', { body: { agent: 'a', cwd: '/', env: { 'A B': 'x' } } }),
    );
    expect([problem.code, problem.errors[0].path]).toEqual(['bad_request', 'env.A B']);
  });

  test("the host's refusals pass through with their facts", async () => {
    const id = await newSession();
    expect(await problemOf(await ask(`/v1/sessions/${id}/interrupt`, { method: 'POST' }))).toEqual([
      409,
      'no_turn',
    ]);
    const { id: turn } = await bodyOf(await ask(`/v1/sessions/${id}/turns`, { body: { input: 'a' } }));
    const busy = await ask(`/v1/sessions/${id}/turns`, { body: { input: 'b' } });
    expect(await bodyOf(busy)).toMatchObject({ status: 409, code: 'turn_in_progress', turn });
    const queued = await ask(`/v1/sessions/${id}/turns`, { body: { input: 'b', whenBusy: 'queue' } });
    expect(await problemOf(queued)).toEqual([422, 'unsupported']);
    await ask(`/v1/sessions/${id}`, { method: 'DELETE' });
    expect(await problemOf(await ask(`/v1/sessions/${id}/turns`, { body: { input: 'c' } }))).toEqual([
      409,
      'session_closed',
    ]);
  });

  test.each(['0', '1001', 'x', '-1', '1.5', '', '1e2', ' 1'])('limit %j: 400', async (limit) => {
    const id = await newSession();
    for (const path of [
      '/v1/sessions',
      '/v1/events',
      `/v1/sessions/${id}/events`,
      `/v1/sessions/${id}/turns`,
    ])
      expect(await problemOf(await ask(`${path}?limit=${encodeURIComponent(limit)}`))).toEqual([
        400,
        'bad_request',
      ]);
  });

  test.each(['-1', 'x', '1.5', '', '99999999999999999', '0x1'])('after %j of events: 400', async (after) => {
    const query = `?after=${encodeURIComponent(after)}`;
    expect(await problemOf(await ask(`/v1/events${query}`))).toEqual([400, 'bad_request']);
    const headers = { accept: 'text/event-stream', 'last-event-id': after };
    expect(await problemOf(await ask('/v1/events', { headers }))).toEqual([400, 'bad_request']);
  });

  test.each([
    ['/v1/sessions?status=closed', 'status', 'state, limit, after'],
    ['/v1/events?from=7', 'from', 'after, limit'],
    ['/v1/status?a=1&b=2&a=3', 'a, b', 'nothing'],
  ])('%s: a parameter that nobody knows is refused by name, not passed over', async (path, named, takes) => {
    const answer = await ask(path);
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({
      code: 'unknown_field',
      fields: named.split(', '),
      fix: expect.stringContaining(takes),
    });
  });

  test('a parameter that is given twice is refused, not read once', async () => {
    expect(await problemOf(await ask('/v1/events?after=1&after=2'))).toEqual([400, 'bad_request']);
  });

  test('an unknown state and a strange after of a list: 400', async () => {
    expect(await problemOf(await ask('/v1/sessions?state=happy'))).toEqual([400, 'bad_request']);
    expect(await problemOf(await ask('/v1/sessions?after=%00'))).toEqual([400, 'bad_request']);
  });

  test('a cursor beyond the end: 410', async () => {
    const id = await newSession();
    const response = await ask(`/v1/sessions/${id}/events?after=2`);
    expect(await bodyOf(response)).toMatchObject({ status: 410, code: 'cursor_ahead', lastSeq: 1 });
    expect(await problemOf(await ask('/v1/events?after=2'))).toEqual([410, 'cursor_ahead']);
  });

  test('what nobody foresaw: 500 without the inside, which is in the log', async () => {
    const response = await ask('/v1/sessions', { body: { agent: 'broken', cwd: '/' } });
    const text = await response.text();
    expect([response.status, text.includes('secret')]).toEqual([500, false]);
    expect(log.at(-1)).toMatchObject({ status: 500, code: 'internal', error: 'a secret of the inside' });
  });

  test('starting: health and the description answer, the rest is 503', async () => {
    api = createApi({ host: () => undefined, tokens, version: '1' });
    expect((await ask('/v1/health')).status).toBe(200);
    expect((await ask('/openapi.json')).status).toBe(200);
    const response = await ask('/v1/sessions');
    expect(response.headers.get('retry-after')).toBe('1');
    expect(await problemOf(response)).toEqual([503, 'starting']);
  });

  test('draining: no new work, everything else goes on', async () => {
    const id = await newSession();
    draining = true;
    expect(await problemOf(await ask(`/v1/sessions/${id}/turns`, { body: { input: 'x' } }))).toEqual([
      503,
      'draining',
    ]);
    expect(await problemOf(await ask('/v1/sessions', { body: { agent: 'claude', cwd: '/' } }))).toEqual([
      503,
      'draining',
    ]);
    expect(await problemOf(await ask(`/v1/sessions/${id}/interrupt`, { method: 'POST' }))).toEqual([
      409,
      'no_turn',
    ]);
    expect((await ask(`/v1/sessions/${id}`)).status).toBe(200);
  });
});

describe('idempotency', () => {
  const create = (
    key: string,
    body: unknown = { agent: 'claude', cwd: '/' },
    token = 'right',
  ): Promise<Response> => ask('/v1/sessions', { body, token, headers: { 'idempotency-key': key } });

  test('the same key and body is answered again, in whatever order the fields stand', async () => {
    const first = await create('k', {
      agent: 'claude',
      cwd: '/',
      metadata: { a: 1, b: [1, { c: 2, d: 3 }] },
    });
    expect(first.headers.get('idempotency-replayed')).toBeNull();
    const again = await create('k', {
      metadata: { b: [1, { d: 3, c: 2 }], a: 1 },
      cwd: '/',
      agent: 'claude',
    });
    expect([again.status, again.headers.get('idempotency-replayed')]).toEqual([201, 'true']);
    expect(await bodyOf(again)).toEqual(await bodyOf(first));
    expect([host.accepted, log.at(-1)?.replayed]).toEqual([1, true]);
  });

  test('another body is refused', async () => {
    await create('k');
    expect(await problemOf(await create('k', { agent: 'claude', cwd: '/tmp' }))).toEqual([
      422,
      'idempotency_mismatch',
    ]);
  });

  test('keys of other tokens, routes and sessions never meet', async () => {
    const a = (await bodyOf(await create('k'))).id;
    const b = (await bodyOf(await create('k', undefined, 'other'))).id;
    expect(a).not.toBe(b);
    const headers = { 'idempotency-key': 'k' };
    for (const id of [a, b]) {
      const sent = await ask(`/v1/sessions/${id}/turns`, { body: { input: 'x' }, headers });
      expect([sent.status, sent.headers.get('idempotency-replayed')]).toEqual([202, null]);
      const stopped = await ask(`/v1/sessions/${id}/interrupt`, { body: {}, headers });
      expect([stopped.status, stopped.headers.get('idempotency-replayed')]).toEqual([202, null]);
    }
  });

  test('of two at the same time one acts, the other is answered from it', async () => {
    const gate = Promise.withResolvers<void>();
    host.before = () => gate.promise;
    const both = [create('k'), create('k'), create('k')];
    gate.resolve();
    const answers = await Promise.all(both);
    expect(host.accepted).toBe(1);
    const replayed = answers.filter((answer) => answer.headers.get('idempotency-replayed') === 'true');
    expect(replayed).toHaveLength(2);
    const bodies = await Promise.all(answers.map(bodyOf));
    expect(new Set(bodies.map((body) => body.id)).size).toBe(1);
  });

  test('when the first of two fails, the second acts', async () => {
    let fail = true;
    const gate = Promise.withResolvers<void>();
    host.before = async () => {
      await gate.promise;
      if (fail) {
        fail = false;
        throw new Error('the disk');
      }
    };
    const both = [create('k'), create('k')];
    gate.resolve();
    expect((await Promise.all(both)).map(({ status }) => status)).toEqual([500, 201]);
  });

  test('refusals are not kept', async () => {
    const id = await newSession();
    const headers = { 'idempotency-key': 'i' };
    expect((await ask(`/v1/sessions/${id}/interrupt`, { method: 'POST', headers })).status).toBe(409);
    await ask(`/v1/sessions/${id}/turns`, { body: { input: 'x' } });
    expect((await ask(`/v1/sessions/${id}/interrupt`, { method: 'POST', headers })).status).toBe(202);
  });

  test.each(['', 'x'.repeat(129), 'ü'])('a key that is %j: 400', async (key) => {
    expect(await problemOf(await create(key))).toEqual([400, 'bad_request']);
  });

  test('128 characters are a key', async () => {
    expect((await create('~'.repeat(128))).status).toBe(201);
  });
});

test('the log has a line for what changes something, without bodies and tokens', async () => {
  const id = await newSession();
  await ask(`/v1/sessions/${id}`);
  await ask(`/v1/sessions/${id}/turns`, { body: { input: 'a private word' } });
  expect(log).toEqual([
    {
      request: expect.stringMatching(/^req_/),
      method: 'POST',
      path: '/v1/sessions',
      status: 201,
      ms: expect.any(Number),
      by: 'home',
    },
    {
      request: expect.stringMatching(/^req_/),
      method: 'POST',
      path: `/v1/sessions/${id}/turns`,
      status: 202,
      ms: expect.any(Number),
      by: 'home',
    },
  ]);
});

test('stop and gc are there when their means are', async () => {
  expect(await problemOf(await ask('/v1/daemon/stop', { method: 'POST' }))).toEqual([404, 'not_found']);
  const asked: unknown[] = [];
  api = createApi({
    host: () => host,
    tokens,
    version: '1',
    stop: async (wish) => void asked.push(wish),
    gc: async () => {
      asked.push('gc');
      return { events: 0, sessions: 0, bytesBefore: 0, bytesAfter: 0 };
    },
  });
  expect((await ask('/v1/daemon/stop', { body: { now: true } })).status).toBe(202);
  expect((await ask('/v1/daemon/stop', { method: 'POST' })).status).toBe(202);
  expect((await ask('/v1/daemon/gc', { method: 'POST' })).status).toBe(200);
  expect(asked).toEqual([{ now: true }, { now: false }, 'gc']);
});
