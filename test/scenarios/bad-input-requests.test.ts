import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { TestDaemon } from '../support/daemon.ts';
import { checkJournal, type TestHome } from '../support/daemon.ts';
import { daemonForAll } from '../support/for-all.ts';

/** What a client may get wrong: each is a problem with a code and what to do, and the daemon goes on. */
let home: TestHome;
let daemon: TestDaemon;

daemonForAll(
  (made) => {
    ({ home, daemon } = made);
  },
  () => {
    const agents = new URL('../agents/', import.meta.url).pathname;
    return {
      config: `[agents.claude]\npath = "${agents}fake-claude.mjs"\n[agents.codex]\npath = "/nowhere/codex"\n`,
    };
  },
);

const create = (more: Record<string, unknown>) =>
  daemon.request('POST', '/v1/sessions', { agent: 'claude', cwd: home.cwd, mode: 'bypass', ...more });

test('an agent that nobody knows: unknown_agent names those there are', async () => {
  const { status, body } = await create({ agent: 'clod' });
  expect([status, body.code]).toEqual([422, 'unknown_agent']);
  expect(body.detail).toContain('clod');
  expect(body.fix).toMatch(/claude.*codex/);
});

test('an agent that is not where the configuration says: agent_unavailable names the path and what to do', async () => {
  const { status, body } = await create({ agent: 'codex' });
  expect([status, body.code]).toEqual([422, 'agent_unavailable']);
  expect(body.detail).toContain('/nowhere/codex');
  expect(body.fix).toMatch(/doctor|config/);
});

test.each([
  ['is missing', '/nowhere/at/all'],
  ['is a file', 'FILE'],
  ['is relative', 'work'],
])('cwd %s: bad_cwd names it and what to give', async (_name, cwd) => {
  const file = join(home.root, 'a-file');
  writeFileSync(file, '');
  const given = cwd === 'FILE' ? file : cwd;
  const { status, body } = await create({ cwd: given });
  expect([status, body.code]).toEqual([422, 'bad_cwd']);
  expect(body.detail).toContain(given);
  expect(body.fix).toMatch(/absolute path of a directory/);
});

test('a body that is not JSON: bad_request', async () => {
  for (const text of ['{', 'agent=claude', '"text"', '[]', 'null', '\u0000']) {
    const { status, body, headers } = await daemon.request('POST', '/v1/sessions', text);
    expect([text, status, body.code]).toEqual([text, 400, 'bad_request']);
    expect(headers.get('content-type')).toContain('application/problem+json');
  }
});

test('a body of another content type: unsupported_type', async () => {
  const { status, body } = await daemon.request('POST', '/v1/sessions', 'agent=claude', {
    'content-type': 'application/x-www-form-urlencoded',
  });
  expect([status, body.code]).toEqual([415, 'unsupported_type']);
});

test('a body over 10 MiB: too_large, and the next request is answered', async () => {
  const { status, body } = await create({ name: 'x'.repeat(11 * 1024 * 1024) });
  expect([status, body.code]).toEqual([413, 'too_large']);
  expect((await daemon.request('GET', '/v1/health')).status).toBe(200);
});

test('fields that nobody knows are refused by name', async () => {
  const { status, body } = await create({ colour: 'red', limits: { maxCost: 3 } });
  expect([status, body.code]).toEqual([400, 'unknown_field']);
  expect(body.fields).toEqual(expect.arrayContaining(['colour', 'limits.maxCost']));
});

test('a field that no object can keep is refused by its path wherever it stands, and not taken for none', async () => {
  for (const [body, path] of [
    ['"__proto__": {"command": "node"}', '__proto__'],
    ['"mcpServers": {"__proto__": {"command": "node"}}', 'mcpServers.__proto__'],
    ['"env": {"__proto__": "x"}', 'env.__proto__'],
    ['"metadata": {"list": [{"__proto__": 1}]}', 'metadata.list.0.__proto__'],
  ] as const) {
    const text = `{"agent": "claude", "cwd": ${JSON.stringify(home.cwd)}, ${body}}`;
    const answer = await daemon.request('POST', '/v1/sessions', text);
    expect([path, answer.status, answer.body.code]).toEqual([path, 400, 'unknown_field']);
    expect(answer.body.fields).toEqual([path]);
  }
});

test('a conversation to resume that could be no id is refused before there is a session', async () => {
  for (const resume of [
    '',
    ' ',
    '-x',
    '--dangerously-skip-permissions',
    'a\u0000b',
    'a\nb',
    'x'.repeat(201),
  ]) {
    const { status, body } = await create({ resume });
    expect([resume, status, body.code]).toEqual([resume, 400, 'bad_request']);
    expect(body.detail).toContain('resume');
  }
});

test('values of a wrong type are refused by path', async () => {
  const wrong: readonly (readonly [Record<string, unknown>, string])[] = [
    [{ agent: 7 }, 'agent'],
    [{ cwd: null }, 'cwd'],
    [{ mode: 'yolo' }, 'mode'],
    [{ env: { PATH: 3 } }, 'env.PATH'],
    [{ env: { 'not a name': 'x' } }, 'env'],
  ];
  for (const [more, path] of wrong) {
    const { status, body } = await create(more);
    expect([path, status, body.code]).toEqual([path, 400, 'bad_request']);
    expect(body.errors[0].path).toContain(path);
  }
});

test('credentials that are none and MCP servers that no agent would take: refused by their field, the value is not repeated, no session is made', async () => {
  const before = (await daemon.request('GET', '/v1/sessions')).body.items.length;
  const stdio = { command: 'node', env: { A_TOKEN: 'made-up-of-a-server' } };
  for (const [more, path] of [
    [{ credentials: { anthropicApiKey: '' } }, 'credentials.anthropicApiKey'],
    [{ credentials: { anthropicApiKey: 'made-up key\n' } }, 'credentials.anthropicApiKey'],
    [
      { credentials: { githubToken: { value: 'made-up-key', expiresAt: 'soon' } } },
      'credentials.githubToken.expiresAt',
    ],
    [{ credentials: { openaiApiKey: { expiresAt: '2099-01-01T00:00:00Z' } } }, 'credentials.openaiApiKey'],
    [{ credentials: { MY_PEM: 'made-up\u0000' } }, 'credentials.MY_PEM'],
    [{ credentials: { 'my key': 'made-up-key' } }, 'credentials.my key'],
    [{ mcpServers: { 'a"b': stdio } }, 'mcpServers.a"b'],
    [{ mcpServers: { "a'b": stdio } }, "mcpServers.a'b"],
    [{ mcpServers: { 'a.b': stdio } }, 'mcpServers.a.b'],
    [{ mcpServers: { '\u{1f511}': stdio } }, 'mcpServers.\u{1f511}'],
    [{ mcpServers: { one: { ...stdio, command: '' } } }, 'mcpServers.one.command'],
  ] as const) {
    // What is answered is searched for made-up secrets, here as everywhere.
    const { status, body } = await create(more);
    expect([path, status, body.code]).toEqual([path, 400, 'bad_request']);
    expect(body.detail).toContain(path);
  }
  expect((await daemon.request('GET', '/v1/sessions')).body.items).toHaveLength(before);
});

test('no token and a wrong one: unauthorized, with where the right one is', async () => {
  for (const authorization of ['', 'Bearer ', 'Bearer wrong', `Basic ${daemon.token}`, daemon.token]) {
    const { status, body } = await daemon.request('GET', '/v1/sessions', undefined, { authorization });
    expect([authorization, status, body.code]).toEqual([authorization, 401, 'unauthorized']);
    expect(body.fix).toContain('token');
    expect(JSON.stringify(body)).not.toContain(daemon.token);
  }
});

test('a session that is not there: not_found on every route', async () => {
  const routes: readonly (readonly [string, string, unknown])[] = [
    ['GET', '', undefined],
    ['PATCH', '', { name: 'x' }],
    ['DELETE', '', undefined],
    ['POST', '/turns', { input: 'x' }],
    ['GET', '/turns', undefined],
    ['GET', '/turns/trn_nothing', undefined],
    ['POST', '/interrupt', {}],
    ['GET', '/events', undefined],
  ];
  for (const [method, rest, body] of routes) {
    const answer = await daemon.request(method, `/v1/sessions/ses_nothing${rest}`, body);
    expect([method, rest, answer.status, answer.body.code]).toEqual([method, rest, 404, 'not_found']);
  }
});

test('a turn that is not there, or is of another session: not_found', async () => {
  const [one, other] = [await daemon.session('claude'), await daemon.session('claude')];
  const turn = await daemon.send(one, 'say x');
  await daemon.ending(one, turn);
  for (const path of [`${one}/turns/trn_nothing`, `${other}/turns/${turn}`]) {
    const { status, body } = await daemon.request('GET', `/v1/sessions/${path}`);
    expect([status, body.code]).toEqual([404, 'not_found']);
    expect(body.detail).toContain('turn');
  }
});

test('a cursor that is no number, negative or ahead: a problem, and in a stream too', async () => {
  const session = await daemon.session('claude');
  for (const after of ['x', '-1', '1.5', '99999999999999999999']) {
    const { status, body } = await daemon.request('GET', `/v1/sessions/${session}/events?after=${after}`);
    expect([after, status, body.code]).toEqual([after, 400, 'bad_request']);
  }
  const ahead = await daemon.request('GET', `/v1/sessions/${session}/events?after=1000000`);
  expect([ahead.status, ahead.body.code]).toEqual([410, 'cursor_ahead']);
});

test('a whenBusy that does not exist, or a second message without one: refused, and the turn that runs is not touched', async () => {
  const session = await daemon.session('claude');
  const gate = join(home.cwd, 'gate-busy');
  const turn = await daemon.send(session, `hold ${gate} then say done`);
  await daemon.follow(session, (event) => event.type === 'message.delta');
  for (const whenBusy of ['later', '', 1]) {
    const { status, body } = await daemon.request('POST', `/v1/sessions/${session}/turns`, {
      input: 'say no',
      whenBusy,
    });
    expect([whenBusy, status, body.code]).toEqual([whenBusy, 400, 'bad_request']);
    expect(body.detail).toContain('whenBusy');
  }
  const busy = await daemon.request('POST', `/v1/sessions/${session}/turns`, { input: 'say no' });
  expect([busy.status, busy.body.code]).toEqual([409, 'turn_in_progress']);
  writeFileSync(gate, '');
  const events = await daemon.ending(session, turn);
  expect(events.at(-1)?.type).toBe('turn.completed');
  checkJournal(events);
});

test('a message without text, or with a block of an unknown type: bad_request, no turn is made', async () => {
  const session = await daemon.session('claude');
  for (const input of [undefined, 7, [], [{ type: 'video' }], [{ type: 'text' }]]) {
    const { status, body } = await daemon.request('POST', `/v1/sessions/${session}/turns`, { input });
    expect([input, status, body.code]).toEqual([input, 400, 'bad_request']);
  }
  expect((await daemon.request('GET', `/v1/sessions/${session}/turns`)).body.items).toEqual([]);
});

const PNG =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';

test('an image that is none is refused with why, and no turn is made', async () => {
  const session = await daemon.session('claude');
  const image = (data: string, mediaType = 'image/png'): unknown[] => [
    { type: 'text', text: 'look' },
    { type: 'image', mediaType, data },
  ];
  // The end of a PNG is its last 12 bytes; of the others only beginnings stand here.
  const cut = (bytes: string, as: 'base64' | 'hex'): string =>
    Buffer.from(bytes, as)
      .subarray(0, as === 'base64' ? -12 : undefined)
      .toString('base64');
  const huge = `${PNG.slice(0, 24)}${'A'.repeat(7_000_000)}`;
  const wrong: readonly (readonly [unknown[], RegExp])[] = [
    [image(''), /not base64/],
    [image('not base64!'), /not base64/],
    [image('data:image/png;base64,AAAA'), /not base64/],
    [image('AAAAAAAA'), /does not begin as image\/png/],
    [image(PNG, 'image/jpeg'), /does not begin as image\/jpeg/],
    [image(huge), /over 5 MB/],
    [image(cut(PNG, 'base64')), /its end is missing/],
    [image(cut('ffd8ffe000104a46494600', 'hex'), 'image/jpeg'), /its end is missing/],
    [image(cut('474946383961010001000000002c00', 'hex'), 'image/gif'), /its end is missing/],
    [image(cut('52494646ff0000005745425056503820', 'hex'), 'image/webp'), /its end is missing/],
    [image(PNG, 'image/tiff'), /input/],
  ];
  for (const [input, why] of wrong) {
    const { status, body } = await daemon.request('POST', `/v1/sessions/${session}/turns`, { input });
    expect([why, status, body.code]).toEqual([why, 400, 'bad_request']);
    expect(body.detail).toMatch(why);
  }
  expect((await daemon.request('GET', `/v1/sessions/${session}/turns`)).body.items).toEqual([]);
  const { status } = await daemon.request('POST', `/v1/sessions/${session}/turns`, { input: image(PNG) });
  expect(status).toBe(202);
});

test('agentOptions that the agent does not take are refused by name, before there is a session', async () => {
  const before = (await daemon.request('GET', '/v1/sessions')).body.items.length;
  for (const [agentOptions, named] of [
    [{ temperature: 1 }, 'temperature'],
    [{ effort: 'enormous' }, 'agentOptions.effort'],
    [{ additionalDirectories: ['relative'] }, 'agentOptions.additionalDirectories'],
    [{ allowedTools: ['--dangerously-skip-permissions'] }, 'agentOptions.allowedTools'],
  ] as const) {
    const { status, body } = await create({ agentOptions });
    expect([named, status, body.code]).toEqual([named, 400, 'bad_request']);
    expect(body.detail).toContain(named);
    expect(body.fix).toContain('agentOptions.effort');
  }
  expect((await daemon.request('GET', '/v1/sessions')).body.items).toHaveLength(before);
});

test('a text of almost 10 MB, of NULs and lone surrogates: it arrives, cleaned of what no agent can read', async () => {
  const session = await daemon.session('claude');
  for (const text of [`say ok\n${'x'.repeat(9_900_000)}`, 'say \u0000ok\u0000', 'say ok \ud800 and \udc00']) {
    const ending = await daemon.turn(session, text);
    expect(ending.type).toBe('turn.completed');
    expect(ending.data['text']).toContain('ok');
  }
});

test('a route or a method that is not there: a problem, no stack', async () => {
  const lost = await daemon.request('GET', '/v1/nothing');
  expect([lost.status, lost.body.code]).toEqual([404, 'not_found']);
  const method = await daemon.request('PUT', '/v1/sessions', {});
  expect(method.status).toBe(405);
  expect(JSON.stringify(method.body)).not.toMatch(/\bat \S+[:(]/);
});
