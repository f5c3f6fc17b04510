/**
 * Which starts of an agent are alike, so that one process may stand in for another (R21).
 * Owns the fingerprint: all that a process is started with in one hash, and what it reads from the disk at its start in another. Values of the
 * environment are in the first, so neither is ever written anywhere.
 */
import { createHash } from 'node:crypto';
import { readFile, realpath, stat } from 'node:fs/promises';
import type { AgentBinary, AgentSettings, Ahead, Dialect } from './dialect.ts';

export interface StartKey {
  /** Equal for starts that differ in nothing but the session that they are for. */
  readonly key: string;
  /** The binary and the files that it reads at its start, as they are now. */
  readonly stamp: string;
  /** Why no process may be started ahead all the same. */
  readonly refusal?: string;
}

/** A file longer than this is no configuration: its size and time stand for it. */
const MOST_READ = 4 * 1024 * 1024;

/** Undefined where the start itself would be refused. */
export async function startKeyOf(
  dialect: Dialect<unknown>,
  of: { readonly binary: AgentBinary; readonly settings: AgentSettings },
): Promise<StartKey | undefined> {
  const { binary, settings } = of;
  const { ahead } = dialect;
  const key = keyIn(dialect, binary, nobodys(settings));
  return ahead === undefined || key === undefined ? undefined : { key, ...(await readAtStart(ahead, of)) };
}

/** What the start would read now. */
export async function readAtStart(
  ahead: Ahead,
  { binary, settings }: { readonly binary: AgentBinary; readonly settings: AgentSettings },
): Promise<Omit<StartKey, 'key'>> {
  const [file, read] = await Promise.all([stampOf(binary.path), readAll(ahead.reads(settings))]);
  const texts = new Map(read.flatMap(([path, text]) => (text === undefined ? [] : [[path, text] as const])));
  const refusal = ahead.refusal(texts);
  const stamp = hash([file, read]);
  return { stamp, ...(refusal === undefined ? {} : { refusal }) };
}

/** Equal for sessions whose conversations would be opened alike in one process, with what that reads now. Undefined where none is opened ahead. */
export async function conversationKeyOf(ahead: Ahead, settings: AgentSettings): Promise<string | undefined> {
  const reads = ahead.conversation?.(settings);
  return reads === undefined ? undefined : hash([nobodys(settings), await readAll(reads)]);
}

/** What stands for one session only is the same for all. */
function nobodys(settings: AgentSettings): AgentSettings {
  const { resume: _, secrets: __, ...rest } = settings;
  const mcp = settings.mcp === undefined ? {} : { mcp: { ...settings.mcp, filesAt: '/' } };
  return { ...rest, ...mcp, session: '', freshId: '00000000-0000-4000-8000-000000000000' };
}

function keyIn(dialect: Dialect<unknown>, binary: AgentBinary, settings: AgentSettings): string | undefined {
  try {
    const { file, args, env, files = [] } = dialect.plan(binary, settings);
    // The environment is in the plan, as the agent gets it.
    const { env: _, ...rest } = settings;
    return hash([dialect.agent, file, args, sorted(env), files, rest]);
  } catch {
    return undefined;
  }
}

/** An agent that was updated has another file behind its path, or another time. */
async function stampOf(path: string): Promise<unknown> {
  try {
    const real = await realpath(path);
    const { dev, ino, size, mtimeMs } = await stat(real);
    return [real, dev, ino, size, mtimeMs];
  } catch {
    return [];
  }
}

async function readAll(paths: readonly string[]): Promise<(readonly [string, string | undefined])[]> {
  return Promise.all(paths.map(async (path) => [path, await textOf(path)] as const));
}

/** Undefined for one that is not there. One that cannot be read is an empty one, which no reader takes for a configuration. */
async function textOf(path: string): Promise<string | undefined> {
  try {
    const { size, mtimeMs } = await stat(path);
    return size > MOST_READ ? `${String(size)} ${String(mtimeMs)}` : await readFile(path, 'utf8');
  } catch (error) {
    return isAbsent(error) ? undefined : '';
  }
}

function isAbsent(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'ENOENT' || code === 'ENOTDIR';
}

function sorted(env: Readonly<Record<string, string>>): readonly (readonly [string, string])[] {
  return Object.entries(env).toSorted(([a], [b]) => (a < b ? -1 : 1));
}

function hash(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('base64url');
}
