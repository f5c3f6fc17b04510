/**
 * The handshake: `initialize`, `initialized`, what the configuration says, then a thread, new or resumed.
 * Owns which failures of a resume lose the conversation (one) and which are errors (all others). Knows nothing of processes.
 */
import { PilotlightError, VERSION } from '../../protocol/index.ts';
import type { AgentSignal } from '../../session/ports.ts';
import type { z } from 'zod';
import type { AgentSettings, Greeted, HandshakeChannel, Json } from '../dialect.ts';
import { IGNORED } from './ignored.ts';
import { ConfigRead, Initialized, ThreadOpened, type ConfigView, type RpcError } from './messages.ts';
import { codexOptions } from './plan.ts';
import { talkTo, type Talk } from './requester.ts';
import { threadSettings } from './settings.ts';
import { toldAtStart } from './tell.ts';
import { BOUNDS, cutText, newState, type CodexState } from './state.ts';

/** Rejects with `timeout`, `agent_session_in_use`, `bad_request` (options), or `agent_unavailable` (Codex refused, with its words). */
export async function greet(
  channel: HandshakeChannel,
  settings: AgentSettings,
): Promise<Greeted<CodexState>> {
  const talk = talkTo(channel, settings.limits);
  const version = await initialize(talk);
  const seen = await configuration(talk, settings);
  const table = threadSettings(settings, seen);
  const opened = await openThread(talk, { settings, table });
  const { thread, model } = opened.answer;
  const effort = codexOptions(settings.agentOptions).effort ?? opened.answer.reasoningEffort ?? null;
  const state = newState({
    thread: thread.id.slice(0, BOUNDS.id),
    model: model?.slice(0, BOUNDS.id) ?? settings.model ?? null,
    effort: effort?.slice(0, BOUNDS.id) ?? null,
    plan: settings.mode === 'plan',
    told: toldAtStart(settings, seen),
  });
  return {
    state,
    agentSessionId: thread.id,
    ...(version === undefined ? {} : { version }),
    resumed: opened.resumed,
    signals: [...talk.heard(), ...opened.signals],
  };
}

export async function initialize(talk: Talk): Promise<string | undefined> {
  const reply = await talk.request(
    'initialize',
    {
      clientInfo: { name: 'pilotlight', title: 'Pilotlight', version: VERSION },
      capabilities: {
        experimentalApi: true,
        requestAttestation: false,
        optOutNotificationMethods: [...IGNORED],
      },
    },
    'request',
  );
  if (reply.kind === 'refused') throw unavailable('initialize', reply.error);
  const { userAgent } = read(Initialized, reply.result, 'initialize');
  talk.notify('initialized');
  return /\/(\d+\.\d+\.\d+\S*)/.exec(userAgent ?? '')?.[1];
}

/** Only wanted for the provider's own bounds: a version that has no `config/read` is used without. */
async function configuration(talk: Talk, settings: AgentSettings): Promise<ConfigView | undefined> {
  const reply = await talk.request('config/read', { includeLayers: false, cwd: settings.cwd }, 'request');
  return reply.kind === 'result' ? ConfigRead.safeParse(reply.result).data?.config : undefined;
}

type Table = Readonly<Record<string, Json>>;

interface Opened {
  readonly answer: z.infer<typeof ThreadOpened>;
  readonly resumed: boolean;
  readonly signals: readonly AgentSignal[];
}

async function openThread(talk: Talk, opening: { settings: AgentSettings; table: Table }): Promise<Opened> {
  const { resume } = opening.settings;
  if (resume === undefined) return startThread(talk, opening.table, []);
  const params = { threadId: resume, excludeTurns: true, ...opening.table };
  const reply = await talk.request('thread/resume', params, 'thread');
  if (reply.kind === 'result')
    return { answer: read(ThreadOpened, reply.result, 'thread/resume'), resumed: true, signals: [] };
  // The one failure that means there is nothing to continue. Every other one may pass, or would lose a conversation that exists.
  if (!/no rollout found/i.test(reply.error.message)) throw notResumed(resume, reply.error);
  const message = `Codex has no record of conversation ${resume}; a new one was started`;
  return startThread(talk, opening.table, [
    { kind: 'notice', level: 'warning', code: 'resume_lost', message },
  ]);
}

async function startThread(talk: Talk, table: Table, signals: readonly AgentSignal[]): Promise<Opened> {
  const reply = await talk.request('thread/start', table, 'thread');
  if (reply.kind === 'refused') throw unavailable('thread/start', reply.error);
  return { answer: read(ThreadOpened, reply.result, 'thread/start'), resumed: false, signals };
}

export function notResumed(conversation: string, error: RpcError): PilotlightError {
  if (!/already has an active writer/i.test(error.message)) return unavailable('thread/resume', error);
  return new PilotlightError(
    'agent_session_in_use',
    `Another process has Codex conversation ${conversation} open`,
    {
      fix: 'End the process that has it, or start a new session.',
      detail: { conversation },
    },
  );
}

export function unavailable(method: string, error: RpcError): PilotlightError {
  return new PilotlightError(
    'agent_unavailable',
    `Codex refused ${method}: ${cutText(error.message, BOUNDS.message)}`,
    {
      detail: { method, code: error.code },
    },
  );
}

function read<T>(schema: z.ZodType<T>, value: unknown, method: string): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new PilotlightError('protocol', `The answer of Codex to ${method} is not what was expected`, {
    cause: parsed.error,
  });
}
