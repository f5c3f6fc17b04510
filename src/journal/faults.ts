/**
 * What a failure of SQLite means to a caller. Owns the way from `errcode` to a code of Pilotlight.
 * Never deletes or mends anything: a journal that cannot be read is for a person to look at.
 */
import { statfsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { messageOf, PilotlightError } from '../protocol/index.ts';

const BUSY = 5;
const LOCKED = 6;
const READONLY = 8;
const IOERR = 10;
const FULL = 13;
const CANTOPEN = 14;
const NOTADB = 26;

/** Less than this free and an I/O error is taken for a full disk. */
const NO_ROOM_BYTES = 1024 * 1024;

/** The primary result code; extended codes carry it in their low byte. Undefined when SQLite did not throw this. */
function resultCode(thrown: unknown): number | undefined {
  if (!(thrown instanceof Error) || !('errcode' in thrown)) return undefined;
  return typeof thrown.errcode === 'number' ? thrown.errcode & 0xff : undefined;
}

export function isBusy(thrown: unknown): boolean {
  const code = resultCode(thrown);
  return code === BUSY || code === LOCKED;
}

/** The error of a transaction that failed, as its callers see it. */
export function faultOf(thrown: unknown, path: string | undefined): PilotlightError {
  if (thrown instanceof PilotlightError) return thrown;
  const code = resultCode(thrown);
  const where = path ?? 'in memory';
  if (code === FULL || (code === IOERR && path !== undefined && noRoom(path)))
    return new PilotlightError('journal_full', `There is no room for the journal (${where})`, {
      fix: `Free space on the disk of ${where}; work goes on by itself.`,
      detail: { path: where },
      cause: thrown,
    });
  return new PilotlightError('journal_unusable', `The journal ${where} failed: ${messageOf(thrown)}`, {
    fix: fixOf(code, where),
    detail: { path: where, ...(code === undefined ? {} : { sqlite: code }) },
    cause: thrown,
  });
}

function fixOf(code: number | undefined, where: string): string {
  if (code === CANTOPEN && isDirectory(where))
    return `${where} is a directory: move it away, or give another home.`;
  switch (code) {
    case READONLY:
    case CANTOPEN:
      return `Make ${where} and its folder writable for this user.`;
    case NOTADB:
      return `${where} is another kind of file: move it away, or give another home.`;
    case IOERR:
      return `The disk of ${where} failed: look at it, then start again.`;
    case undefined:
    default:
      return `Put back a copy of ${where}, or move it away (with its -wal file) to start anew.`;
  }
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

function noRoom(path: string): boolean {
  try {
    const { bavail, bsize } = statfsSync(dirname(path));
    return bavail * bsize < NO_ROOM_BYTES;
  } catch {
    return false;
  }
}
