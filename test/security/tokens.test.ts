import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { pilotlight } from '../support/command.ts';
import { checkJournal, TestDaemon, testHome, type TestHome } from '../support/daemon.ts';
import { daemonForAll } from '../support/for-all.ts';

/** Scoped tokens from the command line to the stream that ends, over a whole daemon. */
let home: TestHome;
let daemon: TestDaemon;

daemonForAll(
  (made) => {
    ({ home, daemon } = made);
  },
  () => ({ current: () => daemon }),
);

const pl = (...args: string[]) => pilotlight(home, args);

function as(token: string, method: string, path: string, body?: unknown): ReturnType<TestDaemon['request']> {
  return daemon.request(method, path, body, { authorization: `Bearer ${token}` });
}

async function made(...flags: string[]): Promise<{ id: string; token: string; expiresAt?: string }> {
  const { code, stdout, stderr } = await pl('token', 'new', '--json', ...flags);
  expect([code, stderr]).toEqual([0, expect.stringContaining('shown this once')]);
  return JSON.parse(stdout);
}

/** Resolves when the stream has begun; `over` when it has ended. */
async function follow(token: string): Promise<{ over: Promise<void> }> {
  const response = await fetch(`${daemon.url}/v1/events`, {
    headers: { authorization: `Bearer ${token}`, accept: 'text/event-stream' },
  });
  expect(response.status).toBe(200);
  const reader = response.body!.getReader();
  await reader.read();
  const over = (async () => {
    for (;;) if ((await reader.read()).done) return;
  })();
  return { over };
}

test('token new prints the token alone on stdout; it opens what its scope says', async () => {
  const { code, stdout } = await pl('token', 'new', '--scope', 'send', '--name', 'ci');
  const token = stdout.trim();
  expect([code, token]).toEqual([0, expect.stringMatching(/^plt_[\w-]{43}$/)]);
  const session = await daemon.session('claude');
  expect((await as(token, 'POST', `/v1/sessions/${session}/turns`, { input: 'say hi' })).status).toBe(202);
  for (const [method, path, body] of [
    ['POST', '/v1/sessions', { agent: 'claude', cwd: home.cwd }],
    ['PATCH', `/v1/sessions/${session}`, { name: 'x' }],
    ['DELETE', `/v1/sessions/${session}`, undefined],
    ['POST', '/v1/daemon/stop', {}],
    ['GET', '/v1/tokens', undefined],
    ['POST', '/v1/tokens', { scopes: ['admin'] }],
  ] as const) {
    const { status, body: problem } = await as(token, method, path, body);
    expect([method, path, status, problem.code]).toEqual([method, path, 403, 'scope']);
  }
  const events = await daemon.ending(session, (await daemon.events(session)).find((one) => one.turn)!.turn!);
  expect(events.at(-1)?.type).toBe('turn.completed');
});

test('token ls shows it without its text, token revoke ends it and what it follows', async () => {
  const { id, token } = await made('--scope', 'read,approve', '--name', 'phone');
  const listed = await pl('token', 'ls');
  expect(listed.stdout).toContain(`${id}  phone`);
  expect(listed.stdout).toContain('read,approve');
  expect(listed.stdout).not.toContain(token);
  const stream = await follow(token);
  const { code, stdout } = await pl('token', 'revoke', id);
  expect([code, stdout]).toEqual([0, `Revoked ${id} (phone).\n`]);
  await stream.over;
  expect((await as(token, 'GET', '/v1/status')).status).toBe(401);
  expect((await pl('token', 'revoke', id)).code).toBe(4);
});

test('one that is revoked while its turn runs and it follows: the stream ends, nothing more is taken, the turn goes on', async () => {
  const { id, token } = await made('--scope', 'send');
  const session = await daemon.session('claude');
  const gate = join(home.cwd, 'gate-revoked');
  const turns = `/v1/sessions/${session}/turns`;
  const turn = (await as(token, 'POST', turns, { input: `hold ${gate} then say to the end` })).body.id;
  await daemon.follow(session, ({ type }) => type === 'message.delta');
  const stream = await follow(token);
  await daemon.request('DELETE', `/v1/tokens/${id}`);
  await stream.over;
  const refused = await as(token, 'POST', turns, { input: 'say no', whenBusy: 'queue' });
  expect([refused.status, refused.body.code]).toEqual([401, 'unauthorized']);
  expect(refused.body.detail).toContain('not any more');
  writeFileSync(gate, '');
  const events = await daemon.ending(session, turn);
  expect([events.at(-1)?.type, events.at(-1)?.data['text']]).toEqual([
    'turn.completed',
    expect.stringContaining('to the end'),
  ]);
  expect(events.filter(({ type }) => type === 'turn.queued')).toHaveLength(1);
  checkJournal(events);
});

test('who may approve answers and sends nothing; who may send answers nothing; the answer names the token', async () => {
  const approver = await made('--scope', 'approve', '--name', 'the phone');
  const sender = await made('--scope', 'send');
  const session = await daemon.session('claude', { mode: 'default' });
  const turns = `/v1/sessions/${session}/turns`;
  expect((await as(approver.token, 'POST', turns, { input: 'ask' })).status).toBe(403);
  const turn = (await as(sender.token, 'POST', turns, { input: 'ask' })).body.id;
  const asked = (await daemon.follow(session, ({ type }) => type === 'permission.requested')).at(-1);
  const answer = `/v1/sessions/${session}/permissions/${String(asked?.data['id'])}`;
  for (const { token } of [sender, await made('--scope', 'read')]) {
    const { status, body } = await as(token, 'POST', answer, { decision: 'allow' });
    expect([status, body.code, body.needed]).toEqual([403, 'scope', 'approve']);
  }
  expect((await as(approver.token, 'POST', answer, { decision: 'deny' })).status).toBe(200);
  const events = await daemon.ending(session, turn);
  expect(events.find(({ type }) => type === 'permission.resolved')?.data).toMatchObject({
    decision: 'deny',
    by: { kind: 'client', name: 'the phone' },
  });
});

test('one that expires ends its stream, and is none any more', async () => {
  const { token } = await made('--scope', 'read', '--expires', '1s');
  const stream = await follow(token);
  await stream.over;
  expect((await as(token, 'GET', '/v1/status')).status).toBe(401);
});

test('tokens are kept hashed, 0600, over a restart', async () => {
  const { token } = await made('--scope', 'read');
  const file = join(home.path, 'tokens.json');
  expect((statSync(file).mode & 0o777).toString(8)).toBe('600');
  for (const name of ['tokens.json', 'logs/daemon.log', 'daemon.json'])
    expect(readFileSync(join(home.path, name), 'utf8')).not.toContain(token.slice(4));
  await daemon.term();
  daemon = await TestDaemon.takeOver(home);
  expect((await as(token, 'GET', '/v1/status')).status).toBe(200);
});

test('a key of one token says nothing to another', async () => {
  const [first, second] = [await made('--scope', 'admin'), await made('--scope', 'admin')];
  const body = { agent: 'claude', cwd: home.cwd, mode: 'bypass' };
  const ids: unknown[] = [];
  for (const { token } of [first, first, second]) {
    const answer = await daemon.request('POST', '/v1/sessions', body, {
      authorization: `Bearer ${token}`,
      'idempotency-key': 'the same',
    });
    ids.push(answer.body.id);
  }
  expect(ids[0]).toBe(ids[1]);
  expect(ids[2]).not.toBe(ids[0]);
});

test.each([
  ['no scope', ['token', 'new'], '--scope is missing'],
  ['another scope', ['token', 'new', '--scope', 'root'], 'read, send, approve, admin'],
  ['another time', ['token', 'new', '--scope', 'read', '--expires', 'soon'], '90m, 12h or 30d'],
  ['another verb', ['token', 'steal'], 'new, ls or revoke'],
  ['no id', ['token', 'revoke'], 'id of the token'],
])('%s is wrong usage', async (_name, args, text) => {
  const { code, stderr } = await pl(...args);
  expect([code, stderr]).toEqual([2, expect.stringContaining(text)]);
});

test('a token file that others may read is refused with the fix, by the command line and by the daemon', async () => {
  const file = join(home.root, 'copied-token');
  writeFileSync(file, daemon.token);
  chmodSync(file, 0o644);
  const remote = await pl('ls', '--url', daemon.url, '--token-file', file);
  expect([remote.code, remote.stderr]).toEqual([2, expect.stringContaining(`chmod 600 ${file}`)]);
  chmodSync(file, 0o600);
  expect((await pl('ls', '--url', daemon.url, '--token-file', file)).code).toBe(0);
  await using other = testHome();
  for (const name of ['token', 'tokens.json']) {
    writeFileSync(join(other.path, name), 'x', { mode: 0o600 });
    chmodSync(join(other.path, name), 0o640);
    await expect(TestDaemon.start(other)).rejects.toThrow(`chmod 600 ${join(other.path, name)}`);
    chmodSync(join(other.path, name), 0o600);
  }
});

test('doctor tells what lets others in, and what to do', async () => {
  await using other = testHome();
  const files = ['token', 'tokens.json', 'config.toml'].map((name) => join(other.path, name));
  for (const file of files) {
    writeFileSync(file, file.endsWith('.toml') ? '[server]\nhost = "0.0.0.0"\n' : 'x');
    chmodSync(file, 0o666);
  }
  const { findings } = JSON.parse((await pilotlight(other, ['doctor', '--json'])).stdout) as {
    findings: { what: string; says: string; fix: string }[];
  };
  const fixes = findings.filter(({ what }) => what === 'permissions').map(({ fix }) => fix);
  expect(fixes).toEqual(files.map((file) => `chmod 600 ${file}`));
  expect(findings.find(({ what }) => what === 'exposed')?.fix).toContain('TLS');
});
