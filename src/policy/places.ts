/**
 * Where a path of a call really is: links followed, `..` resolved, for a new file below the nearest folder that exists.
 * What cannot be said for certain is undefined. Asks the disk through the caller's port. Pure besides.
 */
import { dirname, isAbsolute, join, resolve, sep } from 'node:path';
import type { Files, PlacedPath, Workspace } from './types.ts';

export interface Place {
  readonly real: PlacedPath;
  readonly named: PlacedPath;
}

export class Places {
  readonly #files: Files;
  readonly #cwd: string;
  #realRoot: string | undefined;

  constructor(workspace: Workspace) {
    this.#files = workspace.files;
    this.#cwd = workspace.cwd;
  }

  /** Undefined when nobody can say where it is. */
  of(path: string): Place | undefined {
    // `~` is a home for some tools and a name for others; blanks at the ends are cut off by some.
    if (path === '' || path.startsWith('~') || path !== path.trim() || UNREADABLE.test(path))
      return undefined;
    if (path.length > MAX_LENGTH || (path.includes('..') && split(path).length > MAX_PARTS)) return undefined;
    if (!isAbsolute(this.#cwd)) return undefined;
    const named = resolve(this.#cwd, path);
    try {
      const real = this.#follow(named);
      // Some programs cut `link/..` off before they look, others follow the link first: where these differ, nobody knows.
      if (path.includes('..') && this.#walk(isAbsolute(path) ? path : unresolved(this.#cwd, path)) !== real)
        return undefined;
      this.#realRoot ??= this.#files.realpath(this.#cwd);
      // The agent may know the workspace by its name or by where it really is.
      const roots = [this.#realRoot, resolve(this.#cwd)];
      return { real: placed(real, [this.#realRoot]), named: placed(named, roots) };
    } catch {
      return undefined;
    }
  }

  /** The nearest parent that exists, followed, and what is not there yet behind it. */
  #follow(path: string): string {
    const missing: string[] = [];
    let at = path;
    for (;;) {
      const real = this.#real(at);
      if (real !== undefined) return missing.length === 0 ? real : join(real, ...missing.toReversed());
      const parent = dirname(at);
      if (parent === at) return path;
      missing.push(at.slice(parent === sep ? 1 : parent.length + 1));
      at = parent;
    }
  }

  /** Part by part, as the system does it. */
  #walk(path: string): string {
    let at: string = sep;
    for (const part of path.split(sep)) {
      if (part === '' || part === '.') continue;
      at = part === '..' ? dirname(at) : this.#follow(join(at, part));
    }
    return at;
  }

  /** Undefined when nothing is there. A link to nothing throws: writing to it makes a file where it points. */
  #real(path: string): string | undefined {
    try {
      return this.#files.realpath(path);
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
    try {
      this.#files.lstat(path);
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
    throw new Error(`${path} is a link to nothing`);
  }
}

function placed(path: string, roots: readonly string[]): PlacedPath {
  const root = roots.find((one) => isBelow(path, one));
  return {
    path,
    segments: split(path),
    inside: root === undefined ? undefined : split(path).slice(split(root).length),
    above: root === undefined && roots.some((one) => isBelow(one, path)),
  };
}

function isBelow(path: string, root: string): boolean {
  return path === root || path.startsWith(root === sep ? sep : `${root}${sep}`);
}

/** Longer ones no system opens. */
const MAX_LENGTH = 4096;
/** Of a path with `..`, which is looked at part by part. */
const MAX_PARTS = 100;
// eslint-disable-next-line no-control-regex
const UNREADABLE = /[\u0000-\u001f]/;

/** Without resolving `..`, which is what `join` does. */
function unresolved(cwd: string, path: string): string {
  return `${cwd}${sep}${path}`;
}

function split(path: string): string[] {
  return path.split(sep).filter((part) => part !== '');
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
