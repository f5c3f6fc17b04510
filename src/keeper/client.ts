/**
 * The daemon's side of a keeper: finds one, or starts one, and holds children through it behind the same port as direct ones.
 * Used only by the holder of the journal's lock, so that there is one at a time. A keeper that died has its trees reaped before another is started.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { within } from '../async/awake.ts';
import { endProcess, waitUntilGone } from '../process/ladder.ts';
import type { LadderTimes } from '../process/ports.ts';
import { reapDead } from '../process/reap.ts';
import { socketPath } from '../process/socket-path.ts';
import { messageOf, PilotlightError } from '../protocol/errors.ts';
import { findKeeper, type Found } from './find.ts';
import { FrameReader, PROTOCOL, send, type Report, type RestartCommand } from './frames.ts';
import { readReport } from './headers.ts';
import { KeptHost } from './kept-host.ts';

export interface ConnectOptions {
  readonly home: string;
  readonly homeId: string;
  readonly generation: number;
  /** Of this daemon: an idle keeper of another version is replaced. */
  readonly version: string;
  /** How the keeper starts a daemon that vanished; undefined: it does not. */
  readonly restartCommand?: RestartCommand;
  /** The environment that the keeper's own (minimal) one is taken from. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly graceMs?: number;
  readonly ladder?: Partial<LadderTimes>;
  /** Bounds of the keeper, for tests. */
  readonly settings?: Readonly<Record<string, number>>;
  readonly helloMs?: number;
  readonly spawnMs?: number;
  /** A listener of a child threw what it never should. */
  readonly onError?: (error: unknown) => void;
}

/** A keeper that is not ended for being slow: its agents would end with it. */
const HELLO_MS = 15_000;
const START_MS = 10_000;
/** Between the end of a process's sockets and its own. */
const GONE_MS = 2000;
const ATTEMPTS = 3;
const ENTRY = new URL(import.meta.url.endsWith('.ts') ? './main.ts' : './main.js', import.meta.url);

/** Connects to the home's keeper, started if need be. Rejects with `keeper_lost`. */
export async function connectKeeper(options: ConnectOptions): Promise<KeptHost> {
  let last: unknown;
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const running = findKeeper(options.home);
    let found = running;
    try {
      found ??= await startKeeper(options);
      const host = await greet(found, options);
      // One that was started just now is what is installed, whatever it says: another would be the same.
      if (running === undefined || found.version === options.version || host.childCount() > 0) return host;
      // An idle keeper of another version makes room for one of ours.
      await host.stop();
    } catch (error) {
      last = error;
      const silent = error instanceof PilotlightError && error.code === 'timeout';
      // One that closes the door has another daemon, a newer one: it is not ours to end.
      // One that ends closes its sockets a moment before it is gone.
      if (found === undefined) continue;
      if (!silent && !(await waitUntilGone(found.identity, GONE_MS))) break;
      // One that lives and does not answer is ended, after its identity was checked, and what it held is reaped.
      await endProcess(found.identity);
    }
    await clear(options);
  }
  throw new PilotlightError('keeper_lost', `No keeper could be had for ${options.home}: ${messageOf(last)}`, {
    fix: `See ${join(options.home, 'logs', 'keeper.log')}.`,
    cause: last,
  });
}

async function startKeeper(options: ConnectOptions): Promise<Found> {
  await clear(options);
  const { home, env } = options;
  const runtimeDir = env['XDG_RUNTIME_DIR'];
  const settings = {
    ...options.settings,
    ...(options.graceMs === undefined ? {} : { graceMs: options.graceMs }),
    ...(options.ladder === undefined ? {} : { ladder: options.ladder }),
    ...(runtimeDir === undefined ? {} : { runtimeDir }),
  };
  const kept: Record<string, string> = {};
  for (const name of ['PATH', 'HOME', 'LANG', 'XDG_RUNTIME_DIR', 'TMPDIR']) {
    const value = env[name];
    if (value !== undefined) kept[name] = value;
  }
  const child = fork(ENTRY, [home, JSON.stringify(settings)], {
    detached: true,
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    env: kept,
    cwd: '/',
    execArgv: [],
  });
  child.on('error', () => undefined);
  try {
    const ready = once(child, 'message');
    const exited = once(child, 'exit').then(([code]) => {
      throw new PilotlightError('keeper_lost', `The keeper ended at its start (code ${String(code)})`);
    });
    await within(
      Promise.race([ready, exited]),
      START_MS,
      () => new PilotlightError('keeper_lost', 'The keeper did not come up'),
    );
  } finally {
    if (child.connected) child.disconnect();
    child.unref();
  }
  const found = findKeeper(home);
  if (found === undefined) throw new PilotlightError('keeper_lost', 'The keeper came up and is gone');
  return found;
}

/** Before anything is started in its place: what a dead keeper held is ended, its files go. */
async function clear(options: ConnectOptions): Promise<void> {
  const { home, homeId } = options;
  await reapDead({ recordDir: join(home, 'processes'), homeId, keepIds: [], home });
  rmSync(join(options.home, 'keeper.json'), { force: true });
  rmSync(socketPath(join(options.home, 'keeper.sock'), options.env['XDG_RUNTIME_DIR']), { force: true });
}

async function greet(found: Found, options: ConnectOptions): Promise<KeptHost> {
  if (found.protocol !== PROTOCOL)
    throw new PilotlightError('keeper_lost', `The keeper speaks protocol ${String(found.protocol)}`);
  const socket = connect(found.socket);
  const frames = new FrameReader();
  const welcomed = Promise.withResolvers<Extract<Report, { t: 'welcome' }>>();
  let host: KeptHost | undefined;
  // One child's listener that throws does not cost the others their connection.
  const tell = (report: Report, body: Buffer): void => {
    try {
      host?.hear(report, body);
    } catch (error) {
      options.onError?.(error);
    }
  };
  socket.on('error', (error) => {
    welcomed.reject(error);
  });
  socket.on('close', () => {
    welcomed.reject(new PilotlightError('keeper_lost', 'The keeper closed the connection'));
    host?.lose('the keeper is gone');
  });
  socket.on('data', (bytes) => {
    try {
      for (const { header, body } of frames.push(bytes)) {
        const report = readReport(header);
        if (report?.t === 'welcome') welcomed.resolve(report);
        else if (report !== undefined) tell(report, body);
      }
    } catch {
      socket.destroy();
    }
  });
  const { homeId, generation, restartCommand } = options;
  const restart = restartCommand === undefined ? {} : { restart: restartCommand };
  send(socket, { t: 'hello', v: PROTOCOL, secret: found.secret, generation, pid: process.pid, ...restart });
  try {
    const welcome = await within(welcomed.promise, options.helloMs ?? HELLO_MS, () => noAnswer(found));
    host = new KeptHost({
      socket,
      welcome,
      homeId,
      home: options.home,
      reap: () => reapLost(found, options),
      ...(options.spawnMs === undefined ? {} : { spawnMs: options.spawnMs }),
    });
    return host;
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

function noAnswer(found: Found): PilotlightError {
  return new PilotlightError('timeout', `The keeper ${String(found.identity.pid)} does not answer`);
}

/** Only of a keeper that is gone: one that lives has turned to a newer daemon, whose children these are now. */
async function reapLost(found: Found, options: ConnectOptions): Promise<void> {
  if (!(await waitUntilGone(found.identity, GONE_MS))) return;
  const { home, homeId } = options;
  await reapDead({ recordDir: join(home, 'processes'), homeId, keepIds: [], home });
}
