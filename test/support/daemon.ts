/**
 * A real daemon in a process of its own, for scenarios: temp home, free port, fake or real agents.
 * Speaks to it by raw HTTP, as a client that we do not see would.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { madeUpBelow, madeUpIn, madeUpInProcesses } from './made-up.ts';
import { isAlive, marked, type Identity } from './processes.ts';

export interface Event {
  readonly session: string;
  readonly seq: number;
  readonly turn?: string;
  readonly time: string;
  readonly type: string;
  readonly data: Record<string, any>; // oxlint-disable-line typescript/no-explicit-any -- what a client sees before it looks
}

export interface TestHome extends AsyncDisposable {
  /** The folder of everything: its path is in the environment of every process of this home, agents included. */
  readonly root: string;
  readonly path: string;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** The daemon's entry. */
  readonly main: string;
}

const MAIN = new URL('../../dist/daemon/main.js', import.meta.url).pathname;

const AGENTS = new URL('../agents/', import.meta.url).pathname;
/** The part of a configuration that names the fake agents; its last table is that of Codex. */
export const FAKES = `[agents.claude]\npath = "${AGENTS}fake-claude.mjs"\n[agents.codex]\npath = "${AGENTS}fake-codex.mjs"\n`;

/** A temp home whose configuration names the fake agents (or `agents`). Disposing ends whatever of it still runs. */
export function testHome(
  options: {
    readonly config?: string;
    readonly env?: Readonly<Record<string, string>>;
    readonly root?: string;
  } = {},
): TestHome {
  const path = mkdtempSync(join(options.root ?? tmpdir(), 'pl-'));
  const cwd = join(path, 'work');
  mkdirSync(cwd);
  const home = join(path, 'home');
  mkdirSync(home, { mode: 0o700 });
  const config = options.config ?? FAKES;
  writeFileSync(join(home, 'config.toml'), withFakes(config));
  const env = {
    PATH: `${join(process.execPath, '..')}:${process.env['PATH'] ?? ''}`,
    HOME: path,
    LANG: 'C.UTF-8',
    ...options.env,
  };
  return {
    root: path,
    path: home,
    cwd,
    env,
    main: MAIN,
    async [Symbol.asyncDispose]() {
      const leaked = [...madeUpInProcesses(path, env), ...madeUpBelow(home)];
      for (const file of ['daemon.json', 'keeper.json']) await endRecorded(join(home, file));
      for (const identity of marked(path)) process.kill(identity.pid, 'SIGKILL');
      rmSync(path, { recursive: true, force: true, maxRetries: 5 });
      if (leaked.length > 0) throw new Error(`secrets are where they do not belong:\n${leaked.join('\n')}`);
    },
  };
}

/** What fake agents read of their environment is theirs, not their commands': sessions that differ in it share no process. */
function withFakes(config: string): string {
  if (/^\[agents\]$/m.test(config)) return config;
  return `${config}\n[agents]\nenv = ["FAKE_FAULT", "FAKE_FAULT_ONCE", "FAKE_AGENT_LOG", "FAKE_LIFE_MS"]\n`;
}

async function endRecorded(file: string): Promise<void> {
  if (!existsSync(file)) return;
  const { pid, startTime }: { pid: number; startTime: string } = JSON.parse(readFileSync(file, 'utf8'));
  if (!isAlive({ pid, startTime })) return;
  process.kill(pid, 'SIGCONT');
  process.kill(pid, 'SIGKILL');
  while (isAlive({ pid, startTime })) await new Promise((resolve) => setTimeout(resolve, 5));
}

export class TestDaemon {
  /** Undefined for a daemon that somebody else started (the keeper). */
  readonly child: ChildProcess | undefined;
  readonly url: string;
  readonly socket: string;
  readonly token: string;
  readonly home: TestHome;

  private constructor(
    home: TestHome,
    child: ChildProcess | undefined,
    ready: { url: string; socket: string },
  ) {
    this.home = home;
    this.child = child;
    this.url = ready.url;
    this.socket = ready.socket;
    this.token = readFileSync(join(home.path, 'token'), 'utf8').trim();
  }

  /** Starts one; rejects with the error that it reports. */
  static async start(home: TestHome, args: readonly string[] = []): Promise<TestDaemon> {
    const child = spawn(process.execPath, [home.main, '--home', home.path, '--port', '0', ...args], {
      env: { ...home.env },
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
      detached: true,
    });
    let noise = '';
    child.stdout?.on('data', (chunk: Buffer) => (noise += chunk.toString()));
    child.stderr?.on('data', (chunk: Buffer) => (noise += chunk.toString()));
    const pipe = child.stdio[3];
    if (!pipe || !('on' in pipe)) throw new Error('no ready pipe');
    const lines = createInterface({ input: pipe as NodeJS.ReadableStream });
    const line = await Promise.race([
      once(lines, 'line').then(([text]) => String(text)),
      once(child, 'exit').then(([code]) => {
        throw new Error(`the daemon exited with ${String(code)}: ${noise}`);
      }),
    ]);
    const ready: { ok: boolean; url: string; socket: string; error?: unknown } = JSON.parse(line);
    if (!ready.ok) throw Object.assign(new Error(JSON.stringify(ready.error)), { reported: ready.error });
    return new TestDaemon(home, child, ready);
  }

  async request(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
    // oxlint-disable-next-line typescript/no-explicit-any -- what a client sees before it looks
  ): Promise<{ status: number; body: any; headers: Headers }> {
    const response = await fetch(`${this.url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${this.token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    const leaked = madeUpIn(text);
    if (leaked !== undefined) throw new Error(`${method} ${path} answered with a secret: ${leaked}`);
    const said = text === '' ? undefined : isText(response) ? text : JSON.parse(text);
    if (response.status >= 400) mustHelp(said, `${method} ${path}: ${text.slice(0, 500)}`);
    return {
      status: response.status,
      body: said,
      headers: response.headers,
    };
  }

  /** Creates a session and returns its id. */
  async session(agent: string, more: Record<string, unknown> = {}): Promise<string> {
    const { status, body } = await this.request('POST', '/v1/sessions', {
      agent,
      cwd: this.home.cwd,
      mode: 'bypass',
      ...more,
    });
    if (status !== 201) throw new Error(`create: ${String(status)} ${JSON.stringify(body)}`);
    return body.id;
  }

  /** Sends a message; returns the turn's id. */
  async send(session: string, input: string): Promise<string> {
    const { status, body } = await this.request('POST', `/v1/sessions/${session}/turns`, { input });
    if (status !== 202) throw new Error(`send: ${String(status)} ${JSON.stringify(body)}`);
    return body.id;
  }

  /** All events of a session so far. */
  async events(session: string): Promise<Event[]> {
    const events: Event[] = [];
    let after: number | undefined = 0;
    while (after !== undefined) {
      const page: { events: Event[]; next?: number } = (
        await this.request('GET', `/v1/sessions/${session}/events?after=${String(after)}&limit=1000`)
      ).body;
      events.push(...page.events);
      after = page.next;
    }
    return events;
  }

  /** Follows by SSE until `done`; returns every event seen. Rejects after 30 s. */
  async follow(
    session: string,
    done: (event: Event, all: readonly Event[]) => boolean,
    after = 0,
  ): Promise<Event[]> {
    const stop = AbortSignal.timeout(30_000);
    const response = await fetch(`${this.url}/v1/sessions/${session}/events?after=${String(after)}`, {
      headers: { authorization: `Bearer ${this.token}`, accept: 'text/event-stream' },
      signal: stop,
    });
    if (!response.ok || response.body === null)
      throw new Error(`follow: ${String(response.status)} ${await response.text()}`);
    const events: Event[] = [];
    let rest = '';
    try {
      for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
        rest += chunk;
        const frames = rest.split('\n\n');
        rest = frames.pop() ?? '';
        for (const frame of frames) {
          const data = /(?:^|\n)data: ([^\n]*)/.exec(frame)?.[1];
          if (data === undefined || /^event: stream\./m.test(frame)) continue;
          const event: Event = JSON.parse(data);
          events.push(event);
          if (done(event, events)) return events;
        }
      }
    } catch (error) {
      const seen = events.map((event) => `${String(event.seq)} ${event.type}`).slice(-15);
      throw new Error(`follow of ${session} ended without what was waited for; last: ${seen.join(', ')}`, {
        cause: error,
      });
    }
    throw new Error(`the stream of ${session} ended early`);
  }

  /** Waits for the ending of a turn; returns the session's events so far. */
  ending(session: string, turn: string): Promise<Event[]> {
    return this.follow(session, (event) => event.turn === turn && isEnding(event));
  }

  /** Sends and waits: the ending. */
  async turn(session: string, input: string): Promise<Event> {
    const id = await this.send(session, input);
    const last = (await this.ending(session, id)).at(-1);
    if (last === undefined) throw new Error('no ending');
    return last;
  }

  /** The daemon that holds this home now, whoever started it: what a client finds by daemon.json. Waits until it answers. */
  static async running(home: TestHome): Promise<TestDaemon> {
    const file = join(home.path, 'daemon.json');
    const deadline = Date.now() + 15_000;
    for (;;) {
      try {
        const found: Identity & { url: string; socket: string } = JSON.parse(readFileSync(file, 'utf8'));
        if (isAlive(found) && (await fetch(`${found.url}/v1/health`)).ok)
          return new TestDaemon(home, undefined, found);
      } catch (error) {
        if (Date.now() > deadline) throw new Error('no daemon came up', { cause: error });
      }
      if (Date.now() > deadline) throw new Error('no daemon came up');
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Starts a daemon after a crash; the keeper may be quicker and have started one. */
  static async takeOver(home: TestHome): Promise<TestDaemon> {
    try {
      return await TestDaemon.start(home);
    } catch {
      return TestDaemon.running(home);
    }
  }

  get identity(): Identity {
    const found: Identity = JSON.parse(readFileSync(join(this.home.path, 'daemon.json'), 'utf8'));
    return { pid: found.pid, startTime: found.startTime };
  }

  async kill9(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** Detaches: agents go on. */
  async term(): Promise<void> {
    await this.#end('SIGTERM');
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const { identity } = this;
    process.kill(identity.pid, signal);
    await gone(identity);
  }

  /** Stops everything. */
  async stop(now = true): Promise<void> {
    const { identity } = this;
    await this.request('POST', '/v1/daemon/stop', { now });
    await gone(identity);
  }
}

/** Resolves when the process is gone; there is no event for a process that is not our child. */
export async function gone(identity: Identity, ms = 15_000): Promise<void> {
  const deadline = Date.now() + ms;
  while (isAlive(identity)) {
    if (Date.now() > deadline) throw new Error(`process ${String(identity.pid)} is still there`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Whatever is refused, a person learns what happened and what to do. */
function mustHelp(problem: unknown, answer: string): void {
  const { detail, fix } = Object(problem);
  for (const words of [detail, fix])
    if (typeof words !== 'string' || !/\w/.test(words))
      throw new Error(`a refusal that does not help: ${answer}`);
}

export function isEnding(event: Event): boolean {
  return event.type === 'turn.completed' || event.type === 'turn.failed' || event.type === 'turn.interrupted';
}

/** Throws unless seq is 1…n without gap or repetition and every turn has at most one ending, exactly one unless it is named as open. */
export function checkJournal(events: readonly Event[], open: readonly string[] = []): void {
  events.forEach((event, index) => {
    if (event.seq !== index + 1) throw new Error(`seq ${String(event.seq)} at place ${String(index + 1)}`);
  });
  const endings = new Map<string, number>();
  for (const event of events) {
    if (event.turn === undefined) continue;
    endings.set(event.turn, (endings.get(event.turn) ?? 0) + (isEnding(event) ? 1 : 0));
  }
  for (const [turn, count] of endings) {
    const wanted = open.includes(turn) ? 0 : 1;
    if (count !== wanted) throw new Error(`turn ${turn} has ${String(count)} endings`);
  }
}

/** The text of a turn as a client that follows it ends with: completed messages whole, previews only where no truth came. */
export function textOf(events: readonly Event[], turn: string): string {
  const messages = new Map<string, string>();
  for (const event of events) {
    if (event.turn !== turn) continue;
    const { message, text, parent } = event.data;
    if (parent !== undefined) continue;
    if (event.type === 'message.delta') messages.set(message, (messages.get(message) ?? '') + String(text));
    if (event.type === 'message.completed') messages.set(message, text);
    if (event.type === 'message.discarded') messages.delete(message);
  }
  return [...messages.values()].join('\n');
}

function isText(response: Response): boolean {
  return response.headers.get('content-type')?.startsWith('text/plain') === true;
}
