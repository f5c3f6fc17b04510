/**
 * The home directory: who may read it and where things lie in it. The files in it that name pids only inform; the lock is the journal's.
 */
import { chmodSync, mkdirSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { messageOf, PilotlightError } from '../protocol/index.ts';

export interface Home {
  readonly path: string;
  readonly journal: string;
  readonly token: string;
  /** The scoped ones. */
  readonly tokens: string;
  /** Workspaces that somebody trusted. */
  readonly trusted: string;
  readonly daemonFile: string;
  readonly socket: string;
  readonly secrets: string;
  readonly processes: string;
  readonly logs: string;
}

/** Makes the home (0700) and its folders. Refuses a home of another user. */
export function openHome(path: string): Home {
  try {
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === false)
      throw new PilotlightError('bad_request', `The home ${path} is not a directory`, {
        fix: 'Give another one with --home.',
      });
    mkdirSync(path, { recursive: true, mode: 0o700 });
    const { uid } = statSync(path);
    if (uid !== userInfo().uid)
      throw new PilotlightError('bad_request', `The home ${path} belongs to another user`, {
        fix: 'Give another one with --home.',
      });
    chmodSync(path, 0o700);
    for (const folder of ['secrets', 'processes', 'logs', 'spool'])
      mkdirSync(join(path, folder), { recursive: true, mode: 0o700 });
  } catch (error) {
    const known = homeFault(error, path);
    if (known instanceof PilotlightError) throw known;
    throw new PilotlightError('journal_unusable', `The home ${path} cannot be used: ${messageOf(error)}`, {
      fix: 'Mend its permissions, or give another one with --home.',
      cause: error,
    });
  }
  return {
    path,
    journal: join(path, 'journal.db'),
    token: join(path, 'token'),
    tokens: join(path, 'tokens.json'),
    trusted: join(path, 'trusted.json'),
    daemonFile: join(path, 'daemon.json'),
    socket: join(path, 'daemon.sock'),
    secrets: join(path, 'secrets'),
    processes: join(path, 'processes'),
    logs: join(path, 'logs'),
  };
}

/** What the system said of a file of the home, as it is told: no room, or no permission. Anything else is as it was. */
export function homeFault(error: unknown, path: string): unknown {
  if (error instanceof PilotlightError || !(error instanceof Error) || !('code' in error)) return error;
  const { code } = error;
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new PilotlightError('journal_full', `There is no room in ${path}: ${messageOf(error)}`, {
      fix: `Free space on the disk of ${path}, then start again.`,
      detail: { path },
      cause: error,
    });
  if (code === 'EROFS' || code === 'EACCES' || code === 'EPERM')
    return new PilotlightError('journal_unusable', `The home ${path} cannot be used: ${messageOf(error)}`, {
      fix: 'Mend its permissions, or give another one with --home.',
      detail: { path },
      cause: error,
    });
  return error;
}

/** Writes a JSON file so that a reader sees the old one or the new one, never half. */
export function writeJson(file: string, value: unknown): void {
  writeFileSync(`${file}.new`, `${JSON.stringify(value, undefined, 2)}\n`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}
