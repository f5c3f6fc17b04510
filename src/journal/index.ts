/** The durable log of one home: everything that happened, before anybody is told. */
import type { Followed, Journal } from '../session/ports.ts';
import { SqliteJournal, type JournalOptions } from './journal.ts';
import { openDatabase } from './open.ts';
import type { RetentionReport } from './retain.ts';

export type { JournalOptions } from './journal.ts';
export type { RetentionReport } from './retain.ts';

export interface OpenJournal extends Journal, AsyncDisposable {
  /** Of the last event there ever was: following all sessions from it gives what comes from now on. */
  readonly cursor: number;
  /** Follows all sessions from a global cursor, but only what is of these types; nobody is woken for another. */
  followTypes(
    types: ReadonlySet<string>,
    after: number,
    signal: AbortSignal,
  ): AsyncIterable<readonly Followed[]>;
  /** Removes what is older than `keepDays` or more than `maxMb`. `now` in ms since 1970. */
  retain(now?: number): Promise<RetentionReport>;
  /** Commits what is queued and lets go of the file. Later commits reject with `draining`. */
  close(): Promise<void>;
}

/**
 * Opens or makes the journal and takes its lock.
 * Throws PilotlightError `journal_locked` (another process holds it), `journal_unusable` (not readable or writable as a journal; it is left
 * as it is), `journal_full`.
 */
export async function openJournal(options: JournalOptions): Promise<OpenJournal> {
  return new SqliteJournal(await openDatabase(options.path, options.lockTimeoutMs), options);
}
