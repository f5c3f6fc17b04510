/**
 * Lines about the process and the conversation, not its contents.
 * Owns the one table of what is known: a handler, or known to say nothing that a session needs. Pure.
 */
import { bounded } from '../text.ts';
import { modelOf, voidBlocks } from './blocks.ts';
import { isRecord, listOf, numberOf, parentOf, recordOf, stringOf, type Line } from './messages.ts';
import { BOUNDS, change, pushed, type Work } from './state.ts';
import { refuseTool } from './tools.ts';
import { translateLifecycle } from './turn.ts';

/** Says whether the line was known. */
export function translateSystem(work: Work, line: Line): boolean {
  const { type, subtype } = line;
  const name = type === 'system' ? `system/${String(subtype)}` : String(type);
  const handler = KNOWN.get(name);
  if (handler === undefined) return false;
  if (handler !== 'ignored') handler(work, line);
  return true;
}

type Handler = (work: Work, line: Line) => void;

const KNOWN: ReadonlyMap<string, Handler | 'ignored'> = new Map<string, Handler | 'ignored'>([
  ['system/init', initialised],
  ['system/api_retry', retried],
  ['system/compact_boundary', compacted],
  ['system/permission_denied', denied],
  ['system/background_tasks_changed', tasksChanged],
  ['system/informational', (work, line) => told(work, 'info', stringOf(line['content']))],
  ['system/notification', (work, line) => told(work, 'info', stringOf(line['text']))],
  ['system/mirror_error', (work, line) => told(work, 'warning', stringOf(line['error']))],
  // Only the id of the next init can be resumed: the one named here is another.
  ['conversation_reset', 'ignored'],
  ['rate_limit_event', rateLimited],
  ['command_lifecycle', translateLifecycle],
  ['system/status', 'ignored'],
  ['system/thinking_tokens', 'ignored'],
  ['system/task_started', 'ignored'],
  ['system/task_progress', 'ignored'],
  ['system/task_updated', 'ignored'],
  ['system/task_notification', 'ignored'],
  ['system/session_state_changed', 'ignored'],
  ['system/session_title_changed', 'ignored'],
  ['system/ui_invalidate', 'ignored'],
  ['system/hook_started', 'ignored'],
  ['system/hook_progress', 'ignored'],
  ['system/hook_response', 'ignored'],
  ['system/files_persisted', 'ignored'],
  ['system/local_command_output', 'ignored'],
  ['system/elicitation_complete', 'ignored'],
  ['system/memory_recall', 'ignored'],
  ['system/plugin_install', 'ignored'],
  ['system/post_turn_summary', 'ignored'],
  ['keep_alive', 'ignored'],
  ['tool_progress', 'ignored'],
  ['tool_use_summary', 'ignored'],
  ['auth_status', 'ignored'],
  ['prompt_suggestion', 'ignored'],
]);

/** Comes with every turn. Its session id is what a resume must name. */
function initialised(work: Work, line: Line): void {
  const session = stringOf(line['session_id']) ?? work.state.session;
  const model = modelOf(line) ?? work.state.model;
  if (model !== work.state.model) change(work, { model });
  followSession(work, session);
  for (const server of listOf(line['mcp_servers'])) if (isRecord(server)) serverFailed(work, server);
}

/** Says nothing of why; a server that cannot be used is news, once for each process. */
function serverFailed(work: Work, server: Line): void {
  const name = stringOf(server['name'])?.slice(0, BOUNDS.id);
  const { status } = server;
  if (name === undefined || (status !== 'failed' && status !== 'needs-auth')) return;
  if (work.state.failed.includes(name)) return;
  change(work, { failed: pushed(work.state.failed, name, BOUNDS.failed) });
  const message =
    status === 'failed' ? `The MCP server ${name} did not start` : `The MCP server ${name} wants a log-in`;
  work.signals.push({ kind: 'notice', level: 'warning', code: 'mcp_failed', message });
}

function followSession(work: Work, session: string): void {
  const id = session.slice(0, BOUNDS.id);
  if (id === work.state.session) return;
  change(work, { session: id });
  work.signals.push({ kind: 'agent-session', id });
}

/** The same text comes again under a new `message_start`. */
function retried(work: Work, line: Line): void {
  voidBlocks(work, 'retry', stringOf(parentOf(line)));
  const { attempt, max_retries: most, retry_delay_ms: delay, error_status: status, error } = line;
  const why = [numberOf(status), stringOf(error)].filter((part) => part !== undefined).join(' ');
  const count = `${String(numberOf(attempt) ?? '?')} of ${String(numberOf(most) ?? '?')}`;
  const wait = `${String(Math.round(numberOf(delay) ?? 0))} ms`;
  const message = `Claude tries its request again (${count}, in ${wait}): ${why || 'no reason given'}`;
  work.signals.push({
    kind: 'notice',
    level: 'warning',
    code: 'api_retry',
    message: bounded(message, BOUNDS.message),
  });
}

function compacted(work: Work, line: Line): void {
  const metadata = recordOf(line['compact_metadata']);
  const trigger = metadata['trigger'] === 'manual' ? 'manual' : 'auto';
  const preTokens = numberOf(metadata['pre_tokens']);
  work.signals.push({ kind: 'compacted', trigger, ...(preTokens === undefined ? {} : { preTokens }) });
}

/** A tool was denied without anybody being asked. */
function denied(work: Work, line: Line): void {
  refuseTool(work, stringOf(line['tool_use_id']) ?? '');
  const tool = stringOf(line['tool_name']) ?? 'A tool';
  const why = stringOf(line['message']) ?? stringOf(line['decision_reason']) ?? 'no reason given';
  const message = bounded(`${tool} was denied: ${why}`, BOUNDS.message);
  work.signals.push({ kind: 'notice', level: 'info', code: 'permission_denied', message });
}

function tasksChanged(work: Work, line: Line): void {
  const tasks = listOf(line['tasks']).length;
  if (tasks === work.state.tasks) return;
  change(work, { tasks });
  work.signals.push({ kind: 'background', tasks });
}

/** Comes with every change of the account's limits; only a limit that is reached is news. */
function rateLimited(work: Work, line: Line): void {
  const info = line['rate_limit_info'];
  if (isRecord(info) && info['status'] === 'rejected')
    work.signals.push({
      kind: 'notice',
      level: 'warning',
      code: 'rate_limit',
      message: 'A rate limit of the account is reached',
    });
}

function told(work: Work, level: 'info' | 'warning', text: string | undefined): void {
  if (text === undefined) return;
  work.signals.push({ kind: 'notice', level, code: 'agent_message', message: bounded(text, BOUNDS.message) });
}
