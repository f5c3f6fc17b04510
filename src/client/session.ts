/** One session of a daemon, as something to talk to. Holds no connection. */
import type * as protocol from '../protocol/index.ts';
import type {
  AnswerPermission,
  CommandOptions,
  EventStream,
  InterruptTurn,
  Page,
  PageOptions,
  PermissionView,
  SendOptions,
  SessionView,
  StreamOptions,
  TurnInput,
  TurnView,
  UpdateSession,
} from '../protocol/index.ts';
import { ClientStream, type StreamSource } from './stream.ts';
import { FollowedTurn } from './turn.ts';
import { pageOf, Permission, Permissions, Session, Turn } from './views.ts';
import type { Ask, Wire } from './wire.ts';

/** See `Session`. */
export class ClientSession implements protocol.Session {
  readonly id: string;
  readonly #wire: Wire;
  readonly #source: StreamSource;

  constructor(wire: Wire, id: string, silenceMs: number) {
    this.id = id;
    this.#wire = wire;
    this.#source = { wire, path: `${this.#path}/events`, global: false, silenceMs };
  }

  view(): Promise<SessionView> {
    return this.#wire.ask({ method: 'GET', path: this.#path, answer: Session });
  }

  async send(input: TurnInput, options: SendOptions = {}): Promise<protocol.Turn> {
    const { idempotencyKey, signal, ...rest } = options;
    const accepted = await this.#command('POST', '/turns', {
      body: { input, ...rest },
      answer: Turn,
      idempotencyKey,
      signal,
    });
    return this.#followed(accepted);
  }

  interrupt(options: InterruptTurn & CommandOptions = {}): Promise<TurnView> {
    const { idempotencyKey, signal, ...body } = options;
    return this.#command('POST', '/interrupt', { body, answer: Turn, idempotencyKey, signal });
  }

  takeBack(turn: string, options: CommandOptions = {}): Promise<TurnView> {
    return this.#command('DELETE', `/turns/${encodeURIComponent(turn)}`, { answer: Turn, ...options });
  }

  async permissions(): Promise<readonly PermissionView[]> {
    const path = `${this.#path}/permissions`;
    return (await this.#wire.ask({ method: 'GET', path, answer: Permissions })).items;
  }

  answer(request: string, answer: AnswerPermission, options: CommandOptions = {}): Promise<PermissionView> {
    const below = `/permissions/${encodeURIComponent(request)}`;
    return this.#command('POST', below, { body: answer, answer: Permission, ...options });
  }

  update(changes: UpdateSession, options: CommandOptions = {}): Promise<SessionView> {
    return this.#command('PATCH', '', { body: changes, answer: Session, ...options });
  }

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

  async turn(id: string): Promise<protocol.Turn> {
    return this.#followed(await this.#turn(id));
  }

  /** Its events, each once, by seq; comes back by itself when the connection breaks. */
  events(options: StreamOptions = {}): EventStream {
    return new ClientStream(this.#source, options);
  }

  get #path(): string {
    return `/v1/sessions/${encodeURIComponent(this.id)}`;
  }

  #followed(accepted: TurnView): FollowedTurn {
    return new FollowedTurn(accepted, {
      open: (after) => this.events({ after }),
      view: () => this.#turn(accepted.id),
    });
  }

  #turn(id: string): Promise<TurnView> {
    const path = `${this.#path}/turns/${encodeURIComponent(id)}`;
    return this.#wire.ask({ method: 'GET', path, answer: Turn });
  }

  #command<T>(
    method: 'POST' | 'PATCH' | 'DELETE',
    below: string,
    ask: Omit<Ask<T>, 'method' | 'path'>,
  ): Promise<T> {
    return this.#wire.ask({ ...ask, method, path: this.#path + below });
  }
}
