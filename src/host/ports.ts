/**
 * What the host is handed by a composition root: journal, runtimes, agents, bounds. Types only.
 */
import type { AgentView, CreateSession, StatusView } from '../protocol/index.ts';
import type {
  Draft,
  Journal,
  Listener,
  OutboxRecord,
  RuntimeInput,
  RuntimeRecord,
  SessionSpec,
  Slot,
  Voice,
} from '../session/ports.ts';
import type { PoolLimits, SpareKey } from '../pool/index.ts';
import type { DecideContext } from '../session/inputs.ts';
import type { WatchLimits } from '../session/watch.ts';
import type { SecretStore } from './secrets.ts';

/** One runtime's life, as the host drives it. */
export interface HostedRuntime extends Voice {
  readonly pid: number | undefined;
  readonly startedAt: string;
  /** It is ready, and no session has it yet. */
  readonly isSpare: boolean;
  /** A spare has its session, durably with this draft; gives what the session is told. */
  assign(draft: Draft, session: Listener): readonly RuntimeInput[];
  /** Makes its row in this draft and starts the process after the commit. */
  start(draft: Draft): void;
  /** Takes over what an earlier daemon left; resolves when it can be spoken to (or its end is in the journal). */
  adopt(from: RuntimeRecord, writes: readonly OutboxRecord[]): Promise<void>;
  /** Reads the memory of its process tree, MB; undefined when there is none or it cannot be read. Never rejects. */
  sample(): Promise<number | undefined>;
  /** The daemon leaves: nothing more is read, nothing is ended. */
  detach(): void;
}

/** What a runtime is started for, read when it starts. */
export interface StartWish {
  readonly spec: SessionSpec;
  /** The agent's own id of the conversation to continue. */
  readonly resume?: string;
}

export interface RuntimeFactory {
  create(options: {
    readonly id: string;
    readonly agent: string;
    /** Absent for one that is started ahead. */
    readonly session?: Listener;
    readonly slot?: Slot;
    readonly wish: () => StartWish;
    readonly onGone: (id: string) => void;
    /** Its memory was read behind a turn. */
    readonly onMeasured: (id: string) => void;
  }): HostedRuntime;
}

export interface HostPorts {
  readonly journal: Journal;
  readonly runtimes: RuntimeFactory;
  readonly agents: {
    /** Undefined for an agent that this version does not know. */
    find(agent: string): Promise<AgentView | undefined>;
    list(): Promise<readonly AgentView[]>;
    /** Throws `bad_request` naming what of a session's `agentOptions` the agent does not take. */
    checkOptions(agent: string, options: Readonly<Record<string, unknown>>): void;
  };
  readonly secrets: SecretStore;
  /** Throws `agent_session_in_use` when the conversation that is to be resumed has a process, whoever's. */
  readonly refuseInUse: (request: Pick<CreateSession, 'agent' | 'resume' | 'env' | 'agentOptions'>) => void;
  readonly credentials: {
    /** Whether a credential that its process was started with has expired, and a new one can be had. */
    expired(session: string): boolean;
    /** The process that was started for the one serves the other now. */
    handOver(from: string, to: string): void;
  };
  /** Which other starts would be like this one; undefined: it cannot be had from a process that was started ahead. */
  keyOf(wish: StartWish): Promise<(SpareKey & { readonly refusal?: string }) | undefined>;
  readonly limits: WatchLimits;
  /** Open ones; one more is refused with `limit`. */
  readonly mostSessions: number;
  /** Directories that sessions may work in; none: any. */
  readonly roots: readonly string[];
  /** The rules' word on what an agent asks; undefined: a person decides. */
  readonly judge: DecideContext['judge'];
  /** Turns that may wait in one session. */
  readonly maxQueued: number;
  readonly pool: PoolLimits;
  /** Ends processes that the journal does not know. */
  readonly endUnclaimed: () => void;
  readonly describe: () => Promise<Pick<StatusView, 'daemon' | 'keeper'>>;
  readonly report: (error: unknown) => void;
}
