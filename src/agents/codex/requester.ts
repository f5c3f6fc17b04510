/**
 * Requests and answers during the handshake, each bounded in time, and what Codex says in between.
 * Owns the ids (small: they are over before the first numbered write), the retries of a busy server. Knows nothing of what is asked.
 */
import { messageOf, PilotlightError } from '../../protocol/index.ts';
import type { AgentSignal } from '../../session/ports.ts';
import type { HandshakeChannel, Json, RuntimeLimits } from '../dialect.ts';
import { OVERLOADED } from './errors.ts';
import { envelopeOf, isRecord, RpcError, type Envelope } from './messages.ts';
import { isGeneral, translateGeneral } from './notices.ts';
import { begin, newState } from './state.ts';

/** What Codex answered: a result, or an error in its own words. */
type Reply =
  | { readonly kind: 'result'; readonly result: unknown }
  | { readonly kind: 'refused'; readonly error: RpcError };

export interface Talk {
  /** Rejects with `timeout`, or whatever the channel rejects with. A busy server is asked again within the bound. */
  request(method: string, params: Json, bound: 'request' | 'thread'): Promise<Reply>;
  notify(method: string): void;
  /** Warnings that came in between. */
  heard(): readonly AgentSignal[];
}

const HEARD = 32;

export function talkTo(channel: HandshakeChannel, limits: RuntimeLimits): Talk {
  let id = 0;
  const ear = listener(channel);
  const ask = async (method: string, params: Json, timeoutMs: number): Promise<Envelope> => {
    id += 1;
    const own = id;
    channel.send(JSON.stringify({ id: own, method, params }));
    return channel.receive((line) => ear.answerTo(own, line), { timeoutMs });
  };
  return {
    async request(method, params, bound) {
      const ms = bound === 'thread' ? limits.threadTimeoutMs : limits.requestTimeoutMs;
      const deadline = performance.now() + ms;
      for (let attempt = 0; ; attempt += 1) {
        const left = Math.max(1, Math.ceil(deadline - performance.now()));
        const answer = await ask(method, params, left).catch((error: unknown) => {
          throw late(error) ? timedOut(method, ms, error) : error;
        });
        if (!isRecord(answer.error)) return { kind: 'result', result: answer.result };
        const error = RpcError.parse(answer.error);
        const wait = backoff(attempt);
        if (error.code !== OVERLOADED || performance.now() + wait >= deadline)
          return { kind: 'refused', error };
        await pause(channel, ear, wait);
      }
    },
    notify: (method) => channel.send(JSON.stringify({ method, params: {} })),
    heard: () => ear.signals,
  };
}

interface Ear {
  readonly signals: readonly AgentSignal[];
  answerTo(id: number, line: string): Envelope | undefined;
}

/** Hears every line: keeps warnings, answers requests (none can be served yet; an unanswered one could hang the start). */
function listener(channel: HandshakeChannel): Ear {
  const signals: AgentSignal[] = [];
  const nowhere = { next: () => 0 };
  const hear = (message: Envelope): void => {
    const { method, id, params } = message;
    if (method === undefined) return;
    if (id !== undefined) {
      channel.send(
        JSON.stringify({ id, error: { code: -32601, message: 'not before the conversation is open' } }),
      );
      return;
    }
    if (!isGeneral(method)) return;
    const work = begin(newState({ thread: '', model: null, effort: null, plan: false }), nowhere);
    try {
      translateGeneral(work, method, params);
    } catch {
      return;
    }
    signals.push(...work.signals.slice(0, Math.max(0, HEARD - signals.length)));
  };
  return {
    signals,
    answerTo(id, line) {
      const message = envelopeOf(line);
      if (message === undefined) return undefined;
      if (message.method === undefined && message.id === id) return message;
      hear(message);
      return undefined;
    },
  };
}

/** 100 ms, 200, 400 … 2 s, each within its upper half, so that many starts do not come back together. */
function backoff(attempt: number): number {
  const most = Math.min(2_000, 100 * 2 ** attempt);
  return Math.ceil(most * (0.5 + Math.random() / 2));
}

/** Waits, and listens while it does. */
async function pause(channel: HandshakeChannel, ear: Ear, ms: number): Promise<void> {
  try {
    await channel.receive((line) => ear.answerTo(-1, line), { timeoutMs: ms });
  } catch (error) {
    if (!late(error)) throw error;
  }
}

function late(error: unknown): boolean {
  return error instanceof PilotlightError && error.code === 'timeout';
}

function timedOut(method: string, ms: number, cause: unknown): PilotlightError {
  return new PilotlightError(
    'timeout',
    `Codex did not answer ${method} within ${ms} ms: ${messageOf(cause)}`,
    { cause },
  );
}
