/**
 * Notifications about the process, the account and the threads of subagents. They can come at any time, also before the first thread:
 * the handshake hears them with the same function. Pure.
 */
import { hookCompleted } from './guard.ts';
import { adopt } from './items.ts';
import {
  McpStatus,
  RateLimits,
  Summary,
  ThreadStarted,
  Warning,
  isRecord,
  type Envelope,
} from './messages.ts';
import { BOUNDS, cutText, type Work } from './state.ts';

type Params = Envelope['params'];

export function isGeneral(method: string): boolean {
  return HANDLERS.has(method);
}

export function translateGeneral(work: Work, method: string, params: Params): void {
  HANDLERS.get(method)?.(work, params);
}

/** Codex grew: what it says is kept, bounded, and nothing is broken by it. */
export function unknownMessage(work: Work, method: string, raw: string): void {
  const message = `Codex sent "${cutText(method, 100)}", which this version does not know`;
  work.signals.push({ kind: 'notice', level: 'info', code: 'unknown_message', message, raw });
}

const HANDLERS = new Map<string, (work: Work, params: Params) => void>([
  ['thread/started', threadStarted],
  ['account/rateLimits/updated', rateLimits],
  ['mcpServer/startupStatus/updated', mcpStatus],
  ['hook/completed', hookCompleted],
  ['warning', warning],
  ['guardianWarning', warning],
  ['deprecationNotice', (work, params) => summary(work, 'agent_deprecation', params)],
  ['configWarning', (work, params) => summary(work, 'config_warning', params)],
]);

/** Comes for our own thread too, behind the answer that names it. A thread of a subagent has a parent that we know. */
function threadStarted(work: Work, params: Params): void {
  const { id, parentThreadId } = ThreadStarted.parse(params).thread;
  if (!parentThreadId) return;
  if (parentThreadId === work.state.thread || work.state.children.includes(parentThreadId)) adopt(work, id);
}

/** Comes after every request to the model; said once for each limit that is reached. */
function rateLimits(work: Work, params: Params): void {
  const reached = RateLimits.parse(params).rateLimits.rateLimitReachedType;
  const limit = typeof reached === 'string' ? reached.slice(0, BOUNDS.id) : null;
  if (limit === work.state.limit) return;
  work.state = { ...work.state, limit };
  if (limit !== null) notice(work, 'rate_limit', `A rate limit of the account is reached: ${limit}`);
}

function mcpStatus(work: Work, params: Params): void {
  if (!concerns(work, params)) return;
  const { name, status, error } = McpStatus.parse(params);
  if (status === 'failed')
    notice(work, 'mcp_failed', `The MCP server ${name} did not start: ${error ?? 'no reason given'}`);
}

function warning(work: Work, params: Params): void {
  if (concerns(work, params)) notice(work, 'agent_warning', Warning.parse(params).message);
}

function summary(work: Work, code: string, params: Params): void {
  const { summary: what, details } = Summary.parse(params);
  const message = cutText(details ? `${what} (${details})` : what, BOUNDS.message);
  work.signals.push({ kind: 'notice', level: 'info', code, message });
}

function notice(work: Work, code: string, message: string): void {
  work.signals.push({ kind: 'notice', level: 'warning', code, message: cutText(message, BOUNDS.message) });
}

/** About our thread, or about all. While there is no thread yet (the handshake) everything concerns us. */
function concerns(work: Work, params: Params): boolean {
  const thread = isRecord(params) ? params['threadId'] : undefined;
  return typeof thread !== 'string' || work.state.thread === '' || thread === work.state.thread;
}
