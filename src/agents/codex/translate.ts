/**
 * One line of Codex → signals and writes. A line has a method, or it answers a request of ours; with an id too it is a request that
 * must be answered. Never throws: what is not known is a notice.
 * Owns the routing and whose thread a line is about. Lines of other threads are for other sessions of the same process. Pure.
 */
import type { RequestIds, Step } from '../dialect.ts';
import { IGNORED } from './ignored.ts';
import { itemCompleted, itemOf, itemStarted, partAdded, said, toolOutput } from './items.ts';
import { envelopeOf, isRecord, UserMessage, type Envelope } from './messages.ts';
import { isGeneral, translateGeneral, unknownMessage } from './notices.ts';
import { requestResolved, translateRequest } from './requests.ts';
import { translateResponse } from './responses.ts';
import { begin, cutText, step, type CodexState, type Work } from './state.ts';
import { messageSeen, turnOf } from './turn.ts';
import { translateThread } from './thread.ts';

export function translate(state: CodexState, line: string, ids: RequestIds): Step<CodexState> {
  return translateMessage(state, { line, message: envelopeOf(line) }, ids);
}

/** A line and what it says; undefined when it is no JSON object. */
export interface Said {
  readonly line: string;
  readonly message: Envelope | undefined;
}

export function translateMessage(
  state: CodexState,
  { line, message }: Said,
  ids: RequestIds,
): Step<CodexState> {
  const work = begin(state, ids);
  try {
    if (message === undefined) notJson(work, line);
    else if (message.method === undefined) translateResponse(work, message);
    else if (message.id !== undefined) translateRequest(work, message);
    else translateNotification(work, message, line);
  } catch (error) {
    return malformed(state, line, error);
  }
  return step(work);
}

const RAW = 2_000;

/** A line over the wire's bound arrives cut and is no JSON either. */
function notJson(work: Work, line: string): void {
  const message = 'A line of Codex is not a JSON object';
  work.signals.push({ kind: 'notice', level: 'warning', code: 'not_json', message, raw: cutText(line, RAW) });
}

/** A known method whose parameters are not what they were: the line is dropped whole, the state stays as it was. */
function malformed(state: CodexState, line: string, error: unknown): Step<CodexState> {
  const reason = error instanceof Error ? cutText(error.message, 300) : String(error);
  const message = `A line of Codex could not be read: ${reason}`;
  const signal = { kind: 'notice', level: 'warning', code: 'unknown_message', message } as const;
  return { state, signals: [{ ...signal, raw: cutText(line, RAW) }], writes: [] };
}

function translateNotification(work: Work, message: Envelope, line: string): void {
  const { method = '', params } = message;
  if (isGeneral(method)) return translateGeneral(work, method, params);
  if (method === 'serverRequest/resolved') return requestResolved(work, params);
  if (!isOurs(work.state, params)) return;
  if (translateDelta(work, method, params)) return;
  if (method === 'item/started' || method === 'item/completed') return translateItem(work, method, params);
  if (translateThread(work, method, params)) return;
  if (!IGNORED.has(method)) unknownMessage(work, method, cutText(line, RAW));
}

/** A notification without a thread is about all of them. */
function isOurs(state: CodexState, params: unknown): boolean {
  const thread = isRecord(params) ? params['threadId'] : undefined;
  return typeof thread !== 'string' || thread === state.thread;
}

/** The lines that come by the thousand: read by hand. Says whether it was one of them. */
function translateDelta(work: Work, method: string, params: unknown): boolean {
  if (!DELTAS.has(method)) return false;
  if (!isRecord(params)) return true;
  const { turnId, itemId } = params;
  if (typeof turnId !== 'string' || typeof itemId !== 'string') return true;
  const turn = turnOf(work, turnId);
  if (turn === undefined) return true;
  const at = { turn, item: itemId };
  const delta = typeof params['delta'] === 'string' ? params['delta'] : '';
  switch (method) {
    case 'item/agentMessage/delta':
      if (delta !== '') said(work, { ...at, kind: 'text' }, delta);
      break;
    case 'item/reasoning/summaryTextDelta':
      if (delta !== '') said(work, { ...at, kind: 'reasoning' }, delta);
      break;
    case 'item/reasoning/textDelta':
      if (delta !== '') said(work, { ...at, kind: 'raw' }, delta);
      break;
    case 'item/reasoning/summaryPartAdded':
      partAdded(work, at);
      break;
    case 'item/commandExecution/outputDelta':
      if (delta !== '') toolOutput(work, at, delta);
      break;
    default:
      if (typeof params['message'] === 'string') toolOutput(work, at, `${params['message']}\n`);
  }
  return true;
}

const DELTAS: ReadonlySet<string> = new Set([
  'item/agentMessage/delta',
  'item/reasoning/summaryTextDelta',
  'item/reasoning/textDelta',
  'item/reasoning/summaryPartAdded',
  'item/commandExecution/outputDelta',
  'item/mcpToolCall/progress',
]);

function translateItem(work: Work, method: string, params: unknown): void {
  const item = itemOf(params);
  const turnId = isRecord(params) ? params['turnId'] : undefined;
  if (item === undefined || typeof turnId !== 'string') return;
  if (item.type === 'userMessage') {
    const { clientId } = UserMessage.parse(item);
    if (method === 'item/started') messageSeen(work, turnId, clientId ?? undefined);
    return;
  }
  const turn = turnOf(work, turnId);
  if (turn === undefined) return;
  if (method === 'item/started') itemStarted(work, turn, item);
  else itemCompleted(work, turn, item);
}
