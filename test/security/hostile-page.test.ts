import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Browser } from '../support/browser.ts';
import { TestDaemon, testHome, type TestHome } from '../support/daemon.ts';

/**
 * A real browser, a page that means harm, a real daemon: nothing gets in, and nothing comes out. The page is given the token, so that it is the door that
 * keeps it out. The same page is first let loose on a server without a door: there it must succeed, or this would prove nothing.
 */
const HTML = readFileSync(new URL('hostile.html', import.meta.url), 'utf8');

let home: TestHome;
let daemon: TestDaemon;
let browser: Browser;
let evil: Server;
let naive: Server;
let session: string;

interface Result {
  readonly name: string;
  readonly got: string;
}

/** What reached the server without a door: method, path, Origin as it came. */
const arrived: string[] = [];

beforeAll(async () => {
  evil = await served((_path) => ({ type: 'text/html', text: HTML }));
  naive = await served((path, method) => {
    arrived.push(`${method} ${path}`);
    return { type: 'application/json', text: '{"secret":"of the naive"}' };
  });
  naive.on('upgrade', (request, socket) => {
    arrived.push(`UPGRADE ${String(request.url)}`);
    socket.destroy();
  });
  // Names resolve here alone; what newer browsers refuse by themselves is let through, because older ones do not refuse it.
  browser = await Browser.start([
    '--host-resolver-rules=MAP evil.example 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost, EXCLUDE 0.0.0.0',
    '--disable-features=LocalNetworkAccessChecks,PrivateNetworkAccessSendPreflights,BlockInsecurePrivateNetworkRequests,HttpsUpgrades',
  ]);
});

afterAll(async () => {
  await browser?.[Symbol.asyncDispose]();
  for (const server of [evil, naive]) {
    server?.closeAllConnections();
    server?.close();
  }
});

/** Each page meets a daemon of its own: of those who are nobody the audit log holds so many lines a minute. */
beforeEach(async () => {
  home = testHome();
  daemon = await TestDaemon.start(home);
  session = await daemon.session('claude', { name: 'mine' });
  await daemon.turn(session, 'say warm');
});

afterEach(async () => {
  await daemon.stop();
  await home[Symbol.asyncDispose]();
});

async function served(
  answer: (path: string, method: string) => { readonly type: string; readonly text: string },
): Promise<Server> {
  const server = createServer((request, response) => {
    const { type, text } = answer(String(request.url), String(request.method));
    request.resume();
    response.setHeader('content-type', type);
    response.end(text);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

const portOf = (server: Server): string => String((server.address() as AddressInfo).port);

async function attack(
  from: string,
  base: string,
  serve: Record<string, string> = {},
): Promise<readonly Result[]> {
  const page = await browser.page(from, serve);
  return (await page.call('attackAll', base, daemon.token)) as readonly Result[];
}

const leaks = (results: readonly Result[]): readonly Result[] => results.filter(({ got }) => got !== '');

interface Audited {
  readonly by: { readonly id: string };
  readonly outcome: string;
  readonly status: number;
  readonly code: string;
}

const audited = (): Audited[] =>
  readFileSync(join(home.path, 'logs', 'audit.jsonl'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

/** What an attack would have changed. */
async function state(): Promise<unknown> {
  const { items } = (await daemon.request('GET', '/v1/sessions')).body;
  const { body } = await daemon.request('GET', '/v1/events?limit=1000');
  return { sessions: items.map(({ id }: { id: string }) => id), events: body.events.length };
}

/** Runs it; nothing may be read, nothing may have changed, and whatever reached the daemon was refused at the door. */
async function keptOut(from: string, base: string, serve: Record<string, string> = {}): Promise<void> {
  const before = await state();
  const lines = audited().length;
  const results = await attack(from, base, serve);
  expect(results.length).toBeGreaterThan(25);
  expect(leaks(results)).toEqual([]);
  expect(await state()).toEqual(before);
  const after = audited().slice(lines);
  expect(after.length).toBeGreaterThan(10);
  for (const line of after)
    expect([line.by.id, line.outcome, line.status]).toEqual(['nobody', 'refused', 403]);
  // Its owner's work goes on.
  const ended = await daemon.turn(session, 'say still here');
  expect(ended).toMatchObject({ type: 'turn.completed', data: { text: 'still here' } });
}

describe('on a server without a door the page succeeds', () => {
  test('its requests arrive', async () => {
    const base = `http://127.0.0.1:${portOf(naive)}`;
    await attack(`http://evil.example:${portOf(evil)}/`, base);
    expect(arrived.filter((line) => line === 'POST /v1/sessions').length).toBeGreaterThanOrEqual(8);
    for (const line of [
      'GET /v1/status',
      'OPTIONS /v1/sessions',
      'OPTIONS /v1/sessions/x',
      'UPGRADE /v1/events',
    ])
      expect(arrived).toContain(line);
    expect(arrived).toContain('POST /v1/daemon/stop');
  });

  test('after DNS rebinding it reads everything', async () => {
    const base = `http://evil.example:${portOf(naive)}`;
    const results = leaks(await attack(`${base}/evil.html`, base, { [`${base}/evil.html`]: HTML }));
    const names = results.map(({ name }) => name);
    for (const name of [
      'read by fetch',
      'create with JSON and the token (preflight)',
      'a frame that is read',
    ])
      expect(names).toContain(name);
    expect(results[0]?.got).toContain('of the naive');
  });
});

describe('the daemon keeps it out', () => {
  const port = (): string => new URL(daemon.url).port;

  test.each(['127.0.0.1', 'localhost', '0.0.0.0'])(
    'a page of another port of this machine (same site), asking for %s',
    async (name) => {
      await keptOut(`http://127.0.0.1:${portOf(evil)}/`, `http://${name}:${port()}`);
    },
  );

  test('a page of another site', async () => {
    await keptOut(`http://evil.example:${portOf(evil)}/`, `http://127.0.0.1:${port()}`);
  });

  test('a page whose name now points here (DNS rebinding): the same origin for the browser', async () => {
    const base = `http://evil.example:${port()}`;
    await keptOut(`${base}/evil.html`, base, { [`${base}/evil.html`]: HTML });
  });
});
