/** One session of a daemon, as something to talk to. Holds no connection. */
import type {
  AnswerPermission,
  InterruptTurn,
  PermissionView,
  SendTurn,
  SessionView,
  TurnInput,
  TurnView,
  UpdateSession,
} from '../protocol/index.ts';
import { EventStream, type StreamOptions, type StreamSource } from './stream.ts';
import { ClientTurn } from './turn.ts';
import { pageOf, Permission, Permissions, Session, Turn, type Page } from './views.ts';
import type { Ask, Wire } from './wire.ts';

/** Of every call that changes something. */
export interface CommandOptions {
  /** Names the call, so that sending it again has no second effect. Default: a new one, kept through the call's own retries. */
  readonly idempotencyKey?: string;
  readonly signal?: AbortSignal;
}

export interface PageOptions {
  /** 1 to 1000, default 100. */
  readonly limit?: number;
  readonly after?: string;
}

export type SendOptions = Omit<SendTurn, 'input'> & CommandOptions;

export class ClientSession {
  readonly id: string;
  readonly #wire: Wire;
  readonly #source: StreamSource;

  constructor(wire: Wire, id: string, silenceMs: number) {
    this.id = id;
    this.#wire = wire;
    this.#source = { wire, path: `${this.#path}/events`, global: false, silenceMs };
  }

  /** The session as it is now. */
  view(): Promise<SessionView> {
    return this.#wire.ask({ method: 'GET', path: this.#path, answer: Session });
  }

  /** Sends a message. Resolves when it is durable; what becomes of it is the turn's. */
  async send(input: TurnInput, options: SendOptions = {}): Promise<ClientTurn> {
    const { idempotencyKey, signal, ...rest } = options;
    const accepted = await this.#command('POST', '/turns', {
      body: { input, ...rest },
      answer: Turn,
      idempotencyKey,
      signal,
    });
    return new ClientTurn(this.#source, accepted);
  }

  /** Asks the running turn to end; it may still complete first. `no_turn` when there is none. */
  interrupt(options: InterruptTurn & CommandOptions = {}): Promise<TurnView> {
    const { idempotencyKey, signal, ...body } = options;
    return this.#command('POST', '/interrupt', { body, answer: Turn, idempotencyKey, signal });
  }

  /** Takes a queued turn back; it ends as interrupted. `turn_in_progress` when the agent has it. */
  takeBack(turn: string, options: CommandOptions = {}): Promise<TurnView> {
    return this.#command('DELETE', `/turns/${encodeURIComponent(turn)}`, { answer: Turn, ...options });
  }

  /** What the agent asks and nobody has answered. */
  async permissions(): Promise<readonly PermissionView[]> {
    const path = `${this.#path}/permissions`;
    return (await this.#wire.ask({ method: 'GET', path, answer: Permissions })).items;
  }

  /** Answers a request, once. `already_resolved` (who answered is in its detail) when somebody was faster. */
  answer(request: string, answer: AnswerPermission, options: CommandOptions = {}): Promise<PermissionView> {
    const below = `/permissions/${encodeURIComponent(request)}`;
    return this.#command('POST', below, { body: answer, answer: Permission, ...options });
  }

  update(changes: UpdateSession, options: CommandOptions = {}): Promise<SessionView> {
    return this.#command('PATCH', '', { body: changes, answer: Session, ...options });
  }

  /** Ends its turns and its process. Its events stay. */
  close(options: CommandOptions = {}): Promise<SessionView> {
    return this.#command('DELETE', '', { answer: Session, ...options });
  }

  turns(options: PageOptions = {}): Promise<Page<TurnView>> {
    const { limit, after } = options;
    return this.#wire.ask({
      method: 'GET',
      path: `${this.#path}/turns`,
      query: { limit, after },
      answer: pageOf(Turn),
    });
  }

  /** A turn of this session, to be followed like one just sent. */
  async turn(id: string): Promise<ClientTurn> {
    const path = `${this.#path}/turns/${encodeURIComponent(id)}`;
    return new ClientTurn(this.#source, await this.#wire.ask({ method: 'GET', path, answer: Turn }));
  }

  /** Its events, each once, by seq; comes back by itself when the connection breaks. */
  events(options: StreamOptions = {}): EventStream {
    return new EventStream(this.#source, options);
  }

  get #path(): string {
    return `/v1/sessions/${encodeURIComponent(this.id)}`;
  }

  #command<T>(
    method: 'POST' | 'PATCH' | 'DELETE',
    below: string,
    ask: Omit<Ask<T>, 'method' | 'path'>,
  ): Promise<T> {
    return this.#wire.ask({ ...ask, method, path: this.#path + below });
  }
}
