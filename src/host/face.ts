/**
 * The public face of the host: what the two ways in (API, link) and the library may ask of it.
 * Owns the contract only. A command is answered when it is durable, not when it is done; the outcome is an event.
 */
import type {
  AgentView,
  AnswerPermission,
  By,
  CreateSession,
  InterruptTurn,
  Page,
  PageOptions,
  PermissionView,
  SendTurn,
  SessionView,
  StatusView,
  TurnView,
  UpdateSession,
} from '../protocol/index.ts';
import type { EventPage, Followed } from '../session/ports.ts';

/** Says that a command may be sent twice and must act once. Stored in the transaction that accepts the command. */
export interface Idempotency {
  /** Token + route + session: keys of other scopes never meet. */
  readonly scope: string;
  readonly key: string;
  /** A hash of the body: the same key with another body is refused (`idempotency_mismatch`). */
  readonly bodyHash: string;
}

/** Who asks, and whether the command was asked before. */
export interface Caller {
  readonly by: By;
  readonly idempotency?: Idempotency;
}

/** The answer of a command; `replayed` when an earlier acceptance is answered again without any effect. */
export interface Answered<T> {
  readonly value: T;
  readonly replayed: boolean;
}

/** The answer to a request, by the request's id. */
export type Answering = AnswerPermission & { readonly request: string };

/** Of a list of sessions. */
export type SessionFilter = PageOptions & { readonly state?: string | undefined };

/** Every method throws PilotlightError with the code that the interface names for it. */
export interface Host {
  create(request: CreateSession, caller: Caller): Promise<Answered<SessionView>>;
  get(session: string): SessionView;
  list(filter: SessionFilter): Page<SessionView>;
  update(session: string, request: UpdateSession, caller: Caller): Promise<Answered<SessionView>>;
  close(session: string, caller: Caller): Promise<Answered<SessionView>>;

  send(session: string, request: SendTurn, caller: Caller): Promise<Answered<TurnView>>;
  turns(session: string, filter: PageOptions): Page<TurnView>;
  turn(session: string, turn: string): TurnView;
  interrupt(session: string, request: InterruptTurn, caller: Caller): Promise<Answered<TurnView>>;
  /** Takes a turn back that nothing has of yet. */
  takeBack(session: string, turn: string, caller: Caller): Promise<Answered<TurnView>>;

  /** What the agent asks and nobody has answered. */
  permissions(session: string): readonly PermissionView[];
  answer(session: string, answer: Answering, caller: Caller): Promise<Answered<PermissionView>>;

  /** Events with seq > after (of one session) or cursor > after (session undefined). */
  events(session: string | undefined, after: number, limit: number): EventPage;
  /** Replay and then live, in batches, until `signal` aborts. See Journal.follow. */
  follow(session: string | undefined, after: number, signal: AbortSignal): AsyncIterable<readonly Followed[]>;

  agents(): Promise<readonly AgentView[]>;
  status(): Promise<StatusView>;
  readonly epoch: string;
}
