/**
 * The port behind which children live: run directly by this process (library, tests) or kept by the keeper (daemon).
 * Owns the contract between whoever reads a child and whoever holds its pipes. Knows nothing of JSON, agents or sessions.
 *
 * Offsets count the bytes of a child's stdout from 0. Writes to its stdin are numbered 1, 2, 3 … per child:
 * n = last + 1 is written whole, n <= last is confirmed again, anything else is refused with `last`.
 */

/** How a process is told from any other: its pid and its start time (field 22 of /proc/PID/stat, in clock ticks since boot). */
export interface ProcessIdentity {
  readonly pid: number;
  readonly startTime: string;
}

export interface SpawnSpec {
  /** Our name of the child, chosen before it exists (a runtime id). */
  readonly id: string;
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd: string;
  /** The child's whole environment; the environment mark is added by the host. */
  readonly env: Readonly<Record<string, string>>;
  /** Bytes that ask the agent to end by itself (the dialect's goodbye): the first step of the ladder. May be empty. */
  readonly goodbye: Uint8Array;
  /** All that it is given to read; its stdin is closed then. For commands that nobody speaks with, held directly. */
  readonly input?: Uint8Array;
}

export interface ChildExit {
  readonly code: number | undefined;
  readonly signal: string | undefined;
  /** The last 8 KiB of stderr. */
  readonly stderrTail: string;
  /** Processes of the tree that could not be ended (`stuck`); empty when everything is gone. */
  readonly stuck: readonly ProcessIdentity[];
}

/** What a child reports. Every callback is called from one place in order: bytes, then `exit` last; nothing after `exit` or `lost`. */
export interface ChildListener {
  /** Bytes of stdout from `offset` on. Offsets are contiguous; after an attach they start at the asked offset. */
  out(offset: number, bytes: Buffer): void;
  /** Bytes of stderr, for debugging; may be cut or missing after an attach. */
  stderr(bytes: Buffer): void;
  /** Write `n` has been handed to the child's stdin whole. */
  wrote(n: number): void;
  /** Write `n` was refused: out of order, or stdin is closed (`reason`). */
  refused(n: number, last: number, reason: string): void;
  /** The process is gone and its stdout is at its end (or 1 s has passed: a grandchild may hold the pipe). */
  exit(exit: ChildExit): void;
  /** Whoever held the child is gone; what became of the child is not known, its tree is being reaped. */
  lost(reason: string): void;
}

export interface Child {
  readonly id: string;
  readonly identity: ProcessIdentity;
  /** The last write confirmed when this handle was made (0 for a new child). */
  readonly lastWrite: number;
  /** Hands over write `n`. Never throws; the outcome comes as `wrote` or `refused`. */
  write(n: number, bytes: Uint8Array): void;
  /**
   * Bytes before `offset` have been read but are not durable yet (a line that goes on): keep them for the next reader, and read on.
   * Flow control counts from here (1 MiB behind it the child is paused); what must be kept counts from the acknowledged offset.
   * Bounded by the reader's longest line (16 MB by default), so a line longer than the window does not stop the child for ever.
   */
  received(offset: number): void;
  /** Everything before `offset` is durable elsewhere and may be forgotten. Unacknowledged output is bounded: past it the child is not read. */
  acknowledge(offset: number): void;
  /** Whether a turn is open: the keeper's grace does not run while one is. */
  markTurn(open: boolean): void;
  /** Ends the whole tree by the ladder (goodbye, EOF, SIGTERM, the last signal). Idempotent; the outcome comes as `exit`. */
  end(): void;
  /** The exit is durable elsewhere: the holder may forget the child. */
  forget(): void;
}

/** A holder of children. */
export interface ChildHost {
  /** Starts a child. Rejects with PilotlightError `spawn_failed` (ENOENT, EACCES, bad cwd, …) or `keeper_lost`. */
  spawn(spec: SpawnSpec, listener: ChildListener): Promise<Child>;
  /**
   * Takes a child over that was started earlier (by a daemon before this one): output from `from` on is sent (again).
   * Undefined when the holder does not know it. An exit that happened meanwhile is reported after the output.
   */
  attach(id: string, from: number, listener: ChildListener): Child | undefined;
  /** Ids of children that the holder has and nobody attached or spawned through this host yet. */
  unclaimed(): readonly string[];
  /** Ends a child that nobody wants (the journal does not know it). */
  discard(id: string): void;
}

/** Durations of the ladder in ms, from configuration (`ladder.*`). */
export interface LadderTimes {
  readonly termAfterMs: number;
  readonly killAfterMs: number;
  readonly stuckAfterMs: number;
}

export const DEFAULT_LADDER: LadderTimes = {
  termAfterMs: 2000,
  killAfterMs: 2000,
  stuckAfterMs: 2000,
};
