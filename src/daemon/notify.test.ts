import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, afterEach, expect, test } from 'vitest';
import { createDirectHost } from '../process/index.ts';
import type { SessionView } from '../protocol/index.ts';
import type { Followed } from '../session/ports.ts';
import { notify, type NotifyOptions } from './notify.ts';

/** What a command was given: its stdin and some of its environment. */
interface Told {
  readonly input: { readonly session: { readonly id: string }; readonly event: { readonly seq: number } };
  readonly env: Readonly<Record<string, string>>;
}

let children: ReturnType<typeof createDirectHost>;
let folder: string;
let server: Server;
let told: Told[];
let heard: () => void;

beforeAll(() => {
  children = createDirectHost({
    homeId: 'notify-test',
    ladder: { termAfterMs: 20, killAfterMs: 50, stuckAfterMs: 2000 },
  });
});
afterAll(() => children[Symbol.asyncDispose]());

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pl-notify-'));
  told = [];
  heard = () => undefined;
  server = createServer((socket) => {
    let text = '';
    socket.on('data', (chunk) => (text += chunk.toString()));
    socket.on('end', () => {
      told.push(JSON.parse(text));
      heard();
    });
  });
  server.listen(join(folder, 's'));
  await once(server, 'listening');
});
afterEach(() => {
  server.close();
  rmSync(folder, { recursive: true });
});

/** Sends its stdin, read to its end, and its environment to the test. */
const TELL = [
  process.execPath,
  '-e',
  `let t = ''; process.stdin.on('data', (c) => t += c).on('end', () =>
    require('net').connect('s').end(JSON.stringify({ input: JSON.parse(t), env: process.env })))`,
];

class Events {
  #next = Promise.withResolvers<readonly Followed[]>();
  #seq = 0;

  push(...types: readonly (readonly [string, Record<string, unknown>?])[]): void {
    const batch = types.map(([type, data = {}]): Followed => {
      this.#seq += 1;
      const event = { session: 'ses_a', seq: this.#seq, type, time: '', data };
      const { session, seq } = event;
      return { kind: 'event', event: { cursor: seq, session, seq, type, json: JSON.stringify(event) } };
    });
    const { resolve } = this.#next;
    this.#next = Promise.withResolvers();
    resolve(batch);
  }

  async *follow(signal: AbortSignal): AsyncIterable<readonly Followed[]> {
    const ended = once(signal, 'abort').then((): readonly Followed[] => []);
    while (!signal.aborted) yield await Promise.race([this.#next.promise, ended]);
  }
}

const VIEW = { id: 'ses_a', agent: 'claude', cwd: '/work', name: 'tidy' } as SessionView;

function start(events: Events, more: Partial<NotifyOptions> = {}): Disposable {
  return notify({
    command: TELL,
    timeoutMs: 10_000,
    follow: (_types, signal) => events.follow(signal),
    session: () => VIEW,
    at: {
      children,
      cwd: folder,
      env: { PATH: process.env['PATH'], OPENAI_API_KEY: 'made-up', DISPLAY: ':7' },
    },
    log: (message) => {
      throw new Error(message);
    },
    ...more,
  });
}

function heardOf(count: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  heard = () => {
    if (told.length >= count) resolve();
  };
  heard();
  return promise;
}

test('a request and an ending are told: the event on stdin, a line for a person, no secret; nothing else is', async () => {
  const events = new Events();
  using _notifying = start(events);
  events.push(
    ['turn.queued'],
    ['permission.requested', { kind: 'tool' }],
    ['message.completed', { text: 'x' }],
    ['turn.completed', { stopReason: 'end_turn' }],
    ['turn.completed', { stopReason: 'steered' }],
  );
  await heardOf(2);
  const [asked, done] = told.toSorted((a, b) => a.input.event.seq - b.input.event.seq);
  expect(asked?.input).toMatchObject({
    session: { id: 'ses_a', agent: 'claude', cwd: '/work', name: 'tidy' },
    event: { seq: 2, type: 'permission.requested', data: { kind: 'tool' } },
  });
  expect(asked?.env).toMatchObject({
    PILOTLIGHT_EVENT: 'permission.requested',
    PILOTLIGHT_SESSION: 'ses_a',
    PILOTLIGHT_SUMMARY: 'tidy asks for permission',
    DISPLAY: ':7',
  });
  expect(asked?.env['OPENAI_API_KEY']).toBeUndefined();
  expect(done?.env['PILOTLIGHT_SUMMARY']).toBe('tidy is done');
});

test('a command that fails or hangs is a line of the log, and the next event is told', async () => {
  for (const [command, why] of [
    ['exit 3', /notify\.command ended with code 3 \(turn\.failed of ses_a\)/],
    ['sleep 100', /notify\.command did not end within 200 ms/],
    [['/nowhere/notifier'], /notify\.command could not be started/],
  ] as const) {
    const events = new Events();
    const logged = Promise.withResolvers<string>();
    using _notifying = start(events, { command, timeoutMs: 200, log: logged.resolve });
    events.push(['turn.failed', { code: 'agent_error' }]);
    expect(await logged.promise).toMatch(why);
  }
});

test('more than can be told are counted, not kept', async () => {
  const events = new Events();
  const logged: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  using _notifying = start(events, {
    command: 'true',
    log: (message) => {
      logged.push(message);
      resolve();
    },
  });
  events.push(...Array.from({ length: 130 }, () => ['turn.completed'] as const));
  await promise;
  // Four run, a hundred wait.
  expect(logged).toEqual(['notify.command was too slow: 26 events were not told']);
});
