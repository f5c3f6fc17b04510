/**
 * From a path to a database that is ours: the lock taken, the schema of this version, the next generation.
 * The lock is the kernel's (`locking_mode=EXCLUSIVE`): it goes with the process, however that ends.
 *
 * An existing journal is never opened with `fs`: closing any second descriptor of a file drops this process's POSIX locks on it.
 */
import { chmodSync, closeSync, openSync, readFileSync, statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { sleep } from '../async/after.ts';
import { newId, PilotlightError, uuidv7 } from '../protocol/index.ts';
import { faultOf, isBusy } from './faults.ts';
import { integer } from './rows.ts';
import { migrate, readMeta, writeMeta } from './schema.ts';

export interface Opened {
  readonly db: DatabaseSync;
  readonly homeId: string;
  readonly epoch: string;
  readonly generation: number;
}

/** How long SQLite itself may wait for a lock: it blocks the event loop meanwhile. */
const BUSY_MS = 10;

/** Throws `journal_locked` when another process holds it for `lockTimeoutMs`, `journal_unusable` or `journal_full` at once. */
export async function openDatabase(path: string | undefined, lockTimeoutMs: number): Promise<Opened> {
  const deadline = performance.now() + lockTimeoutMs;
  for (;;) {
    try {
      return openOnce(path);
    } catch (error) {
      if (!isBusy(error)) throw faultOf(error, path);
      if (performance.now() >= deadline) throw locked(path);
    }
    // Uneven, so that two that start together do not keep each other from it.
    await sleep(10 + Math.random() * 30);
  }
}

function openOnce(path: string | undefined): Opened {
  if (path !== undefined) makePrivate(path);
  const db = new DatabaseSync(path ?? ':memory:', { timeout: BUSY_MS });
  try {
    // In this order: auto_vacuum counts only before the first page is written, the mode of locking before WAL has shared memory.
    db.exec(
      'PRAGMA auto_vacuum=INCREMENTAL; PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0; PRAGMA synchronous=FULL; PRAGMA cache_size=-8192; PRAGMA temp_store=MEMORY',
    );
    // A read would not do: only a write takes the lock.
    db.exec('BEGIN IMMEDIATE');
    const opened = take(db, path ?? 'in memory');
    db.exec('COMMIT; PRAGMA synchronous=NORMAL');
    return opened;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** A new file is made with its mode from the start (the -wal file takes it over); an existing one only gets the mode. */
function makePrivate(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600));
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error) || error.code !== 'EEXIST')
      throw new PilotlightError('journal_unusable', `The journal ${path} cannot be made`, {
        fix: `Make its folder, and let this user write to it.`,
        detail: { path },
        cause: error,
      });
    const stat = statSync(path);
    if (stat.isFile() && (stat.mode & 0o077) !== 0) chmodOrLeave(path);
  }
}

function chmodOrLeave(path: string): void {
  try {
    chmodSync(path, 0o600);
  } catch {
    // Another user's file: whether it can be used is for SQLite to say.
  }
}

function take(db: DatabaseSync, path: string): Opened {
  migrate(db, path);
  const homeId = readMeta(db, 'home') ?? newId('home');
  const boot = bootId();
  // After a power cut the newest commits that were not synced may be gone, and what followers have of them with it.
  const mayHaveLost = readMeta(db, 'clean') !== '1' && readMeta(db, 'boot') !== boot;
  const known = readMeta(db, 'epoch');
  const epoch = known === undefined || mayHaveLost ? uuidv7() : known;
  writeMeta(db, { home: homeId, epoch, boot, clean: '0' });
  const last = db.prepare('SELECT coalesce(max(generation), 0) AS last FROM generations').get();
  const generation = (last === undefined ? 0 : integer(last, 'last')) + 1;
  db.prepare('INSERT INTO generations (generation, pid, started) VALUES (?, ?, ?)').run(
    generation,
    process.pid,
    Date.now(),
  );
  return { db, homeId, epoch, generation };
}

/** Changes with every start of the machine. */
function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return 'unknown';
  }
}

function locked(path: string | undefined): PilotlightError {
  return new PilotlightError('journal_locked', `Another process holds the journal ${path ?? ''}`, {
    fix: 'Talk to the daemon that runs (`pilotlight status`), or end it (`pilotlight stop`).',
    ...(path === undefined ? {} : { detail: { path } }),
  });
}
