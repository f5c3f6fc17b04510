/**
 * The library's verbs over a host in this process: the same as the client's, without HTTP.
 */
import { z } from 'zod';
import { idempotencyOf } from '../api/idempotency.ts';
import { invalidRequest } from '../api/invalid.ts';
import { FollowedTurn } from '../client/turn.ts';
import {
  AnswerPermission,
  CreateSession,
  InterruptTurn,
  PilotlightError,
  SendTurn,
  UpdateSession,
  type By,
  type CommandOptions,
  type Pilotlight,
  type Session,
  type Turn,
  type TurnView,
} from '../protocol/index.ts';
import type { Answered, Caller, Host } from '../host/index.ts';
import { LocalStream, type LocalSource } from './local-stream.ts';

/** A host in this process. Disposing it ends everything: running turns get 10 s, then they are interrupted; agents end by the ladder. Idempotent. */
export interface LocalHost extends Pilotlight {
  /** As disposing does. */
  close(): Promise<void>;
}

const BY: By = { kind: 'client', name: 'library' };

interface At {
  readonly host: Host;
  readonly closed: AbortSignal;
}

interface Command<B> extends CommandOptions {
  readonly verb: string;
  readonly session?: string;
  readonly schema: z.ZodType<B>;
  readonly body: unknown;
}

export function localHost(host: Host, end: () => Promise<void>): LocalHost {
  const closing = new AbortController();
  const at: At = { host, closed: closing.signal };
  let ended: Promise<void> | undefined;
  const close = (): Promise<void> =>
    (ended ??= end().finally(() => {
      closing.abort();
    }));
  return {
    sessions: {
      create: async (body, options) => {
        const command = { verb: 'create', schema: CreateSession, body, ...options };
        return sessionOf(at, (await run(command, (request, caller) => host.create(request, caller))).id);
      },
      get: async (id) => sessionOf(at, host.get(id).id),
      list: async (filter = {}) => host.list(filter),
    },
    events: (options = {}) => new LocalStream(at, options),
    agents: () => host.agents(),
    status: () => host.status(),
    close,
    [Symbol.asyncDispose]: close,
  };
}

function sessionOf(at: At, id: string): Session {
  const { host } = at;
  const source = { ...at, session: id };
  return {
    id,
    view: async () => host.get(id),
    async send(input, { idempotencyKey, signal, ...rest } = {}) {
      const command = { verb: 'send', session: id, schema: SendTurn, body: { input, ...rest } };
      const accepted = await run({ ...command, idempotencyKey, signal }, (request, caller) =>
        host.send(id, request, caller),
      );
      return turnOf(source, accepted);
    },
    update: (body, options) =>
      run({ verb: 'update', session: id, schema: UpdateSession, body, ...options }, (changes, caller) =>
        host.update(id, changes, caller),
      ),
    interrupt: ({ idempotencyKey, signal, ...body } = {}) =>
      run(
        { verb: 'interrupt', session: id, schema: InterruptTurn, body, idempotencyKey, signal },
        (request, caller) => host.interrupt(id, request, caller),
      ),
    takeBack: (turn, options) =>
      run({ verb: 'takeBack', session: id, schema: TurnId, body: turn, ...options }, (request, caller) =>
        host.takeBack(id, request, caller),
      ),
    permissions: async () => host.permissions(id),
    answer: (request, body, options) =>
      run(
        { verb: `answer ${request}`, session: id, schema: AnswerPermission, body, ...options },
        (answer, caller) => host.answer(id, { ...answer, request }, caller),
      ),
    close: (options) =>
      run({ verb: 'close', session: id, schema: Nothing, body: undefined, ...options }, (_, caller) =>
        host.close(id, caller),
      ),
    turns: async (options = {}) => host.turns(id, options),
    turn: async (turn) => turnOf(source, host.turn(id, turn)),
    events: (options = {}) => new LocalStream(source, options),
  };
}

const TurnId = z.string();
const Nothing = z.undefined();

/** By the same rules as at the API's door: names that an agent would make more of than a name are refused here, too. */
async function run<B, T>(
  command: Command<B>,
  act: (body: B, caller: Caller) => Promise<Answered<T>>,
): Promise<T> {
  const { verb, session, schema, body, idempotencyKey, signal } = command;
  const parsed = schema.safeParse(body);
  if (!parsed.success) throw invalidRequest(parsed.error.issues);
  if (signal?.aborted === true) throw cancelled(verb);
  const keyed = { asker: BY.name ?? BY.kind, method: '', route: verb, session, body: body ?? null };
  const idempotency = idempotencyOf(idempotencyKey ?? null, keyed);
  const answered = act(parsed.data, { by: BY, ...(idempotency === undefined ? {} : { idempotency }) });
  return (await orAborted(answered, signal, verb)).value;
}

function turnOf(source: LocalSource & { readonly session: string }, accepted: TurnView): Turn {
  return new FollowedTurn(accepted, {
    open: (after) => new LocalStream(source, { after }),
    view: async () => source.host.turn(source.session, accepted.id),
  });
}

/** The wait ends with the signal; what was asked is done all the same. */
async function orAborted<T>(answer: Promise<T>, signal: AbortSignal | undefined, verb: string): Promise<T> {
  if (signal === undefined) return answer;
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = (): void => {
    reject(cancelled(verb));
  };
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([answer, promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

function cancelled(verb: string): PilotlightError {
  return new PilotlightError('aborted', `${verb} was cancelled`);
}
