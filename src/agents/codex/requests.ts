/**
 * What Codex asks of us. Every request is answered, the unknown ones with an error at once: an unanswered one hangs the turn.
 * Owns which requests a person decides, and the shape of each answer. Deny is `decline`, never `cancel`: cancel ends the whole turn.
 * Knows nothing of who decides. Pure.
 */
import type { AgentAsk, AskAnswer } from '../../session/ports.ts';
import type { Json } from '../dialect.ts';
import { changeOf } from './items.ts';
import {
  CommandApproval,
  Elicitation,
  FileApproval,
  isRecord,
  LegacyCommandApproval,
  LegacyPatchApproval,
  PermissionsApproval,
  Resolved,
  UserInput,
  type Envelope,
} from './messages.ts';
import { BOUNDS, cutText, pushed, write, type OpenAsk, type Work } from './state.ts';

/** The server's own id of its request; it collides with ours. */
type To = string | number;

export function translateRequest(work: Work, message: Envelope): void {
  const { id: to = '', method = '', params } = message;
  if (ofAnotherSession(work, params)) return;
  const reader = READERS.get(method);
  if (reader === undefined)
    return refuse(work, { to, method, code: -32601, why: 'not supported by this client' });
  let question: Question | undefined;
  try {
    question = reader(work, params);
  } catch {
    return refuse(work, { to, method, code: -32602, why: 'parameters that this client does not understand' });
  }
  if (question === undefined || work.state.asks.length >= BOUNDS.asks || String(to).length > BOUNDS.id)
    return answer(work, { to, shape: shapeOf(method), codexTurn: null }, { decision: 'deny' });
  const { codexTurn, ask, ...rest } = question;
  const open = { to, shape: shapeOf(method), codexTurn: codexTurn?.slice(0, BOUNDS.id) ?? null, ...rest };
  work.state = { ...work.state, asks: pushed(work.state.asks, open, BOUNDS.asks) };
  work.signals.push({ kind: 'ask', ask: { request: String(to), ...ask } });
}

/** A decision of the session. One that comes too late (withdrawn, turn over) is dropped: Codex has gone on. */
export function answerAsk(work: Work, request: string, given: AskAnswer): void {
  const open = work.state.asks.find((ask) => String(ask.to) === request);
  if (open === undefined) return;
  work.state = { ...work.state, asks: work.state.asks.filter((ask) => ask !== open) };
  answer(work, open, given);
}

/** Also comes for what we answered ourselves: that is no longer in the list. The ids are the process's, so a subagent's are found too. */
export function requestResolved(work: Work, params: unknown): void {
  const request = String(Resolved.parse(params).requestId);
  const open = work.state.asks.find((ask) => String(ask.to) === request);
  if (open === undefined) return;
  work.state = { ...work.state, asks: work.state.asks.filter((ask) => ask !== open) };
  work.signals.push({ kind: 'ask-withdrawn', request });
}

/** Requests of a thread that is neither ours nor a subagent's are answered by the session that has it. */
function ofAnotherSession(work: Work, params: unknown): boolean {
  if (!isRecord(params)) return false;
  const thread = params['threadId'] ?? params['conversationId'];
  if (typeof thread !== 'string') return false;
  return thread !== work.state.thread && !work.state.children.includes(thread);
}

interface Question {
  readonly codexTurn: string | null | undefined;
  readonly ask: Omit<AgentAsk, 'request'>;
  readonly profile?: string;
}

const SHAPES: Readonly<Record<string, OpenAsk['shape']>> = {
  'item/permissions/requestApproval': 'permissions',
  'item/tool/requestUserInput': 'answers',
  'mcpServer/elicitation/request': 'elicitation',
  execCommandApproval: 'review',
  applyPatchApproval: 'review',
};

function shapeOf(method: string): OpenAsk['shape'] {
  return SHAPES[method] ?? 'decision';
}

/** Method → what is asked; undefined for what can only be denied. */
const READERS = new Map<string, (work: Work, params: unknown) => Question | undefined>([
  ['item/commandExecution/requestApproval', (_, params) => commandAsked(params)],
  ['item/fileChange/requestApproval', fileChangeAsked],
  ['item/permissions/requestApproval', permissionsAsked],
  ['item/tool/requestUserInput', (_, params) => userInputAsked(params)],
  ['mcpServer/elicitation/request', (_, params) => elicited(params)],
  ['execCommandApproval', (_, params) => legacyCommandAsked(params)],
  ['applyPatchApproval', (_, params) => legacyPatchAsked(params)],
]);

function commandAsked(params: unknown): Question {
  const given = CommandApproval.parse(params);
  const { command, cwd, networkApprovalContext: network, turnId, itemId, reason } = given;
  const input = {
    command: command ?? '',
    ...(cwd ? { cwd } : {}),
    ...(network ? { network } : {}),
  };
  return {
    codexTurn: turnId,
    ask: {
      kind: 'tool',
      tool: { id: itemId, name: 'shell', kind: 'execute', input },
      ...(reason ? { reason } : {}),
    },
  };
}

/** The request names only its item; what would change was in the item's start. */
function fileChangeAsked(work: Work, params: unknown): Question {
  const { turnId, itemId, reason, grantRoot } = FileApproval.parse(params);
  const { diff, paths } = changeOf(work, itemId);
  const input = { ...(grantRoot ? { grantRoot } : {}), ...(paths === undefined ? {} : { paths }) };
  return {
    codexTurn: turnId,
    ask: {
      kind: 'tool',
      tool: { id: itemId, name: 'apply_patch', kind: 'edit', input },
      ...(diff === undefined ? {} : { diff }),
      ...(reason ? { reason } : {}),
    },
  };
}

/** What is granted must be given back in words, so it is kept: a profile too large to keep is denied. */
function permissionsAsked(work: Work, params: unknown): Question | undefined {
  const { turnId, itemId, reason, permissions } = PermissionsApproval.parse(params);
  const { network, fileSystem } = permissions;
  const granted = { ...(network ? { network } : {}), ...(fileSystem ? { fileSystem } : {}) };
  const profile = JSON.stringify(granted);
  const kept = work.state.asks.filter((ask) => ask.profile !== undefined).length;
  if (profile.length > BOUNDS.profile || kept >= BOUNDS.profiles) return undefined;
  return {
    codexTurn: turnId,
    profile,
    ask: {
      kind: 'tool',
      tool: { id: itemId, name: 'request_permissions', kind: 'other', input: granted },
      ...(reason ? { reason } : {}),
    },
  };
}

function userInputAsked(params: unknown): Question {
  const { turnId, questions } = UserInput.parse(params);
  return {
    codexTurn: turnId,
    ask: {
      kind: 'question',
      questions: questions.map(({ id, question, isSecret, options }) => ({
        id,
        text: question,
        ...(options
          ? {
              options: options.map(({ label, description }) => ({
                label,
                ...(description ? { description } : {}),
              })),
            }
          : {}),
        ...(isSecret ? { secret: true } : {}),
      })),
    },
  };
}

/** An MCP server's question. A page to open or a yes can be decided; a form with fields that must be filled cannot, nor a verification. */
function elicited(params: unknown): Question | undefined {
  const { turnId, serverName, mode, message, url, requestedSchema } = Elicitation.parse(params);
  const fillable = (requestedSchema?.required ?? []).length === 0;
  const decidable = mode === 'url' || (mode !== 'openai/userVerification' && fillable);
  if (!decidable) return undefined;
  const input = { message, ...(url ? { url } : {}) };
  return {
    codexTurn: turnId,
    ask: {
      kind: 'tool',
      tool: { id: `elicitation:${serverName}`, name: `mcp__${serverName}`, kind: 'mcp', input },
      reason: message,
    },
  };
}

function legacyCommandAsked(params: unknown): Question {
  const { callId, command, cwd, reason } = LegacyCommandApproval.parse(params);
  const input = { command: command.join(' '), ...(cwd ? { cwd } : {}) };
  const tool = { id: callId, name: 'shell', kind: 'execute', input } as const;
  return { codexTurn: null, ask: { kind: 'tool', tool, ...(reason ? { reason } : {}) } };
}

function legacyPatchAsked(params: unknown): Question {
  const { callId, fileChanges, reason } = LegacyPatchApproval.parse(params);
  const tool = { id: callId, name: 'apply_patch', kind: 'edit', input: { changes: fileChanges } } as const;
  return { codexTurn: null, ask: { kind: 'tool', tool, ...(reason ? { reason } : {}) } };
}

function answer(work: Work, ask: OpenAsk, given: AskAnswer): void {
  const result = resultOf(ask, given);
  write(work, 'answer', () => ({ to: ask.to, result }));
}

function resultOf(ask: OpenAsk, { decision, message, answers }: AskAnswer): Json {
  const allowed = decision === 'allow';
  switch (ask.shape) {
    case 'decision':
      return { decision: allowed ? 'accept' : 'decline' };
    case 'review':
      return {
        decision: allowed
          ? 'approved'
          : { denied: { rejection: cutText(message ?? 'Denied', BOUNDS.message) } },
      };
    case 'permissions':
      return { permissions: allowed ? profileOf(ask) : {}, scope: 'turn' };
    case 'answers':
      return { answers: allowed ? answersOf(answers) : {} };
    case 'elicitation':
      return { action: allowed ? 'accept' : 'decline', content: allowed ? {} : null, _meta: null };
  }
}

function answersOf(answers: AskAnswer['answers']): Json {
  const given: Record<string, Json> = {};
  for (const [id, texts] of Object.entries(answers ?? {}))
    given[id] = { answers: texts.map((text) => cutText(text, BOUNDS.answer)) };
  return given;
}

function profileOf(ask: OpenAsk): Json {
  const kept: unknown = ask.profile === undefined ? undefined : JSON.parse(ask.profile);
  return isRecord(kept) ? (kept as { readonly [key: string]: Json }) : {};
}

interface Refusal {
  readonly to: To;
  readonly method: string;
  readonly code: number;
  readonly why: string;
}

function refuse(work: Work, { to, method, code, why }: Refusal): void {
  const message = `${cutText(method, 100)}: ${why}`;
  write(work, 'refusal', () => ({ to, code, message }));
  work.signals.push({
    kind: 'notice',
    level: 'warning',
    code: 'request_refused',
    message: `Codex asked for ${message}`,
  });
}
