/** A daemon, seen by a program: typed calls over HTTP. Runs wherever `fetch` does. */
import type {
  AgentView,
  CollectedView,
  CommandOptions,
  CreateSession,
  EventStream,
  Page,
  PageOptions,
  Pilotlight,
  Sessions,
  SessionView,
  StatusView,
  StreamOptions,
} from '../protocol/index.ts';
import { endpointOf } from './home.ts';
import { ClientSession } from './session.ts';
import { ClientStream } from './stream.ts';
import { ClientTokens } from './tokens.ts';
import { Agents, Collected, Health, Nothing, pageOf, Session, Status } from './views.ts';
import { ClientWorkspaces } from './workspaces.ts';
import { addressOf, Wire, type Endpoint, type Fetch } from './wire.ts';

export interface ClientBounds {
  /** Default: the platform's. */
  readonly fetch?: Fetch;
  /** A plain request without an answer for so long is `timeout`. Default 30 s. */
  readonly timeoutMs?: number;
  /** How long a command is sent again, under its key, while no daemon answers or it says 503. Default 10 s. */
  readonly retryMs?: number;
  /** An event stream without a byte for so long is dropped and opened again. Default 45 s: three missed signs of life. */
  readonly silenceMs?: number;
}

export interface ConnectOptions extends ClientBounds {
  /** As in `daemon.json`, e.g. `http://127.0.0.1:7433`. */
  readonly url: string;
  readonly token: string;
}

export interface ConnectHomeOptions extends ClientBounds {
  /** The directory, e.g. `~/.pilotlight` (not expanded here). Under Node only. */
  readonly home: string;
}

/**
 * A daemon or hub by its address, or the daemon of a home. Makes no connection yet: the first call does. Throws `bad_request` for what is no
 * http(s) address. A home's files are read again before every attempt: its daemon may come back on another port.
 */
export function connect(options: ConnectOptions | ConnectHomeOptions): PilotlightClient {
  if ('home' in options) return new PilotlightClient(() => endpointOf(options.home), options);
  const endpoint = { url: addressOf(options.url), token: options.token };
  return new PilotlightClient(() => endpoint, options);
}

/** As `connect`, but `no_daemon` at once when the home has none. */
export async function connectHome(options: ConnectHomeOptions): Promise<PilotlightClient> {
  await endpointOf(options.home);
  return connect(options);
}

/** Every call rejects with PilotlightError. Disposing it ends its streams and whatever is under way; the daemon goes on. */
export class PilotlightClient implements Pilotlight {
  readonly sessions: ClientSessions;
  /** Scoped tokens; for admins. */
  readonly tokens: ClientTokens;
  /** Workspaces whose repositories' own settings count. */
  readonly workspaces: ClientWorkspaces;
  readonly #wire: Wire;
  readonly #silenceMs: number;

  constructor(locate: () => Endpoint | Promise<Endpoint>, bounds: ClientBounds = {}) {
    const {
      fetch = (input, init) => globalThis.fetch(input, init),
      timeoutMs = 30_000,
      retryMs = 10_000,
    } = bounds;
    this.#silenceMs = bounds.silenceMs ?? 45_000;
    this.#wire = new Wire({ locate, fetch, timeoutMs, retryMs });
    this.tokens = new ClientTokens(this.#wire);
    this.workspaces = new ClientWorkspaces(this.#wire);
    this.sessions = new ClientSessions(this.#wire, (id) => this.session(id));
  }

  health(options: { readonly signal?: AbortSignal; readonly timeoutMs?: number } = {}): Promise<Health> {
    return this.#wire.ask({ method: 'GET', path: '/v1/health', answer: Health, ...options });
  }

  status(): Promise<StatusView> {
    return this.#wire.ask({ method: 'GET', path: '/v1/status', answer: Status });
  }

  async agents(): Promise<readonly AgentView[]> {
    return (await this.#wire.ask({ method: 'GET', path: '/v1/agents', answer: Agents })).items;
  }

  /** A session by its id; asks nothing. */
  session(id: string): ClientSession {
    return new ClientSession(this.#wire, id, this.#silenceMs);
  }

  events(options: StreamOptions = {}): EventStream {
    const source = { wire: this.#wire, path: '/v1/events', global: true, silenceMs: this.#silenceMs };
    return new ClientStream(source, options);
  }

  /** Stops the daemon and every agent. Without `now` running turns may finish, which may take half a minute. */
  async stop(options: { readonly now?: boolean; readonly timeoutMs?: number } = {}): Promise<void> {
    const { now = false, timeoutMs = 90_000 } = options;
    await this.#wire.ask({
      method: 'POST',
      path: '/v1/daemon/stop',
      body: { now },
      answer: Nothing,
      timeoutMs,
    });
  }

  /** Lets retention work now; what it has removed. */
  gc(): Promise<CollectedView> {
    return this.#wire.ask({
      method: 'POST',
      path: '/v1/daemon/gc',
      answer: Collected,
      timeoutMs: 120_000,
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#wire.close();
    return Promise.resolve();
  }
}

/** See `Sessions`. */
export class ClientSessions implements Sessions {
  readonly #wire: Wire;
  readonly #session: (id: string) => ClientSession;

  constructor(wire: Wire, session: (id: string) => ClientSession) {
    this.#wire = wire;
    this.#session = session;
  }

  async create(request: CreateSession, options: CommandOptions = {}): Promise<ClientSession> {
    const view = await this.#wire.ask({
      method: 'POST',
      path: '/v1/sessions',
      body: request,
      answer: Session,
      ...options,
    });
    return this.#session(view.id);
  }

  async get(id: string): Promise<ClientSession> {
    const session = this.#session(id);
    await session.view();
    return session;
  }

  list(
    options: PageOptions & { readonly state?: SessionView['state'] | undefined } = {},
  ): Promise<Page<SessionView>> {
    const { state, limit, after } = options;
    return this.#wire.ask({
      method: 'GET',
      path: '/v1/sessions',
      query: { state, limit, after },
      answer: pageOf(Session),
    });
  }
}
