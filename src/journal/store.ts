/** One transaction: all of it, or nothing of it and the error as its callers see it. Runs synchronously, so that no two ever overlap. */
import type { DatabaseSync } from 'node:sqlite';
import { faultOf } from './faults.ts';
import { prepareAll, type Statements } from './statements.ts';

export class Store {
  readonly path: string | undefined;
  readonly db: DatabaseSync;
  readonly statements: Statements;
  readonly #pageSize: number;
  #full = false;

  constructor(path: string | undefined, db: DatabaseSync) {
    this.path = path;
    this.db = db;
    this.statements = prepareAll(db);
    this.#pageSize = pragma(this.statements.pageSize.get());
  }

  /** Whether the last transaction found no room. */
  get full(): boolean {
    return this.#full;
  }

  /** Bytes of the database with what waits in its write-ahead log. */
  get bytes(): number {
    return pragma(this.statements.pageCount.get()) * this.#pageSize + this.pendingBytes;
  }

  /** Bytes of the database that hold something. */
  get usedBytes(): number {
    return pragma(this.statements.pageCount.get()) * this.#pageSize - this.freeBytes;
  }

  get freeBytes(): number {
    return pragma(this.statements.freePages.get()) * this.#pageSize;
  }

  /** Bytes of the write-ahead log that no checkpoint has carried over yet. */
  get pendingBytes(): number {
    const row = this.statements.walState.get();
    const { log, checkpointed } = row ?? {};
    if (typeof log !== 'number' || typeof checkpointed !== 'number' || log < 0) return 0;
    return (log - checkpointed) * this.#pageSize;
  }

  /** Over when it is safe from the death of every process; {@link Disk} makes it safe from a power cut. */
  transact<T>(work: (statements: Statements) => T): T {
    const { statements } = this;
    try {
      statements.begin.run();
      const value = work(statements);
      statements.commit.run();
      this.#full = false;
      return value;
    } catch (error) {
      this.#rollback();
      const fault = faultOf(error, this.path);
      this.#full = fault.code === 'journal_full';
      throw fault;
    }
  }

  /** SQLite itself has rolled back after some failures. */
  #rollback(): void {
    if (this.db.isTransaction) this.db.exec('ROLLBACK');
  }
}

/** The one number of a pragma's one row. */
function pragma(row: Readonly<Record<string, unknown>> | undefined): number {
  const value = Object.values(row ?? {})[0];
  return typeof value === 'number' ? value : 0;
}
