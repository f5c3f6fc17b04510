/**
 * When the write-ahead log is carried over into the database: when nobody writes, or when it has grown too long to wait for that.
 * Small ones often keep each of them short.
 */
import { after } from '../async/after.ts';
import type { Store } from './store.ts';

/** So long without a commit counts as idle. */
const IDLE_MS = 250;
/** Idle for so long, the file is cut to nothing. */
const QUIET_MS = 5000;
const WORTH_BYTES = 8 * 1024 * 1024;
const MOST_BYTES = 64 * 1024 * 1024;
/** More than the log grows with a transaction beside its texts. SQLite is asked when it may be too much: each time would take a third of what the commit of a line does. */
const EACH_BYTES = 64 * 1024;
/** A text is in its event, its turn and the answer of its key, with up to three bytes a character. */
const BYTES_A_CHAR = 12;
/** Work that can wait between its pieces carries its own over early: 64 MiB at once take 100 ms, 4 MiB a few. */
const PIECE_BYTES = 4 * 1024 * 1024;

export class Checkpoints implements Disposable {
  readonly #store: Store;
  readonly #onError: (error: unknown) => void;
  #wroteAt = 0;
  /** What waited when SQLite was last asked, and the most that has come since. */
  #pendingBytes = 0;
  #timer: Disposable | undefined;
  #closed = false;

  constructor(store: Store, onError: (error: unknown) => void) {
    this.#store = store;
    this.#onError = onError;
  }

  /** Called after every transaction; `chars`: of its texts. */
  wrote(chars: number): void {
    this.#pendingBytes += EACH_BYTES + BYTES_A_CHAR * chars;
    this.#written(MOST_BYTES);
  }

  /** Called after every transaction of work that nobody waits for. */
  wrotePiece(): void {
    // How much a piece writes nobody says.
    this.#pendingBytes = Number.POSITIVE_INFINITY;
    this.#written(PIECE_BYTES);
  }

  /** `most`: bytes that may wait for idleness. */
  #written(most: number): void {
    if (this.#closed) return;
    this.#wroteAt = performance.now();
    if (this.#pendingBytes > most) {
      this.#pendingBytes = this.#store.pendingBytes;
      if (this.#pendingBytes > most) this.#run('checkpoint');
    }
    this.#arm(IDLE_MS);
  }

  /** Carries everything over and cuts the file. Throws what SQLite throws. */
  last(): void {
    this.#store.statements.truncate.get();
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
  }

  #arm(ms: number): void {
    this.#timer ??= after(ms, () => {
      this.#timer = undefined;
      this.#look();
    });
  }

  #look(): void {
    const idleMs = performance.now() - this.#wroteAt;
    if (idleMs < IDLE_MS) {
      this.#arm(IDLE_MS);
      return;
    }
    if (idleMs >= QUIET_MS) {
      this.#run('truncate');
      return;
    }
    if (this.#store.pendingBytes >= WORTH_BYTES) this.#run('checkpoint');
    this.#arm(QUIET_MS);
  }

  /** A failure (no room for the database to grow) loses nothing: the log still has it, and the next write tries again. */
  #run(how: 'checkpoint' | 'truncate'): void {
    try {
      this.#store.statements[how].get();
    } catch (error) {
      this.#onError(error);
    }
  }
}
