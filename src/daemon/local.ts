/**
 * The library's verbs over a host in this process: the same shape as the client's, without HTTP.
 */
import type { z } from 'zod';
import { invalidRequest } from '../api/invalid.ts';
import {
  PilotlightError,
  TURN_ENDINGS,
  AnyEvent,
  type AnswerPermission,
  type By,
  type ContentBlock,
  CreateSession,
  type InterruptTurn,
  type PermissionView,
  SendTurn,
  type SessionEvent,
  type SessionView,
  type StatusView,
  type TurnView,
  UpdateSession,
  type AgentView,
} from '../protocol/index.ts';
import type { Host } from '../host/index.ts';
import type { Followed } from '../session/ports.ts';

export interface LocalTurn extends AsyncIterable<SessionEvent> {
  readonly id: string;
  /** The turn as it ended. */
  readonly result: Promise<TurnView>;
}

export interface LocalSession {
  readonly id: string;
  view(): SessionView;
  send(input: string | readonly ContentBlock[], options?: Omit<SendTurn, 'input'>): Promise<LocalTurn>;
  /** Changes name, model, mode, credentials, …: see the API's PATCH. */
  update(changes: UpdateSession): Promise<SessionView>;
  interrupt(options?: InterruptTurn): Promise<TurnView>;
  /** Takes a queued turn back. */
  takeBack(turn: string): Promise<TurnView>;
  /** What the agent asks and nobody has answered. */
  permissions(): readonly PermissionView[];
  answer(request: string, answer: AnswerPermission): Promise<PermissionView>;
  close(): Promise<SessionView>;
  /** Events with seq > after, and then live until `signal` aborts. */
  events(options?: { readonly after?: number; readonly signal?: AbortSignal }): AsyncIterable<SessionEvent>;
}

export interface LocalHost extends AsyncDisposable {
  readonly sessions: {
    create(request: CreateSession): Promise<LocalSession>;
    get(id: string): LocalSession;
    list(filter?: { readonly state?: string; readonly limit?: number; readonly after?: string }): {
      readonly items: readonly SessionView[];
      readonly next?: string;
    };
  };
  agents(): Promise<readonly AgentView[]>;
  status(): Promise<StatusView>;
  /** Ends everything: running turns get 10 s, then they are interrupted; agents end by the ladder. Idempotent. */
  close(): Promise<void>;
}

const BY: By = { kind: 'client', name: 'library' };

export function localHost(host: Host, end: () => Promise<void>): LocalHost {
  let ended: Promise<void> | undefined;
  const close = (): Promise<void> => (ended ??= end());
  return {
    sessions: {
      create: async (request) => {
        const { value } = await host.create(checked(CreateSession, request), { by: BY });
        return sessionOf(host, value.id);
      },
      get: (id) => sessionOf(host, host.get(id).id),
      list: (filter = {}) => host.list(filter),
    },
    agents: () => host.agents(),
    status: () => host.status(),
    close,
    [Symbol.asyncDispose]: close,
  };
}

function sessionOf(host: Host, id: string): LocalSession {
  return {
    id,
    view: () => host.get(id),
    async send(input, options = {}) {
      const request = { input: typeof input === 'string' ? input : [...input], ...options };
      const { value } = await host.send(id, checked(SendTurn, request), { by: BY });
      return turnOf(host, value);
    },
    update: async (changes) => (await host.update(id, checked(UpdateSession, changes), { by: BY })).value,
    interrupt: async (options = {}) => (await host.interrupt(id, options, { by: BY })).value,
    takeBack: async (turn) => (await host.takeBack(id, turn, { by: BY })).value,
    permissions: () => host.permissions(id),
    answer: async (request, answer) => (await host.answer(id, { ...answer, request }, { by: BY })).value,
    close: async () => (await host.close(id, { by: BY })).value,
    events: ({ after = 0, signal } = {}) =>
      eventsOf(host.follow(id, after, signal ?? new AbortController().signal)),
  };
}

/** The same rules as at the API's door: names that an agent would make more of than a name are refused here, too. */
function checked<T>(schema: z.ZodType<T>, request: T): T {
  const parsed = schema.safeParse(request);
  if (parsed.success) return parsed.data;
  throw invalidRequest(parsed.error.issues);
}

function turnOf(host: Host, turn: TurnView): LocalTurn {
  const { sessionId, id } = turn;
  async function* events(): AsyncGenerator<SessionEvent> {
    const stop = new AbortController();
    try {
      for await (const event of eventsOf(host.follow(sessionId, turn.seq - 1, stop.signal))) {
        if (event.turn !== id) continue;
        yield event;
        if (TURN_ENDINGS.has(event.type)) return;
      }
    } finally {
      stop.abort();
    }
  }
  let result: Promise<TurnView> | undefined;
  return {
    id,
    [Symbol.asyncIterator]: events,
    get result() {
      result ??= (async () => {
        for await (const event of events()) if (TURN_ENDINGS.has(event.type)) break;
        return host.turn(sessionId, id);
      })();
      return result;
    },
  };
}

async function* eventsOf(batches: AsyncIterable<readonly Followed[]>): AsyncGenerator<SessionEvent> {
  for await (const batch of batches)
    for (const one of batch) if (one.kind === 'event') yield parseEvent(one.event.json);
}

function parseEvent(json: string): SessionEvent {
  const parsed = AnyEvent.safeParse(JSON.parse(json));
  if (!parsed.success)
    throw new PilotlightError('internal', 'An event of the journal could not be read', {
      cause: parsed.error,
    });
  // The journal of this process wrote it, with the schema of its type.
  return parsed.data as unknown as SessionEvent;
}
