/**
 * Starting, finding and ending a daemon's process. The daemon says on file descriptor 3 that it is up, or why not.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { sleep } from '../async/after.ts';
import { connectHome } from '../client/index.ts';
import { isAlive, openHome, processEnvironment, readConfig } from '../daemon/index.ts';
import { ERROR_TABLE, messageOf, PilotlightError, type ErrorCode } from '../protocol/index.ts';
import type { Output } from './output.ts';

const MAIN = new URL(
  import.meta.url.endsWith('.ts') ? '../daemon/main.ts' : '../daemon/main.js',
  import.meta.url,
).pathname;
/**
 * A small young generation: about 11 MB less at start. Without V8's middle compiler: it takes 30 MB for itself once a few hundred requests have come,
 * and never gives them back. Nothing is lost by either in the benches.
 */
export const DAEMON_FLAGS: readonly string[] = ['--max-semi-space-size=2', '--no-maglev'];
const START_MS = 30_000;
const SILENT_MS = 3000;
const LOOK_MS = 100;

const Ready = z.union([
  z.looseObject({ ok: z.literal(true), pid: z.number().optional(), url: z.string().optional() }),
  z.object({
    ok: z.literal(false),
    error: z.object({
      code: z.string(),
      message: z.string(),
      fix: z.string().optional(),
      detail: z.record(z.string(), z.unknown()).optional(),
    }),
  }),
]);

const DaemonFile = z.object({
  pid: z.number(),
  startTime: z.string(),
  url: z.string(),
  version: z.string(),
  command: z.object({ file: z.string(), args: z.array(z.string()) }),
});
export type DaemonFile = z.infer<typeof DaemonFile>;

export interface Started {
  readonly pid: number;
  readonly url: string;
}

interface Launched extends Started {
  /** Its process is gone. */
  readonly left: Promise<unknown>;
}

export interface Command {
  readonly file: string;
  readonly args: readonly string[];
}

/** This version's daemon for a home. */
export function ownCommand(home: string, args: readonly string[]): Command {
  return { file: process.execPath, args: [...DAEMON_FLAGS, MAIN, '--home', home, ...args] };
}

/** Runs a daemon process detached until it says that it is up. Rejects with what it says. */
export async function launch(home: string, command: Command): Promise<Launched> {
  const { line, left } = await firstLine(home, command);
  if (line.ok) return { pid: line.pid ?? 0, url: line.url ?? '', left };
  const { code, message, fix, detail } = line.error;
  throw new PilotlightError(isCode(code) ? code : 'internal', message, {
    ...(fix === undefined ? {} : { fix }),
    ...(detail === undefined ? {} : { detail }),
  });
}

async function firstLine(
  home: string,
  command: Command,
): Promise<{ readonly line: z.infer<typeof Ready>; readonly left: Promise<unknown> }> {
  const file = join(home, 'logs', 'daemon.err');
  const log = openLog(home, file);
  const child = spawn(command.file, [...command.args], {
    cwd: home,
    env: { ...processEnvironment() },
    detached: true,
    stdio: ['ignore', log, log, 'pipe'],
  });
  closeSync(log);
  child.unref();
  const left = once(child, 'exit').catch(() => undefined);
  const pipe = child.stdio[3];
  if (!pipe || !('setEncoding' in pipe))
    throw new PilotlightError('internal', 'The daemon has no pipe to say that it is up');
  const said = Promise.withResolvers<string | undefined>();
  const lines = createInterface({ input: pipe });
  lines.once('line', said.resolve);
  lines.once('close', () => said.resolve(undefined));
  child.once('error', () => said.resolve(undefined));
  const late = new AbortController();
  const text = await Promise.race([said.promise, sleep(startMs(home), late.signal).then(() => undefined)]);
  late.abort();
  lines.close();
  pipe.destroy();
  if (text !== undefined) return { line: Ready.parse(JSON.parse(text)), left };
  throw new PilotlightError('internal', `The daemon did not come up. The end of ${file}:\n${tail(file)}`, {
    fix: 'See `pilotlight logs`.',
  });
}

/** A keyring is asked up to three times, each within its own bound. */
function startMs(home: string): number {
  try {
    const { store, keyringTimeoutMs } = readConfig(home, processEnvironment()).secrets;
    return store === 'keyring' ? START_MS + 3 * keyringTimeoutMs : START_MS;
  } catch {
    // The daemon says what is wrong with it.
    return START_MS;
  }
}

function openLog(home: string, file: string): number {
  // Nothing is written into what is no home of ours.
  openHome(home);
  try {
    return openSync(file, 'a', 0o600);
  } catch (cause) {
    throw new PilotlightError('journal_unusable', `The home ${home} cannot be used: ${messageOf(cause)}`, {
      fix: 'Mend its permissions, or give another one with --home.',
      cause,
    });
  }
}

/** What daemon.json says, when it names a process that lives. */
export function recordedDaemon(home: string): DaemonFile | undefined {
  try {
    const found = DaemonFile.parse(JSON.parse(readFileSync(join(home, 'daemon.json'), 'utf8')));
    return isAlive(found) ? found : undefined;
  } catch {
    return undefined;
  }
}

/** Whether a keeper of this home lives. */
export function keeperLives(home: string): boolean {
  try {
    const read = z
      .object({ pid: z.number(), startTime: z.string() })
      .parse(JSON.parse(readFileSync(join(home, 'keeper.json'), 'utf8')));
    return isAlive(read);
  } catch {
    return false;
  }
}

/** Resolves with whether the process is gone within `ms`. */
export async function ended(
  process_: { readonly pid: number; readonly startTime: string },
  ms: number,
): Promise<boolean> {
  const deadline = performance.now() + ms;
  while (isAlive(process_)) {
    if (performance.now() > deadline) return false;
    await sleep(30);
  }
  return true;
}

/** Whether a daemon answers for this home. */
export async function answers(home: string): Promise<DaemonFile | undefined> {
  const found = recordedDaemon(home);
  if (found === undefined) return undefined;
  try {
    const client = await connectHome({ home, retryMs: 0 });
    await client.health({ timeoutMs: 3000 });
    return found;
  } catch {
    return undefined;
  }
}

/** A daemon for this home: the one that runs, or a new one. Two at once both come out here with the same one. */
export async function startOrFind(
  home: string,
  args: readonly string[] = [],
): Promise<Started & { readonly already: boolean }> {
  const running = (await answers(home)) ?? (await silentOne(home));
  if (running !== undefined) return { ...running, already: true };
  try {
    const { pid, url } = await launch(home, ownCommand(home, args));
    return { pid, url, already: false };
  } catch (error) {
    if (!(error instanceof PilotlightError) || error.code !== 'journal_locked') throw error;
    return { ...(await otherStarter(home)), already: true };
  }
}

/** One that has said where it listens has no reason to be silent for long: it answers, is gone (it was leaving), or hangs. */
async function silentOne(home: string): Promise<DaemonFile | undefined> {
  const began = performance.now();
  for (;;) {
    const holder = recordedDaemon(home);
    if (holder === undefined) return undefined;
    if (performance.now() - began > SILENT_MS) throw silentDaemon(home, holder.pid);
    const other = await answers(home);
    if (other !== undefined) return other;
    await sleep(LOOK_MS);
  }
}

/** Somebody else holds the home and may not have said yet where it listens. */
async function otherStarter(home: string): Promise<DaemonFile> {
  const began = performance.now();
  for (;;) {
    const other = await silentOne(home);
    if (other !== undefined) return other;
    if (performance.now() - began > START_MS) throw silentDaemon(home, undefined);
    await sleep(LOOK_MS);
  }
}

/** A daemon that has the home and does not answer. */
export function silentDaemon(home: string, pid: number | undefined, cause?: unknown): PilotlightError {
  const who = pid === undefined ? 'A process' : `The daemon ${String(pid)}`;
  return new PilotlightError('no_daemon', `${who} holds ${home} and does not answer`, {
    fix: '`pilotlight start --replace` ends it and takes over; its agents go on.',
    cause,
    ...(pid === undefined ? {} : { detail: { pid } }),
  });
}

/** For commands that need a daemon: says so when it had to be started. */
export async function ensureDaemon(home: string, output: Output): Promise<void> {
  const started = await startOrFind(home);
  if (!started.already) output.note(`Started a daemon (${started.url}); \`pilotlight stop\` ends it.`, 'dim');
}

function isCode(code: string): code is ErrorCode {
  return code in ERROR_TABLE;
}

function tail(file: string): string {
  try {
    return readFileSync(file, 'utf8').split('\n').slice(-12).join('\n');
  } catch {
    return '(it cannot be read)';
  }
}
