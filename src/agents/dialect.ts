/**
 * The port that every agent's dialect fills: how to start it, greet it, understand its lines and speak to it.
 * Owns the contract. Knows nothing of processes, offsets, the journal or timers: those are the runtime's.
 *
 * `translate` and `accept` are pure: state in, state out. The state is plain JSON (at most 64 KiB) because it is written with
 * the offset of the line in one transaction and read back by the next daemon.
 */
import type { ProcessIdentity } from '../process/ports.ts';
import type { McpServers, TurnFailureCode, TurnInput } from '../protocol/index.ts';
import type { SessionMode } from '../protocol/index.ts';
import type { AgentCommand, AgentSignal } from '../session/ports.ts';

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** What a session wants of its agent, known at start. Secret values are in `env` only, never in the journal. */
export interface AgentSettings {
  readonly session: string;
  readonly cwd: string;
  readonly model?: string;
  readonly mode: SessionMode;
  readonly systemPrompt?: string;
  /** There are rules: every call of a tool is to be judged, also those that the agent would let pass by itself. */
  readonly judged?: boolean;
  /** The agent's own id of the conversation to continue; absent for a new one. */
  readonly resume?: string;
  /** A UUID minted for this start: the id of a new conversation, where the agent lets its host choose. */
  readonly freshId: string;
  /** Whether the repository's own settings count; absent: as the agent does by itself. */
  readonly trust?: WorkspaceTrust;
  readonly agentOptions: Readonly<Record<string, unknown>>;
  /** The agent's whole environment: allow-listed variables of the daemon, overlaid with the session's env and credentials. */
  readonly env: Readonly<Record<string, string>>;
  /** Variables for its tools alone: in a process that several sessions share, what one of them brings is for its own commands. */
  readonly toolEnv?: Readonly<Record<string, string>>;
  /** Absolute paths that its tools are to keep out of, with all that is below, as far as the agent can be told so. */
  readonly closed?: readonly string[];
  /** Whether its sandbox, too, is to keep it out of them, where that has a price. */
  readonly closedInSandbox?: boolean;
  /** Values in here that nobody may read in what the agent says. */
  readonly secrets?: readonly string[];
  /** Servers that the session brings along, besides those of the agent's own configuration; absent for none. */
  readonly mcp?: SessionMcp;
  readonly limits: RuntimeLimits;
}

export interface WorkspaceTrust {
  readonly trusted: boolean;
  /** Real paths by which the agent may know the workspace: the directory, its repository, the one that it is a worktree of. */
  readonly roots: readonly string[];
}

export interface SessionMcp {
  /** Values in them are secret. */
  readonly servers: McpServers;
  /** The directory of this session's files: what a plan asks for is put there, readable by this user alone, and removed with the session. */
  readonly filesAt: string;
}

/** Bounds that a dialect passes on to its agent or needs itself, ms. */
export interface RuntimeLimits {
  readonly inactivityTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly threadTimeoutMs: number;
}

/** An agent found on this machine (R22). */
export interface AgentBinary {
  readonly path: string;
  readonly version?: string;
}

/** A file that the agent reads at its start. Nothing secret is in it. */
export interface PlannedFile {
  readonly path: string;
  readonly text: string;
}

/** How to start the agent. */
export interface StartPlan {
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Written before the start. */
  readonly files?: readonly PlannedFile[];
  /** Lines (each with its newline) that ask the agent to end by itself; '' when closing stdin is the goodbye. */
  readonly goodbye: string;
}

/** The two-way channel of the handshake: promises are allowed here and nowhere later. All pending reads reject when the process ends. */
export interface HandshakeChannel {
  /** Writes one line (without its newline). */
  send(line: string): void;
  /** The next line for which `pick` gives a value. Lines that give undefined are passed over, in order. */
  receive<T>(pick: (line: string) => T | undefined, options?: { readonly timeoutMs?: number }): Promise<T>;
  readonly signal: AbortSignal;
}

export interface Greeted<S> {
  readonly state: S;
  /** The agent's own session id where it is known now. */
  readonly agentSessionId?: string;
  readonly version?: string;
  /** Whether an earlier conversation was taken up. */
  readonly resumed: boolean;
  /** What there is to say about the start, e.g. that the old conversation was not found. */
  readonly signals: readonly AgentSignal[];
}

/** One thing to be written. Plain JSON: it is kept in the outbox; no secret, no long text in it. */
export interface OutgoingWrite {
  readonly kind: string;
  readonly ref: Json;
}

/** What becomes of a session's seat in a process that several share. */
export type SeatSignal =
  /** Its conversation is open: it takes prompts. */
  | { readonly kind: 'joined'; readonly conversation: string; readonly resumed: boolean }
  | {
      readonly kind: 'join-failed';
      readonly code: TurnFailureCode;
      readonly message: string;
      /** Another process works on its conversation. */
      readonly taken?: true;
    }
  /** Its conversation is closed and free for another process. */
  | { readonly kind: 'left' };

/** A signal and, where one process serves several sessions, the seat of the one that it is for; without, it is for all. */
export type Addressed = AgentSignal & { readonly to?: string };
export type Told = (AgentSignal | SeatSignal) & { readonly to?: string };

export function isOfSeat<T extends { readonly kind: string }>(
  told: T,
): told is Extract<T, { readonly kind: SeatSignal['kind'] }> {
  return told.kind === 'joined' || told.kind === 'join-failed' || told.kind === 'left';
}

export interface Step<S> {
  readonly state: S;
  readonly signals: readonly Addressed[];
  readonly writes: readonly OutgoingWrite[];
}

/** Of a process that several sessions share. */
export interface SharedStep<S> extends Omit<Step<S>, 'signals'> {
  readonly signals: readonly Told[];
  /** The seat that a line was about, whether or not anything came of it: its session's agent is not silent. */
  readonly about?: string;
}

/** Ids for requests that a dialect makes: `generation × 1,000,000 + n`, n the number of the write; `next()` for each write of this step in order. */
export interface RequestIds {
  next(): number;
}

/** What rendering a write may look up. */
export interface RenderContext {
  readonly settings: AgentSettings;
  /** The input of a turn, from the journal. */
  input(turn: string): TurnInput;
  /** What the session of a seat wants, in a process that several share; undefined when it is not known (any more). */
  seat?(seat: string): AgentSettings | undefined;
}

/** A process that an agent's own records say is at work on a conversation. */
export interface WorkedOn {
  readonly conversation: string;
  readonly process: ProcessIdentity;
}

/** Where an agent keeps its conversations, and what it knows of who works on them. */
export interface Conversations {
  /** The directory, of an agent with this environment. */
  at(env: Readonly<Record<string, string>>): string;
  /** By the agent's own records below that directory, dead processes among them; absent where it keeps none. */
  workedOn?(at: string): readonly WorkedOn[];
}

/** What a start reads from the disk besides the agent itself. Pure: the caller reads. */
export interface Ahead {
  /** Absolute paths. One that is not there is none the less looked for: it may come. */
  reads(settings: AgentSettings): readonly string[];
  /** Why no process may be started before its session is there, from those files' texts; undefined: one may. */
  refusal(texts: ReadonlyMap<string, string>): string | undefined;
  /** What opening a conversation reads besides, where one may be opened in a shared process before there is a session for it. Absolute paths. */
  conversation?(settings: AgentSettings): readonly string[];
}

export interface Dialect<S> {
  readonly agent: string;
  readonly conversations: Conversations;
  /** Throws `bad_request` naming what of a session's `agentOptions` this agent does not take. */
  checkOptions(options: Readonly<Record<string, unknown>>): void;
  /** Present where a process may be greeted before there is a session for it. */
  readonly ahead?: Ahead;
  /** Names of files and directories of a repository that the agent takes up by itself, but not of one that is not trusted. */
  readonly ofRepository?: readonly string[];
  /** Argv, environment and goodbye. Nothing secret and nothing that a person wrote goes into argv (a system prompt or model name is checked or passed by file or protocol). */
  plan(binary: AgentBinary, settings: AgentSettings): StartPlan;
  /** Greets a freshly started process until it can take a prompt. Rejects with PilotlightError; the runtime bounds it in time. */
  greet(channel: HandshakeChannel, settings: AgentSettings): Promise<Greeted<S>>;
  /** One line of stdout (without newline, not empty). Never throws: what it does not know is a notice (P11). */
  translate(state: S, line: string, ids: RequestIds): Step<S>;
  /** The session wants something said. May give no write (remembered in the state until the agent can take it). */
  accept(state: S, command: AgentCommand, ids: RequestIds): Step<S>;
  /** The bytes of a write as one line without its newline. Deterministic: the same write gives the same line after a takeover. */
  render(write: OutgoingWrite, context: RenderContext): string;
  /** Reads a state that an earlier daemon wrote. Throws when it cannot be read (the turn then ends with takeover_failed). */
  revive(state: Json): S;
}

/** A session that takes a seat. */
export interface Joining {
  readonly seat: string;
  readonly settings: AgentSettings;
}

/**
 * How an agent serves several sessions from one process. `greet` greets the process alone; a conversation is opened and closed by numbered writes whose
 * answers are awaited in the state, so that the next daemon knows of them. Every signal names the seat that it is for.
 */
export interface SharedDialect<S> extends Omit<Dialect<S>, 'accept' | 'translate'> {
  translate(state: S, line: string, ids: RequestIds): SharedStep<S>;
  /** `joined` or `join-failed` follows. */
  join(state: S, joining: Joining, ids: RequestIds): SharedStep<S>;
  /** Stops what it does and closes its conversation; `left` follows. */
  leave(state: S, seat: string, ids: RequestIds): SharedStep<S>;
  /** The session of a seat wants something said. */
  accept(
    state: S,
    said: { readonly seat: string; readonly command: AgentCommand },
    ids: RequestIds,
  ): SharedStep<S>;
  /** The conversation of one seat, which has said nothing in it, is another seat's. */
  take(state: S, seats: { readonly from: string; readonly to: string }): SharedStep<S>;
  /** Of a seat that nothing more is expected of: what still comes for it is answered and goes to nobody. */
  forsake(state: S, seat: string): SharedStep<S>;
}
