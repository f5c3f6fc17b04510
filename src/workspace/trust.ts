/**
 * Which directory trust is about, what of a directory is the repository's own, and whether somebody has trusted it.
 * Owns the meaning of a trusted directory and of `workspace.trusted`. Reads the disk, writes nothing.
 */
import { lstat, readdir, readFile, realpath } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';

export interface Ground {
  /** The directory itself, by its real path. */
  readonly path: string;
  /** From it upwards to the root of its repository; without a repository up to `/`. */
  readonly upwards: readonly string[];
  /** The nearest directory at or above it that has a `.git` with something in it. */
  readonly repository?: string;
}

/** Rejects when the directory is not there. */
export async function groundOf(directory: string): Promise<Ground> {
  const path = await realpath(directory);
  const upwards: string[] = [];
  for (let at = path; ; at = dirname(at)) {
    upwards.push(at);
    if (await isThere(join(at, '.git'))) return { path, upwards, repository: at };
    if (at === dirname(at)) return { path, upwards };
  }
}

/** What is put on the list when this directory is trusted: the whole repository, or the directory where there is none. */
export function workspaceOf({ path, repository }: Ground): string {
  return repository ?? path;
}

/** Trust reaches down to directories below, but not into another repository that lies there. */
export function isListed({ upwards }: Ground, listed: ReadonlySet<string>): boolean {
  return upwards.some((directory) => listed.has(directory));
}

/** `patterns`: of the configuration; those reach down into other repositories too. */
export function isConfigured({ path }: Ground, patterns: readonly RegExp[]): boolean {
  return patterns.some((pattern) => pattern.test(path));
}

/** A directory or a glob (`*` within a name, `**` any number of names) with all that is below. A plain directory is meant by its real path. */
export async function patternOf(text: string): Promise<RegExp> {
  const meant = text.includes('*') ? text : await realpath(text).catch(() => resolve(text));
  const source = meant
    .replace(/(?<=.)\/+$/, '')
    .split('/')
    .map((name) => (name === '**' ? '.*' : name.split(/\*+/).map(escaped).join('[^/]*')))
    .join('/');
  return new RegExp(`^${source === '/' ? '' : source}(?:/.*)?$`, 's');
}

function escaped(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`);
}

/**
 * Of `names` (files and directories of a repository that an agent reads by itself) those that are there, at the directory or above it, as paths.
 * They are looked for and not read.
 */
export async function foundOf({ upwards, repository }: Ground, names: readonly string[]): Promise<string[]> {
  // Above a directory without a repository everything is somebody else's.
  const directories = repository === undefined ? upwards.slice(0, 1) : upwards;
  const all = directories.flatMap((directory) => names.map((name) => join(directory, name)));
  const there = await Promise.all(all.map(isThere));
  return all.filter((_, at) => there[at]);
}

/** The directories by which an agent may know this one: itself, its repository, and the one that it is a worktree of. */
export async function rootsOf({ path, repository }: Ground): Promise<string[]> {
  const main = repository === undefined ? undefined : await worktreeOf(repository);
  return [...new Set([path, repository ?? path, main ?? path])];
}

/** A worktree has a file that names `<repository>/.git/worktrees/<name>`. */
async function worktreeOf(repository: string): Promise<string | undefined> {
  const text = await readFile(join(repository, '.git'), 'utf8').catch(() => '');
  const gitDirectory = /^gitdir: (.*)$/m.exec(text.slice(0, 5000))?.[1]?.trim();
  if (gitDirectory === undefined) return undefined;
  const parts = resolve(repository, gitDirectory).split(sep);
  return parts.at(-2) === 'worktrees' && parts.at(-3) === '.git' ? parts.slice(0, -3).join(sep) : undefined;
}

/**
 * An empty directory says nothing. Codex's sandbox puts such (`.git`, `.codex` …) into every place that a command may write to, `/tmp` too, while it runs, and
 * leaves them there when it is killed (0.169.0).
 */
async function isThere(path: string): Promise<boolean> {
  const found = await lstat(path).catch(() => undefined);
  if (found?.isDirectory() !== true) return found !== undefined;
  const names = await readdir(path).catch(() => ['unreadable']);
  return names.length > 0;
}
