/**
 * Finds an agent's binary (R22): a configured path, then PATH, then the usual install folders. Reads its version, bounded.
 * Owns a short memory of what was found. Never starts an agent.
 */
import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access, readdir, realpath, stat } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { AgentView } from '../protocol/index.ts';

const VERSION_TIMEOUT_MS = 5000;
const run = promisify(execFile);

export interface FindOptions {
  /** The command's name: `claude`, `codex`. */
  readonly command: string;
  /** From the configuration (`agents.<id>.path`); nothing else is looked at then. */
  readonly configured?: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Whether to ask the binary for its version (a process; up to 5 s). */
  readonly withVersion: boolean;
}

export type Found = Pick<AgentView, 'path' | 'version' | 'available' | 'problem'>;

export async function findAgent(options: FindOptions): Promise<Found> {
  const { command, configured, env } = options;
  const candidates =
    configured === undefined ? [...onPath(command, env), ...usual(command, env)] : [configured];
  for (const candidate of candidates) {
    if (!(await isExecutable(candidate))) continue;
    const path = await nativeOf(candidate, command);
    if (!options.withVersion) return { path, available: true };
    return asked(path, command, env);
  }
  const problem =
    configured === undefined
      ? `${command} was not found on PATH or in the usual folders: install it, or set agents.${command}.path in config.toml`
      : `agents.${command}.path is ${configured}, which is not an executable file`;
  return { available: false, problem };
}

async function asked(path: string, command: string, env: FindOptions['env']): Promise<Found> {
  try {
    const { stdout } = await run(path, ['--version'], {
      timeout: VERSION_TIMEOUT_MS,
      env: { ...env, DISABLE_AUTOUPDATER: '1' },
    });
    const version = /\d+\.\d+\.\d+[\w.-]*/.exec(stdout)?.[0];
    if (version === undefined)
      return { path, available: true, problem: `${command} --version printed no version` };
    return { path, version, available: true };
  } catch (error) {
    const why = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
    return { path, available: false, problem: `${path} does not start: ${why}` };
  }
}

function onPath(command: string, env: FindOptions['env']): string[] {
  return (env['PATH'] ?? '')
    .split(delimiter)
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, command));
}

function usual(command: string, env: FindOptions['env']): string[] {
  const home = env['HOME'];
  const own =
    home === undefined
      ? []
      : ['.local/bin', '.claude/local', '.npm-global/bin', '.volta/bin', '.bun/bin'].map((at) =>
          join(home, at),
        );
  return [...own, '/usr/local/bin', '/opt/homebrew/bin', '/usr/bin'].map((folder) => join(folder, command));
}

/**
 * Codex's npm command is a Node script that starts the native binary and, on older Nodes, stays as its parent (41 MB, one more pid):
 * the binary itself is taken where it can be found beside the script.
 */
async function nativeOf(candidate: string, command: string): Promise<string> {
  if (command !== 'codex') return candidate;
  const script = await realpath(candidate).catch(() => candidate);
  if (!script.endsWith('.js')) return candidate;
  const scope = join(dirname(script), '..', '..');
  const platforms = await readdir(scope).catch((): string[] => []);
  for (const name of platforms.filter((entry) => entry.startsWith('codex-'))) {
    const vendor = join(scope, name, 'vendor');
    for (const triple of await readdir(vendor).catch((): string[] => [])) {
      const binary = join(vendor, triple, 'bin', 'codex');
      if (await isExecutable(binary)) return binary;
    }
  }
  return candidate;
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}
