/** The command line in a process of its own. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { TestHome } from './daemon.ts';

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const ENTRY = new URL('../../bin/pilotlight.js', import.meta.url).pathname;

/** Runs one command with this home until it has ended, 40 s at most. */
export async function cli(
  home: Pick<TestHome, 'path' | 'env'>,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Ran> {
  return run([ENTRY, ...args, '--home', home.path], {
    ...home.env,
    ...env,
  });
}

/** Runs node (or another executable) until it has ended, 40 s at most. */
export async function run(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  file = process.execPath,
): Promise<Ran> {
  const child = spawn(file, [...args], {
    env: { ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 40_000,
    killSignal: 'SIGKILL',
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const [code, signal] = await once(child, 'close');
  if (typeof code !== 'number') throw new Error(`ended by ${String(signal)}: ${stdout}${stderr}`);
  return { code, stdout, stderr };
}
