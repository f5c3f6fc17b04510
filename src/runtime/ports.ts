/**
 * What a runtime needs: a holder of children, a dialect with the session's settings, the journal, bounds. Types only.
 */
import type { AgentBinary, AgentSettings, Dialect, PlannedFile, SharedDialect } from '../agents/dialect.ts';
import type { Child, ChildHost, ProcessIdentity } from '../process/ports.ts';
import type { RuntimeEndReason, TurnInput } from '../protocol/index.ts';
import type { Committer, RuntimeRecord } from '../session/ports.ts';
import type { Hearers } from './audience.ts';
import type { Reading } from './reading.ts';

export interface RuntimeBounds {
  readonly startTimeoutMs: number;
  readonly stdinTimeoutMs: number;
  /** Bytes. */
  readonly maxLine: number;
}

export interface RuntimePorts {
  readonly children: ChildHost;
  readonly committer: Committer;
  readonly dialect: Dialect<unknown> | SharedDialect<unknown>;
  /** Settings are made when the process is started: secrets and the environment are read then. */
  readonly settings: (why: 'start' | 'takeover') => Promise<{
    readonly settings: AgentSettings;
    /** Undefined when the agent is not installed (any more): one that runs is taken over all the same. */
    readonly binary: AgentBinary | undefined;
    /** Names of what the session was given and nobody has any more (it was kept in memory by a daemon before). */
    readonly missing?: readonly string[];
  }>;
  /** Secrets that a running process has in its environment; what it was started with may be known to nobody else any more. */
  readonly secretsIn?: (pid: number) => readonly string[];
  /** The claim on the agent's conversation: one process a conversation. Absent where nobody keeps records. */
  readonly ownership?: Ownership;
  /** Writes a file that a plan asks for, readable by this user alone. */
  readonly place: (file: PlannedFile) => void;
  readonly generation: number;
  readonly bounds: RuntimeBounds;
  /** The input of a turn, from the journal. */
  readonly input: (turn: string) => TurnInput;
  /** What the session of a seat wants, where several share the process. */
  readonly seat?: (seat: string) => AgentSettings | undefined;
  /** Memory of a process tree, MB; undefined when it cannot be read. */
  readonly memory: (root: ProcessIdentity) => Promise<number | undefined>;
  /** Something threw that never should: logged. */
  readonly report: (error: unknown) => void;
  /** Protocol lines and stderr, for debugging. */
  readonly trace?: (way: 'in' | 'out' | 'err', text: string) => void;
}

/** One process works on a conversation. */
export interface Ownership {
  /** A process is about to be started. Rejects with `agent_session_in_use` when its conversation has one, and does not go away by itself. */
  starting(settings: AgentSettings, signal: AbortSignal): Promise<void>;
  /** One that an earlier daemon started. */
  adopted(settings: AgentSettings, process: ProcessIdentity): void;
  /** The process that was started, from this file. */
  by(process: ProcessIdentity, file: string): void;
  /** It serves this session from now on. */
  of(session: string): void;
  /** It works on this conversation now, durably. That somebody else does, too, can only be logged: it is there already. */
  in(conversation: string): void;
  /** It is gone, or was not started. */
  release(): void;
  /** It goes on, but works on the conversation no more. */
  leave(): void;
}

/** What was known when it became ready, or when it was taken over. */
export interface RuntimeOrigin {
  readonly record: Omit<RuntimeRecord, 'phase' | 'offset' | 'lastWrite' | 'state' | 'lines' | 'chunks'>;
  readonly child: Child;
  readonly reading: Reading;
  readonly settings: AgentSettings;
  readonly state: unknown;
  readonly prompt: number;
  readonly phase: 'ready' | 'ending';
  /** Why it is being ended. */
  readonly reason?: RuntimeEndReason;
  readonly lastWrite: number;
}

export interface RuntimeSurroundings {
  readonly audience: Hearers;
  readonly ports: RuntimePorts;
  /** The process is gone and the journal knows. */
  readonly onGone: () => void;
}
