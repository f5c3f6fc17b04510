/**
 * The journal of one home: the parts put together, opened and closed.
 * Owns their order at the end. After `close` nothing more is committed or read.
 */
import { every } from '../async/after.ts';
import { PilotlightError } from '../protocol/index.ts';
import type {
  Draft,
  EventPage,
  Followed,
  IdempotencyRecord,
  Journal,
  OutboxRecord,
  RuntimeRecord,
  SessionRecord,
  TurnView,
} from '../session/ports.ts';
import { Checkpoints } from './checkpoint.ts';
import { GroupCommit } from './commit.ts';
import { Disk } from './disk.ts';
import { Ends } from './ends.ts';
import { Followers } from './follow.ts';
import type { Opened } from './open.ts';
import { EventReader } from './read.ts';
import { Retention, type RetentionReport } from './retain.ts';
import { writeMeta } from './schema.ts';
import { Store } from './store.ts';
import { Tables } from './tables.ts';

export interface JournalOptions {
  /** The file; undefined: in memory, gone with the process. */
  readonly path: string | undefined;
  readonly keepDays: number;
  readonly maxMb: number;
  /** How long to wait for another process to let go, ms. */
  readonly lockTimeoutMs: number;
  /** Hears of what no caller can be told: an act after a commit that threw, a checkpoint or a retention that failed. */
  readonly onError?: (error: unknown) => void;
}

const RETAIN_EVERY_MS = 15 * 60 * 1000;

export class SqliteJournal implements Journal, AsyncDisposable {
  readonly homeId: string;
  readonly epoch: string;
  readonly generation: number;
  readonly #store: Store;
  readonly #ends: Ends;
  readonly #commits: GroupCommit;
  readonly #disk: Disk;
  readonly #reader: EventReader;
  readonly #tables: Tables;
  readonly #followers: Followers;
  readonly #checkpoints: Checkpoints;
  readonly #retention: Retention;
  readonly #ticker: Disposable;
  readonly #ending = new AbortController();
  #retaining: Promise<RetentionReport> | undefined;
  #closing: Promise<void> | undefined;
  #closed = false;

  constructor(opened: Opened, options: JournalOptions) {
    this.homeId = opened.homeId;
    this.epoch = opened.epoch;
    this.generation = opened.generation;
    const onError = options.onError ?? ((): void => undefined);
    const store = new Store(options.path, opened.db);
    const ends = new Ends(store.statements);
    this.#store = store;
    this.#ends = ends;
    this.#reader = new EventReader(store.statements, ends);
    this.#tables = new Tables(store.statements);
    this.#followers = new Followers(this.#reader);
    this.#checkpoints = new Checkpoints(store, onError);
    const disk = new Disk(options.path);
    this.#disk = disk;
    this.#commits = new GroupCommit({
      store,
      ends,
      onError,
      written: (turns) => {
        disk.committed();
        this.#tables.wrote(turns);
      },
      onCommitted: (events, toDisk) => {
        this.#followers.publish(events);
        // Behind what waits for the commit alone: handing a sync to its thread takes a while.
        if (toDisk) disk.reached().catch(onError);
        this.#checkpoints.wrote(events.reduce((sum, { json }) => sum + json.length, 0));
      },
    });
    this.#retention = new Retention({
      store,
      ends,
      keepDays: options.keepDays,
      maxMb: options.maxMb,
      signal: this.#ending.signal,
      wrote: () => {
        this.#checkpoints.wrotePiece();
      },
    });
    this.#ticker = every(RETAIN_EVERY_MS, () => {
      this.retain().catch(onError);
    });
  }

  commit<T>(decide: (draft: Draft) => T): Promise<T> {
    return this.#commits.commit(decide);
  }

  /** Of the last event there ever was: following all sessions from it gives what comes from now on. */
  get cursor(): number {
    return this.#ends.cursor;
  }

  onDisk(): Promise<void> {
    return this.#disk.reached();
  }

  events(session: string, after: number, limit: number): EventPage {
    this.#mustBeOpen();
    return this.#reader.eventPage(session, after, limit);
  }

  allEvents(after: number, limit: number): EventPage {
    this.#mustBeOpen();
    return this.#reader.eventPage(undefined, after, limit);
  }

  follow(
    session: string | undefined,
    after: number,
    signal: AbortSignal,
  ): AsyncIterable<readonly Followed[]> {
    return this.#followers.follow({ session, after, signal });
  }

  followTypes(
    types: ReadonlySet<string>,
    after: number,
    signal: AbortSignal,
  ): AsyncIterable<readonly Followed[]> {
    return this.#followers.follow({ session: undefined, after, signal, types });
  }

  sessions(filter: Parameters<Journal['sessions']>[0]): readonly SessionRecord[] {
    this.#mustBeOpen();
    return this.#tables.sessions(filter);
  }

  session(id: string): SessionRecord | undefined {
    this.#mustBeOpen();
    return this.#tables.session(id);
  }

  sessionsWithOpenTurns(): readonly string[] {
    this.#mustBeOpen();
    return this.#tables.sessionsWithOpenTurns();
  }

  openSessions(): number {
    this.#mustBeOpen();
    return this.#tables.openSessions();
  }

  turns(session: string, options?: Parameters<Journal['turns']>[1]): readonly TurnView[] {
    this.#mustBeOpen();
    return this.#tables.turns(session, options);
  }

  turn(id: string): TurnView | undefined {
    this.#mustBeOpen();
    return this.#tables.turn(id);
  }

  runtimes(): readonly RuntimeRecord[] {
    this.#mustBeOpen();
    return this.#tables.runtimes();
  }

  outboxOf(runtime: string): readonly OutboxRecord[] {
    this.#mustBeOpen();
    return this.#tables.outboxOf(runtime);
  }

  idempotency(scope: string, key: string): IdempotencyRecord | undefined {
    this.#mustBeOpen();
    return this.#tables.idempotency(scope, key);
  }

  status(): ReturnType<Journal['status']> {
    this.#mustBeOpen();
    const { bytes, full } = this.#store;
    return { bytes, events: this.#ends.events, epoch: this.epoch, full };
  }

  /** Removes what is too old or too much, now. One at a time: who asks meanwhile gets the same report. */
  retain(now: number = Date.now()): Promise<RetentionReport> {
    if (this.#closing !== undefined) return Promise.reject(closedError());
    this.#retaining ??= this.#retention.run(now).finally(() => {
      this.#retaining = undefined;
    });
    return this.#retaining;
  }

  /** Commits what is queued, ends every follower, writes everything into one file. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#ending.abort();
    this.#ticker[Symbol.dispose]();
    this.#commits.close();
    await this.#retaining?.catch(() => undefined);
    await this.#disk.close();
    this.#followers.close();
    this.#checkpoints[Symbol.dispose]();
    try {
      this.#store.transact(() => {
        writeMeta(this.#store.db, { clean: '1' });
      });
      this.#checkpoints.last();
    } finally {
      this.#closed = true;
      this.#store.db.close();
    }
  }

  #mustBeOpen(): void {
    if (this.#closed) throw closedError();
  }
}

function closedError(): PilotlightError {
  return new PilotlightError('draining', 'The journal is closed', { fix: 'Start again.' });
}
