/**
 * What the heart needs from outside and what flows between the parts, as types only:
 * the journal (drafts, commits, reads), signals of agents, records kept in the same transaction.
 */
import type {
  By,
  EventData,
  EventType,
  NewEvent,
  PolicyRule,
  SessionEvent,
  SessionMode,
  SessionView,
  StatusView,
  TurnInput,
  TurnView,
} from '../protocol/index.ts';

import type { AgentCommand, AgentSignal, RuntimeInput } from './signals.ts';
import type { RuntimeEndReason } from '../protocol/index.ts';

export type * from './signals.ts';

export interface ReadOnly {
  readonly reason?: string;
}

/** What a session is, fixed at creation or changed by PATCH. No secret values: those are in `secrets/`. */
export interface SessionSpec {
  readonly id: string;
  readonly agent: string;
  readonly cwd: string;
  readonly name?: string;
  readonly model?: string;
  readonly mode: SessionMode;
  readonly systemPrompt?: string;
  /** The session may not change anything, and why. */
  readonly readOnly?: ReadOnly;
  /** Rules for what its agent asks and does, in order. */
  readonly permissionPolicy?: readonly PolicyRule[];
  /** The agent takes up what the repository brings along. */
  readonly trusted?: boolean;
  /** What of that was there when the session was created, as paths. */
  readonly leftOut?: readonly string[];
  readonly resume?: string;
  readonly domain?: string;
  readonly agentOptions: Readonly<Record<string, unknown>>;
  readonly metadata: Readonly<Record<string, unknown>>;
  /** Names of MCP servers, variables and credentials; what they are is in `secrets/`. */
  readonly mcpServers?: readonly string[];
  readonly env: readonly string[];
  readonly credentials: readonly string[];
  readonly limits?: { readonly maxTurns?: number; readonly maxCostUsd?: number };
  readonly createdAt: string;
}

/** The session's side of its runtime. What takes a draft takes part in that commit. */
export interface Voice {
  readonly id: string;
  /** Memory of the process tree as last sampled, MB. */
  readonly rssMb: number | undefined;
  /** Says something to the agent: numbered and put into the outbox in this draft, written after the commit. */
  say(draft: Draft, command: AgentCommand): readonly AgentSignal[];
  /** Ends the process by the ladder after the commit; `runtime-ended` follows when it is gone. */
  end(draft: Draft, reason: RuntimeEndReason): void;
  /** Whether a turn is open (after the commit). */
  markTurn(open: boolean): void;
}

/** A session has its seat in a process that others share, and is told this at once. */
export interface Seated {
  readonly voice: Voice;
  readonly inputs: readonly RuntimeInput[];
}

/** The place of a process in the pool: had, or waited for. */
export interface Slot {
  /** Whether the process gets one message only; settled once granted. */
  readonly perMessage: boolean;
  /** Resolves when the process may start, or is not wanted any more (`signal`); never after the daemon has left. */
  granted(signal: AbortSignal): Promise<void>;
}

/** The runtime's side of its session. */
export interface Listener {
  readonly id: string;
  apply(draft: Draft, inputs: readonly RuntimeInput[]): void;
  /** The agent printed something. */
  output(): void;
  /** Nothing can be read from the agent for now (the disk is full): watches do not run on. */
  pause(): void;
}

/** A session as the journal keeps it. `state` is the heart's own JSON, opaque to the journal; the rest serves lists. */
export interface SessionRecord {
  readonly id: string;
  readonly spec: SessionSpec;
  readonly state: unknown;
  readonly lastSeq: number;
  readonly closed: boolean;
  readonly lastActivityAt: string;
}

/** A runtime (one process) as the journal keeps it. */
export interface RuntimeRecord {
  readonly id: string;
  readonly agent: string;
  readonly sessions: readonly string[];
  readonly phase: 'starting' | 'ready' | 'ending';
  readonly pid?: number;
  readonly startTime?: string;
  readonly startedAt: string;
  readonly startupMs?: number;
  readonly version?: string;
  readonly kind: 'warm' | 'shared' | 'per-message';
  /** stdout consumed up to here: everything before is in the journal. */
  readonly offset: number;
  /** The number of the last write decided. */
  readonly lastWrite: number;
  /** The dialect's state, plain JSON with a version, at most 64 KiB. */
  readonly state: unknown;
  readonly lines: number;
  readonly chunks: number;
}

/** A write that was decided and not yet confirmed by the holder of the child. What is to be said, not its bytes. */
export interface OutboxRecord {
  readonly runtime: string;
  readonly n: number;
  readonly kind: string;
  readonly ref: unknown;
}

/** The stored answer of an accepted command. `scope` is token + route + session; kept while `keep` (a turn or session id) exists, 24 h at least. */
export interface IdempotencyRecord {
  readonly scope: string;
  readonly key: string;
  readonly bodyHash: string;
  readonly status: number;
  readonly answer: unknown;
  readonly keep: string;
}

/** One event as followers receive it: the whole envelope as JSON text, made once however many follow. */
export interface StoredEvent {
  /** Global cursor: grows by at least 1 with every event of the home. */
  readonly cursor: number;
  readonly session: string;
  readonly seq: number;
  readonly type: string;
  /** `{session, seq, turn?, time, type, data}` as JSON text. */
  readonly json: string;
}

export interface Gap {
  readonly session: string;
  readonly from: number;
  readonly to: number;
  readonly reason: string;
}

/**
 * Collects what one decision wants kept. Work units run synchronously, in order, while a commit is put together; a unit that throws
 * leaves nothing behind and its rollbacks run; when the commit itself fails the rollbacks of every unit run, newest first.
 */
export interface Draft {
  /** Milliseconds since 1970 of this commit; every event of it carries this time or a later one. */
  readonly now: number;
  event(event: SessionEvent): void;
  session(record: SessionRecord): void;
  turn(record: TurnView): void;
  runtime(record: RuntimeRecord): void;
  dropRuntime(id: string): void;
  outbox(record: OutboxRecord): void;
  /** Writes of a runtime up to and with `n` are confirmed and leave the outbox. */
  confirmed(runtime: string, n: number): void;
  idempotency(record: IdempotencyRecord): void;
  /** This commit goes to the disk at once (accepting, resolving, ending); {@link Journal.onDisk} waits for it. */
  syncToDisk(): void;
  /** Runs after the commit, before followers are woken. Must not throw. */
  afterCommit(act: () => void): void;
  /** Puts back what the decision changed in memory. Must not throw. */
  onRollback(undo: () => void): void;
}

export interface Committer {
  /** Runs `decide` in the next commit; resolves with its value once durable. Rejects with what `decide` threw, or `journal_full`, or `journal_unusable`. */
  commit<T>(decide: (draft: Draft) => T): Promise<T>;
}

export interface EventPage {
  readonly events: readonly StoredEvent[];
  /** The `after` of the next page; undefined when this page reached the end. */
  readonly next?: number;
  /** How far this page reaches: where one that asks again later goes on. */
  readonly through: number;
  readonly gaps: readonly Gap[];
}

/** What a follower receives. */
export type Followed =
  | { readonly kind: 'event'; readonly event: StoredEvent }
  | { readonly kind: 'gap'; readonly gap: Gap; /** The cursor behind the gap. */ readonly cursor: number }
  /** The replay has reached the end; what comes now is live. */
  | { readonly kind: 'live'; readonly through: number }
  /** The asked cursor is beyond the end (another epoch): start again. */
  | { readonly kind: 'reset'; readonly lastSeq: number };

export interface Journal extends Committer {
  readonly homeId: string;
  readonly epoch: string;
  readonly generation: number;
  /** Events of one session with seq > after, oldest first. `after` beyond the end: PilotlightError cursor_ahead. */
  events(session: string, after: number, limit: number): EventPage;
  /** Events of all sessions with cursor > after. `next` and gaps' positions are global cursors. */
  allEvents(after: number, limit: number): EventPage;
  /**
   * Follows one session (or all, with session undefined) from after a seq (or global cursor): replay, one `live`, then live events in batches
   * until `signal` aborts. The consumer's pace never slows a commit: what it has not taken is read again from the journal.
   */
  follow(session: string | undefined, after: number, signal: AbortSignal): AsyncIterable<readonly Followed[]>;
  sessions(filter: {
    readonly closed?: boolean;
    readonly after?: string;
    readonly limit?: number;
  }): readonly SessionRecord[];
  session(id: string): SessionRecord | undefined;
  /** Sessions with a turn that has no ending yet. */
  sessionsWithOpenTurns(): readonly string[];
  /** How many sessions are not closed. */
  openSessions(): number;
  turns(session: string, options?: { readonly after?: string; readonly limit?: number }): readonly TurnView[];
  turn(id: string): TurnView | undefined;
  runtimes(): readonly RuntimeRecord[];
  outboxOf(runtime: string): readonly OutboxRecord[];
  idempotency(scope: string, key: string): IdempotencyRecord | undefined;
  /**
   * Resolves when all that is committed is safe from a power cut too: what a client is told was accepted waits for it, nothing else does.
   * Rejects with `journal_unusable`: it is committed, but the disk failed.
   */
  onDisk(): Promise<void>;
  status(): StatusView['journal'];
}

/** Re-exported for implementers. */
export type { By, EventData, EventType, NewEvent, SessionEvent, SessionView, TurnInput, TurnView };
