/**
 * What the host is handed by a composition root: journal, runtimes, agents, bounds. Types only.
 */
import type {
  AgentView,
  CreateSession,
  RuntimeEndReason,
  StatusView,
  TurnFailureCode,
} from '../protocol/index.ts';
import type {
  Draft,
  Journal,
  Listener,
  OutboxRecord,
  RuntimeInput,
  RuntimeRecord,
  Seated,
  SessionSpec,
  Slot,
  Voice,
} from '../session/ports.ts';
import type { PoolLimits, SpareKey } from '../pool/index.ts';
import type { DecideContext } from '../session/inputs.ts';
import type { WatchLimits } from '../session/watch.ts';
import type { SecretStore } from './secrets.ts';

/** One process's life, as the host drives it. */
export interface HostedProcess {
  readonly id: string;
  readonly pid: number | undefined;
  /** Memory of the process tree as last sampled, MB. */
  readonly rssMb: number | undefined;
  readonly startedAt: string;
  /** Makes its row in this draft and starts the process after the commit. */
  start(draft: Draft): void;
  /** Takes over what an earlier daemon left; resolves when it can be spoken to (or its end is in the journal). */
  adopt(from: RuntimeRecord, writes: readonly OutboxRecord[]): Promise<void>;
  /** Reads the memory of its process tree, MB; undefined when there is none or it cannot be read. Never rejects. */
  sample(): Promise<number | undefined>;
  /** The daemon leaves: nothing more is read, nothing is ended. */
  detach(): void;
}

/** The process of one session. */
export interface HostedRuntime extends HostedProcess, Voice {
  readonly id: string;
  readonly rssMb: number | undefined;
  /** It is ready, and no session has it yet. */
  readonly isSpare: boolean;
  /** A spare has its session, durably with this draft; gives what the session is told. */
  assign(draft: Draft, session: Listener): readonly RuntimeInput[];
}

/** What the end of a process says of others of its domain. */
export interface HowGone {
  /** It crashed, did not answer, or did not start. */
  readonly failed: boolean;
  /** It was ready once. */
  readonly ran: boolean;
}

/** The process of several, who come and go. */
export interface SharedRuntime extends HostedProcess {
  readonly domain: string;
  /** Whether a session may take a seat. */
  readonly open: boolean;
  /** A session takes a seat in this draft, and is told when it can speak. `seat` is its own name for its runtime. */
  join(draft: Draft, seat: string, session: Listener): Voice;
  /** The same with the conversation that was opened ahead; undefined when there is none. */
  take(draft: Draft, seat: string, session: Listener): Seated | undefined;
  /** Of a session that had one already. */
  voice(seat: string): Voice;
  /** The process ends, for all who are in it. */
  retire(draft: Draft, reason: RuntimeEndReason): void;
  /** A bound of it is broken: its turns fail so, and it ends. */
  broke(code: TurnFailureCode, message: string): void;
  /** It is ready, and no session has a seat in it yet. */
  readonly isSpare: boolean;
  /** And a conversation is open in it. */
  readonly converses: boolean;
  /** One that waits for its seat is told that it gets none. */
  refuse(
    seat: string,
    why: { readonly code: TurnFailureCode; readonly message: string; readonly retry: boolean },
  ): Promise<void>;
}

/** What a runtime is started for, read when it starts. */
export interface StartWish {
  readonly spec: SessionSpec;
  /** The agent's own id of the conversation to continue. */
  readonly resume?: string;
}

/** A shared process is started before there is a session for it. */
export interface AheadOf {
  /** Whose wish it is started with then. */
  readonly wish: string;
  /** A conversation is opened in it, too, by that wish. */
  readonly converses: boolean;
}

/** Which starts are like that of a wish. */
export interface WishKey extends SpareKey {
  /** Why no process may be started ahead all the same. */
  readonly refusal?: string;
  /** Of a shared process: those of the session's variables that the process itself is started with. */
  readonly env?: Readonly<Record<string, string>>;
  /** Of a shared process: equal for sessions whose conversations are opened alike; absent for one that may not be opened before. */
  readonly conversation?: string;
}

export interface ShareOptions {
  readonly id: string;
  readonly agent: string;
  readonly domain: string;
  readonly slot: Slot;
  readonly from?: RuntimeRecord;
  readonly ahead?: AheadOf;
  readonly listener: (session: string) => Listener | undefined;
  readonly wish: (session: string) => StartWish;
  readonly onGone: (id: string, how: HowGone) => void;
  readonly onMeasured: (id: string) => void;
  /** A session has its seat no more; the process goes on, or has ended for all. */
  readonly onLeft: (seat: string, session: string) => void;
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
  /** Sessions with the same one may share a process; undefined for one whose agent, or whose settings, do not allow it. */
  domainOf?(spec: SessionSpec): string | undefined;
  /** Throws when what an earlier daemon left (`from`) cannot be read. */
  share?(options: ShareOptions): SharedRuntime;
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
  keyOf(wish: StartWish): Promise<WishKey | undefined>;
  readonly limits: WatchLimits;
  /** Open ones; one more is refused with `limit`. */
  readonly mostSessions: number;
  /** Directories that sessions may work in; none: any. */
  readonly roots: readonly string[];
  /** Directories that no session works in, nor below. */
  readonly closed: readonly string[];
  /** Whether a directory is trusted, and what of it this agent would take up if it were. */
  readonly look: (
    cwd: string,
    agent: string,
  ) => Promise<{ readonly trusted: boolean; readonly leftOut: readonly string[] }>;
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
