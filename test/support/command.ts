/** The command line as a person or a script has it: a process of its own, its output, its exit code. */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import type { TestHome } from './daemon.ts';

const ENTRY = new URL('../../bin/pilotlight.js', import.meta.url).pathname;
/** Longer than anything that a test runs; what is slower than that hangs. */
const MOST_MS = 45_000;

export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly ms: number;
}

export interface RunOptions {
  readonly stdin?: string;
  readonly env?: Readonly<Record<string, string>>;
}

export interface Running {
  readonly child: ChildProcessWithoutNullStreams;
  /** Its exit code; listened for from the start, so that an early end is not missed. */
  readonly ended: Promise<number | null>;
}

/** Starts it; its home is the test's. */
export function command(
  home: TestHome,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Running {
  const child = spawn(process.execPath, [ENTRY, ...args], {
    cwd: home.cwd,
    env: { ...home.env, PILOTLIGHT_HOME: home.path, ...env },
    timeout: MOST_MS,
    killSignal: 'SIGKILL',
  });
  return { child, ended: once(child, 'exit').then(() => child.exitCode) };
}

/** Runs it to its end. */
export async function pilotlight(
  home: TestHome,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Ran> {
  const began = performance.now();
  const { child } = command(home, args, options.env);
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  child.stdin.end(options.stdin ?? '');
  await once(child, 'close');
  return { code: child.exitCode, stdout, stderr, ms: performance.now() - began };
}

/** A line of sh in which `pilotlight` is the command; its redirections are the shell's. */
export async function shell(home: TestHome, line: string): Promise<{ code: number | null; stderr: string }> {
  const env = { ...home.env, PILOTLIGHT_HOME: home.path, NODE: process.execPath, ENTRY };
  const child = spawn('/bin/sh', ['-c', `pilotlight() { "$NODE" "$ENTRY" "$@"; }; ${line}`], {
    cwd: home.cwd,
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: MOST_MS,
    killSignal: 'SIGKILL',
  });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  await once(child, 'close');
  return { code: child.exitCode, stderr };
}

/** Resolves with what stdout or stderr has had, once `wanted` is in it. Rejects when the process ends before. */
export async function said(child: ChildProcessWithoutNullStreams, wanted: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let text = '';
  const hear = (chunk: Buffer): void => {
    text += chunk.toString();
    if (text.includes(wanted)) resolve(text);
  };
  child.stdout.on('data', hear);
  child.stderr.on('data', hear);
  child.once('close', () => reject(new Error(`ended without ${JSON.stringify(wanted)}: ${text}`)));
  return promise;
}
