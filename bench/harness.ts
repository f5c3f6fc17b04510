/**
 * What the benches share: a daemon built from dist in a process of its own, a raw HTTP connection to it, medians, tables.
 * All ratios of a bench come from one run on one machine; single absolute times mean little on a shared one.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { DAEMON_FLAGS } from '../src/cli/launch.ts';

const ROOT = resolve(import.meta.dirname, '..');
const MAIN = join(ROOT, 'dist/daemon/main.js');
export const SCRATCH = join(ROOT, '.scratch');

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (sorted.length - 1) * q;
  const low = sorted[Math.floor(at)] ?? Number.NaN;
  const high = sorted[Math.ceil(at)] ?? Number.NaN;
  return low + (high - low) * (at - Math.floor(at));
}

export const round = (value: number, digits = 1): number => Number(value.toFixed(digits));

/** Prints a small table and writes the same as JSON beside the other results. */
export function report(
  name: string,
  rows: readonly Readonly<Record<string, string | number>>[],
  facts: Readonly<Record<string, unknown>>,
): void {
  console.log(`\n## ${name}`);
  console.table(rows);
  for (const [key, value] of Object.entries(facts)) console.log(`${key}: ${JSON.stringify(value)}`);
  const folder = join(ROOT, 'bench', 'results');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${name}.json`), `${JSON.stringify({ rows, facts }, undefined, 2)}\n`);
}

export interface Home {
  readonly root: string;
  readonly path: string;
  readonly cwd: string;
}

export function makeHome(config: string): Home {
  mkdirSync(SCRATCH, { recursive: true });
  const root = mkdtempSync(join(SCRATCH, 'bench-'));
  const path = join(root, 'h');
  const cwd = join(root, 'work');
  mkdirSync(path, { mode: 0o700 });
  mkdirSync(cwd);
  writeFileSync(join(path, 'config.toml'), config);
  return { root, path, cwd };
}

export function removeHome(home: Home): void {
  rmSync(home.root, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
}

export const FAKE_AGENTS = `[agents.claude]\npath = "${ROOT}/test/agents/fake-claude.mjs"\n[agents.codex]\npath = "${ROOT}/test/agents/fake-codex.mjs"\n`;

export class BenchDaemon {
  readonly pid: number;
  readonly port: number;
  readonly token: string;
  readonly home: Home;
  /** From spawn to the line that says it answers, ms. */
  readonly startMs: number;
  readonly child: ChildProcess;

  private constructor(home: Home, child: ChildProcess, up: { pid: number; url: string; startMs: number }) {
    this.home = home;
    this.child = child;
    this.pid = up.pid;
    this.port = Number(new URL(up.url).port);
    this.startMs = up.startMs;
    this.token = readFileSync(join(home.path, 'token'), 'utf8').trim();
  }

  static async start(home: Home, env: Readonly<Record<string, string>>): Promise<BenchDaemon> {
    const began = performance.now();
    const child = spawn(process.execPath, [...DAEMON_FLAGS, MAIN, '--home', home.path, '--port', '0'], {
      env: {
        PATH: `${join(process.execPath, '..')}:/usr/local/bin:/usr/bin:/bin`,
        HOME: home.root,
        ...env,
      },
      stdio: ['ignore', 'ignore', 'inherit', 'pipe'],
      detached: true,
    });
    const pipe = child.stdio[3];
    if (!pipe || !('on' in pipe)) throw new Error('no pipe');
    const lines = createInterface({ input: pipe as NodeJS.ReadableStream });
    const [line] = await Promise.race([
      once(lines, 'line'),
      once(child, 'exit').then(() => {
        throw new Error('the daemon did not start');
      }),
    ]);
    const startMs = performance.now() - began;
    const up: { ok: boolean; pid: number; url: string } = JSON.parse(String(line));
    if (!up.ok) throw new Error(String(line));
    return new BenchDaemon(home, child, { ...up, startMs });
  }

  // oxlint-disable-next-line typescript/no-explicit-any -- a bench reads what it prints
  async request(method: string, path: string, body?: unknown): Promise<any> {
    const response = await fetch(`http://127.0.0.1:${String(this.port)}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${this.token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${String(response.status)} ${text}`);
    return text === '' ? undefined : JSON.parse(text);
  }

  async session(agent: string, more: Readonly<Record<string, unknown>> = {}): Promise<string> {
    return (
      await this.request('POST', '/v1/sessions', { agent, cwd: this.home.cwd, mode: 'bypass', ...more })
    ).id;
  }

  async stop(): Promise<void> {
    const exited = once(this.child, 'exit');
    await this.request('POST', '/v1/daemon/stop', { now: true });
    await exited;
  }
}

/** A raw keep-alive connection for POSTs: what a client's own stack costs stays out of the figures. */
export class RawClient {
  readonly #socket: Socket;
  readonly #daemon: BenchDaemon;

  private constructor(daemon: BenchDaemon, socket: Socket) {
    this.#daemon = daemon;
    this.#socket = socket;
    socket.on('data', () => undefined);
  }

  static async open(daemon: BenchDaemon): Promise<RawClient> {
    const socket = connect({ port: daemon.port, host: '127.0.0.1', noDelay: true });
    await once(socket, 'connect');
    return new RawClient(daemon, socket);
  }

  post(path: string, body: unknown): void {
    const text = JSON.stringify(body);
    this.#socket.write(
      `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1:${String(this.#daemon.port)}\r\nauthorization: Bearer ${this.#daemon.token}\r\n` +
        `content-type: application/json\r\ncontent-length: ${String(Buffer.byteLength(text))}\r\n\r\n${text}`,
    );
  }

  close(): void {
    this.#socket.destroy();
  }
}

/** A raw SSE subscriber of one session, or of all. */
export class RawStream {
  readonly #socket: Socket;
  readonly #waiting = new Set<{
    readonly marker: string;
    text: string;
    readonly resolve: (at: number) => void;
  }>();
  bytes = 0;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => {
      const at = performance.now();
      this.bytes += chunk.length;
      if (this.#waiting.size === 0) return;
      const text = chunk.toString('latin1');
      for (const waiting of this.#waiting) {
        waiting.text = (waiting.text + text).slice(-(256 + text.length));
        if (!waiting.text.includes(waiting.marker)) continue;
        this.#waiting.delete(waiting);
        waiting.resolve(at);
      }
    });
  }

  static async open(daemon: BenchDaemon, session?: string): Promise<RawStream> {
    const socket = connect({ port: daemon.port, host: '127.0.0.1', noDelay: true });
    await once(socket, 'connect');
    const stream = new RawStream(socket);
    const live = stream.next('event: stream.ready');
    socket.write(
      `GET /v1/${session === undefined ? '' : `sessions/${session}/`}events?after=0 HTTP/1.1\r\nhost: 127.0.0.1:${String(daemon.port)}\r\n` +
        `authorization: Bearer ${daemon.token}\r\naccept: text/event-stream\r\n\r\n`,
    );
    await live;
    return stream;
  }

  /** The moment at which this text comes by, from now on. Ask before what causes it. Rejects after a minute. */
  next(marker: string): Promise<number> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no ${marker} in a minute`)), 60_000);
      this.#waiting.add({
        marker,
        text: '',
        resolve: (at) => {
          clearTimeout(timer);
          resolve(at);
        },
      });
    });
  }

  /** Reads no more; the connection stays. */
  pause(): void {
    this.#socket.pause();
  }

  close(): void {
    this.#socket.destroy();
  }
}

/** Resident memory of one process, MB. */
export function rssMb(pid: number): number {
  const status = readFileSync(`/proc/${String(pid)}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) / 1024;
}

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
