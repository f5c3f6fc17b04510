/** A directory: whether it is there, and how it can be named. */
import { realpathSync, statSync } from 'node:fs';
import { PilotlightError } from '../protocol/errors.ts';

/** Throws `spawn_failed`, which says `what` (`… was not started`), when `cwd` is no directory. */
export function mustBeDirectory(cwd: string, what: string): void {
  if (!isDirectory(cwd))
    throw new PilotlightError('spawn_failed', `${what}: its directory ${cwd} does not exist`, {
      fix: 'Create the directory, or a session elsewhere.',
    });
}

export function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

/** The ways to name it: as it is given, and with its links followed. */
export function namesOf(directory: string): readonly string[] {
  try {
    return [...new Set([directory, realpathSync.native(directory)])];
  } catch {
    return [directory];
  }
}
