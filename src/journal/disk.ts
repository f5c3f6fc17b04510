/**
 * Brings committed transactions to the disk, off the path of what waits for nothing but the commit.
 * Owns one descriptor of the write-ahead log (SQLite's locks are on other files). Knows no SQL.
 *
 * A transaction is safe from the death of every process when it is committed, and from a power cut when the log is synced. The sync takes
 * milliseconds: it runs beside the event loop, and one sync serves everybody who asked before it began.
 */
import { close, fdatasync, open } from 'node:fs';
import { promisify } from 'node:util';
import { faultOf } from './faults.ts';

const openFile = promisify(open);
const closeFile = promisify(close);
const syncFile = promisify(fdatasync);

interface Sync {
  /** The commits that it covers: the first `through` of this process. */
  readonly through: number;
  readonly done: Promise<void>;
}

export class Disk {
  readonly #path: string | undefined;
  /** Opened with the first sync: SQLite makes the log with the first commit and keeps it until the journal is closed. */
  #log: number | undefined;
  #commits = 0;
  #synced = 0;
  #running: Sync | undefined;
  #next: Sync | undefined;

  /** `path`: of the database; undefined for one in memory. */
  constructor(path: string | undefined) {
    this.#path = path;
  }

  /** A transaction is through. */
  committed(): void {
    this.#commits += 1;
  }

  /** Resolves when everything that was committed before the call is on the disk. Rejects with `journal_unusable` when the disk fails. */
  reached(): Promise<void> {
    if (this.#path === undefined || this.#synced === this.#commits) return Promise.resolve();
    const running = this.#running;
    if (running === undefined) return this.#begin(this.#path).done;
    if (running.through === this.#commits) return running.done;
    this.#next ??= this.#behind(running, this.#path);
    return this.#next.done;
  }

  /** Waits for what is being synced and lets go of the file. */
  async close(): Promise<void> {
    await (this.#next ?? this.#running)?.done.catch(() => undefined);
    if (this.#log !== undefined) await closeFile(this.#log);
    this.#log = undefined;
  }

  #begin(path: string): Sync {
    const through = this.#commits;
    const sync = { through, done: this.#sync(path, through) };
    this.#running = sync;
    return sync;
  }

  /** What is committed while one runs may or may not be in it. */
  #behind(running: Sync, path: string): Sync {
    const done = running.done
      .catch(() => undefined)
      .then(() => {
        this.#next = undefined;
        return this.#begin(path).done;
      });
    return { through: Number.POSITIVE_INFINITY, done };
  }

  async #sync(path: string, through: number): Promise<void> {
    try {
      this.#log ??= await openFile(`${path}-wal`, 'r');
      await syncFile(this.#log);
      this.#synced = through;
    } catch (error) {
      throw faultOf(error, path);
    } finally {
      if (this.#next === undefined) this.#running = undefined;
    }
  }
}
