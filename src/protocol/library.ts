/**
 * The verbs that a program has, the same on a host in its own process (`createHost`) and on a daemon's or hub's (`connect`).
 * Every call rejects with PilotlightError. Contracts only.
 */
import type { SessionEvent, TurnInput } from './events.ts';
import type { AnswerPermission, CreateSession, InterruptTurn, SendTurn, UpdateSession } from './requests.ts';
import type { AgentView, PermissionView, SessionView, StatusView, TurnView } from './views.ts';

/** Of every call that changes something. */
export interface CommandOptions {
  /** Names the call, so that sending it again has no second effect. Default: a new one, kept through the call's own retries. */
  readonly idempotencyKey?: string | undefined;
  /** Ends the wait for the answer; what was accepted stays. */
  readonly signal?: AbortSignal | undefined;
}

export interface PageOptions {
  /** 1 to 1000, default 100. */
  readonly limit?: number | undefined;
  /** The `next` of the page before. */
  readonly after?: string | undefined;
}

/** `next` is the `after` of the next page; absent at the end. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly next?: string | undefined;
}

export type SendOptions = Omit<SendTurn, 'input'> & CommandOptions;

export interface Pilotlight extends AsyncDisposable {
  readonly sessions: Sessions;
  /** Events of all sessions. Positions are global cursors. */
  events(options?: StreamOptions): EventStream;
  agents(): Promise<readonly AgentView[]>;
  status(): Promise<StatusView>;
}

export interface Sessions {
  /** Resolves when the session is durable; its agent may still be starting. */
  create(request: CreateSession, options?: CommandOptions): Promise<Session>;
  /** `not_found` when there is none. */
  get(id: string): Promise<Session>;
  list(
    options?: PageOptions & { readonly state?: SessionView['state'] | undefined },
  ): Promise<Page<SessionView>>;
}

/** One session, as something to talk to. Holds nothing: it needs no disposing, and the session lives on without it. */
export interface Session {
  readonly id: string;
  /** The session as it is now. */
  view(): Promise<SessionView>;
  /** Sends a message. Resolves when it is durable; what becomes of it is the turn's. */
  send(input: TurnInput, options?: SendOptions): Promise<Turn>;
  /** Asks the running turn to end; it may still complete first. `no_turn` when there is none. */
  interrupt(options?: InterruptTurn & CommandOptions): Promise<TurnView>;
  /** Takes a queued turn back; it ends as interrupted. `turn_in_progress` when the agent has it. */
  takeBack(turn: string, options?: CommandOptions): Promise<TurnView>;
  /** What the agent asks and nobody has answered. */
  permissions(): Promise<readonly PermissionView[]>;
  /** Answers a request, once. `already_resolved` (who answered is in its detail) when somebody was faster. */
  answer(request: string, answer: AnswerPermission, options?: CommandOptions): Promise<PermissionView>;
  /** Changes name, model, mode, credentials, …: see the API's PATCH. */
  update(changes: UpdateSession, options?: CommandOptions): Promise<SessionView>;
  /** Ends its turns and its process. Its events stay. */
  close(options?: CommandOptions): Promise<SessionView>;
  turns(options?: PageOptions): Promise<Page<TurnView>>;
  /** A turn of this session, to be followed like one just sent. */
  turn(id: string): Promise<Turn>;
  /** Its events, each once, by seq. */
  events(options?: StreamOptions): EventStream;
}

/**
 * Iterate it for the turn's events, from `turn.queued` to its one ending, each once.
 * `await turn.result` for the turn as it ended. Both may be done, in any order; a turn that failed is a result, not an error.
 * Disposing it ends what follows it here, never the turn.
 */
export interface Turn extends AsyncIterable<SessionEvent>, AsyncDisposable {
  readonly id: string;
  readonly sessionId: string;
  /** The turn as it was accepted. */
  readonly accepted: TurnView;
  /** Resolves when the turn has ended, however it did. Rejects when that can no longer be known. */
  readonly result: Promise<TurnView>;
  /** The turn as it is now. */
  view(): Promise<TurnView>;
}

export interface StreamOptions {
  /** Events behind this position: a seq, or of all sessions a global cursor. Default 0: from the start. */
  readonly after?: number | undefined;
  /** Go on when the end is reached. Default true. */
  readonly follow?: boolean | undefined;
  /** Ends the iteration quietly. */
  readonly signal?: AbortSignal | undefined;
  /** Called when the replay is over, again after every coming back. */
  readonly onLive?: ((through: number) => void) | undefined;
  /** The epoch in which `after` was received: another one is a reset. */
  readonly epoch?: string | undefined;
}

/**
 * Events, each once and in order, for one consumer. Ends quietly when its signal aborts, when it or its host is disposed, after a reset,
 * and (`follow: false`) at the end.
 */
export interface EventStream extends AsyncIterable<StreamItem>, AsyncDisposable {
  /** The position of the last item yielded: `after` of the next stream. */
  readonly position: number;
  /** The epoch of the journal behind it, once known. */
  readonly epoch: string | undefined;
}

/** Events that retention removed: `from` to `to` (seqs; of all sessions: the seqs of `session`). */
export interface StreamGap {
  readonly type: 'stream.gap';
  readonly data: {
    readonly from: number;
    readonly to: number;
    readonly reason: string;
    readonly session?: string | undefined;
  };
}

/**
 * The journal's end was lost since (a power cut), so that what was received may not be what is there now. The stream ends with it:
 * read the views again, then follow from where you want. `lastSeq` is known when the cursor was beyond the end.
 */
export interface StreamReset {
  readonly type: 'stream.reset';
  readonly data: { readonly epoch: string; readonly lastSeq?: number | undefined };
}

/** Discriminated by `type`. An event whose type this version does not know is passed on as it is: have a default branch. */
export type StreamItem = SessionEvent | StreamGap | StreamReset;
