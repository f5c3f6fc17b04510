import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { TestDaemon } from '../support/daemon.ts';
import { type TestHome } from '../support/daemon.ts';
import { daemonForAll } from '../support/for-all.ts';
import { requestText, sendRaw } from '../support/raw.ts';

/** Who did what, over a whole daemon. */
let home: TestHome;
let daemon: TestDaemon;

daemonForAll((made) => {
  ({ home, daemon } = made);
});

const file = (): string => join(home.path, 'logs', 'audit.jsonl');
const audited = (): Record<string, unknown>[] =>
  readFileSync(file(), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

test('changes, streams and refusals are told with token, route, session and outcome; nothing of bodies or secrets', async () => {
  const made = (await daemon.request('POST', '/v1/tokens', { scopes: ['send'], name: 'ci' })).body;
  const session = await daemon.session('claude', {
    env: { MY_SETTING: 'made-up-secret-value' },
    credentials: { anthropicApiKey: 'sk-ant-made-up-very-secret' },
    name: 'a-private-name',
  });
  const send = { authorization: `Bearer ${String(made.token)}` };
  const turn = (
    await daemon.request('POST', `/v1/sessions/${session}/turns`, { input: 'say a-private-prompt' }, send)
  ).body.id;
  await daemon.ending(session, turn);
  await daemon.request('DELETE', `/v1/sessions/${session}`, undefined, send);
  await daemon.request('GET', '/v1/status?token=made-up-token-in-a-url', undefined, {
    authorization: 'Bearer wrong',
  });
  await daemon.request('POST', '/v1/sessions/a-secret-as-an-id/turns', { input: 'x' });
  await daemon.request('POST', '/v1/a-secret-path', {});
  await sendRaw(
    daemon.socket,
    requestText(`DELETE /v1/sessions/${session}`, ['Host: x', 'Connection: close']),
  );
  await daemon.request('DELETE', `/v1/tokens/${String(made.id)}`);

  const owner = { id: 'home', name: 'home' };
  const ci = { id: made.id, name: 'ci' };
  const of = (fields: Record<string, unknown>): unknown => expect.objectContaining(fields);
  const [turns, one] = ['/v1/sessions/{id}/turns', '/v1/sessions/{id}'];
  expect(audited()).toEqual([
    of({
      by: owner,
      method: 'POST',
      route: '/v1/tokens',
      token: made.id,
      outcome: 'done',
      status: 201,
      door: 'tcp',
    }),
    of({ by: owner, method: 'POST', route: '/v1/sessions', session, outcome: 'done', status: 201 }),
    of({ by: ci, method: 'POST', route: turns, session, outcome: 'done', status: 202 }),
    of({
      by: owner,
      method: 'GET',
      route: '/v1/sessions/{id}/events',
      session,
      outcome: 'done',
      status: 200,
    }),
    of({ by: ci, method: 'DELETE', route: one, session, outcome: 'refused', status: 403, code: 'scope' }),
    of({ by: { id: 'nobody', name: 'nobody' }, method: 'GET', route: '/v1/status', status: 401 }),
    of({ by: owner, method: 'POST', route: turns, status: 404, code: 'not_found' }),
    of({ by: owner, method: 'POST', outcome: 'refused', status: 404 }),
    of({
      by: { id: 'local', name: 'local' },
      door: 'socket',
      method: 'DELETE',
      route: one,
      session,
      status: 200,
    }),
    of({ by: owner, method: 'DELETE', route: '/v1/tokens/{id}', token: made.id, status: 200 }),
  ]);
  const text = readFileSync(file(), 'utf8');
  for (const secret of ['secret', 'private', 'a-token', String(made.token)])
    expect(text).not.toContain(secret);
  expect((statSync(file()).mode & 0o777).toString(8)).toBe('600');
});
