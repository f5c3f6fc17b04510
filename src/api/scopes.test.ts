import { beforeEach, describe, expect, test } from 'vitest';
import { admin, known } from '../../test/support/askers.ts';
import { MemoryHost } from '../../test/support/memory-host.ts';
import { TokenScope } from '../protocol/index.ts';
import { createApi, type Api } from './index.ts';
import { scopeOf } from './scopes.ts';

/** Every route of the description against every scope: what a token may not do is 403 before anything is looked at. */
let host: MemoryHost;
let api: Api;
let done: string[];

const one = (scope: TokenScope) => ({ id: scope, name: scope, scopes: [scope] });

beforeEach(() => {
  host = new MemoryHost();
  done = [];
  const made = { id: 'tok_1', name: 'x', scopes: [], createdAt: '' };
  api = createApi({
    host: () => host,
    tokens: known({ admin: admin(), read: one('read'), send: one('send'), approve: one('approve') }),
    tokenDesk: {
      list: () => [],
      create: () => ({ ...made, token: (done.push('create'), 'x') }),
      revoke: () => (done.push('revoke'), made),
    },
    workspaceDesk: {
      list: () => [],
      set: async () => (done.push('trust'), { path: '/', trustedAt: '', by: '' }),
    },
    version: '1',
    stop: () => Promise.resolve(void done.push('stop')),
    gc: async () => (done.push('gc'), { events: 0, sessions: 0, bytesBefore: 0, bytesAfter: 0 }),
  });
});

async function ask(method: string, path: string, token: string, body?: unknown): Promise<[number, unknown]> {
  const response = await api.fetch(
    new Request(`http://127.0.0.1:1${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    }),
  );
  const text = await response.text();
  return [response.status, text.startsWith('{') ? JSON.parse(text).code : undefined];
}

async function routes(): Promise<{ method: string; path: string }[]> {
  const response = await api.fetch(
    new Request('http://127.0.0.1:1/openapi.json', { headers: { authorization: 'Bearer admin' } }),
  );
  const { paths } = (await response.json()) as { paths: Record<string, Record<string, unknown>> };
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => ({ method, path })),
  );
}

test('every route asks for its scope', async () => {
  const table = Object.fromEntries(
    (await routes()).map(({ method, path }) => [
      `${method} ${path}`,
      scopeOf({ method: method as 'get', path }),
    ]),
  );
  expect(table).toMatchObject({
    'get /v1/status': 'read',
    'get /v1/events': 'read',
    'get /v1/sessions/{id}/events': 'read',
    'post /v1/sessions': 'admin',
    'patch /v1/sessions/{id}': 'admin',
    'delete /v1/sessions/{id}': 'admin',
    'post /v1/sessions/{id}/turns': 'send',
    'post /v1/sessions/{id}/interrupt': 'send',
    'delete /v1/sessions/{id}/turns/{turnId}': 'send',
    'get /v1/sessions/{id}/permissions': 'read',
    'post /v1/sessions/{id}/permissions/{requestId}': 'approve',
    'post /v1/daemon/stop': 'admin',
    'post /v1/daemon/gc': 'admin',
    'get /v1/tokens': 'admin',
    'post /v1/tokens': 'admin',
    'delete /v1/tokens/{id}': 'admin',
    'get /v1/workspaces': 'read',
    'post /v1/workspaces': 'admin',
  });
});

test.each(TokenScope.options)('%s: 403 on every route that asks for another scope', async (scope) => {
  for (const route of await routes()) {
    const wanted = scopeOf({ method: route.method as 'get', path: route.path });
    if (route.path === '/v1/health' || wanted === 'read' || wanted === scope || scope === 'admin') continue;
    const path = route.path.replaceAll(/\{\w+\}/g, 'x');
    expect([route, ...(await ask(route.method.toUpperCase(), path, scope))]).toEqual([route, 403, 'scope']);
  }
  expect([host.accepted, done]).toEqual([0, []]);
});

describe('what each may do', () => {
  test('read: everything that only reads', async () => {
    for (const path of ['/v1/status', '/v1/sessions', '/v1/agents', '/v1/events', '/openapi.json'])
      expect(await ask('GET', path, 'read')).toEqual([200, undefined]);
  });

  test('send: a message and an interrupt, and reading; no credentials with it', async () => {
    const { id } = (await host.create({ agent: 'claude', cwd: '/' }, { by: { kind: 'client' } })).value;
    const turns = `/v1/sessions/${id}/turns`;
    expect(await ask('POST', turns, 'send', { input: 'x', credentials: { openaiApiKey: 'k' } })).toEqual([
      403,
      'scope',
    ]);
    expect(await ask('POST', turns, 'send', { input: 'x' })).toEqual([202, undefined]);
    expect(await ask('POST', `/v1/sessions/${id}/interrupt`, 'send', {})).toEqual([202, undefined]);
    expect(await ask('GET', turns, 'send')).toEqual([200, undefined]);
  });

  test('the refusal names the scope that is missing', async () => {
    const response = await api.fetch(
      new Request('http://127.0.0.1:1/v1/sessions', {
        method: 'POST',
        headers: { authorization: 'Bearer send' },
      }),
    );
    expect(await response.json()).toMatchObject({ code: 'scope', needed: 'admin', scopes: ['send'] });
  });

  test('what is not there is not told to those without a token', async () => {
    expect(await ask('GET', '/v1/nothing', 'wrong')).toEqual([401, 'unauthorized']);
    expect(await ask('PUT', '/v1/sessions', 'wrong')).toEqual([401, 'unauthorized']);
    expect(await ask('GET', '/v1/nothing', 'read')).toEqual([404, 'not_found']);
  });
});
