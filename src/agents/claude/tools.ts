/**
 * Tool calls: what is called with what, and what came of it.
 * Owns the kinds of Claude's tools and how a refusal is told from an error. A call is told once: the CLI repeats ids. Pure.
 */
import type { ToolKind } from '../../protocol/index.ts';
import type { AgentSignal } from '../../session/ports.ts';
import { parentField } from './blocks.ts';
import { isRecord, listOf, stringOf, textOf, type Line } from './messages.ts';
import { BOUNDS, change, pushed, type Work } from './state.ts';
import { writeSteers } from './turn.ts';

/** A `tool_use` block of an `assistant` line: there its input is whole. */
export function toolUsed(work: Work, parent: string, block: Line): void {
  const id = stringOf(block['id'])?.slice(0, BOUNDS.id);
  if (id === undefined || work.state.tools.includes(id)) return;
  const name = stringOf(block['name']) ?? 'unknown';
  const input = block['input'] ?? {};
  change(work, { tools: pushed(work.state.tools, id, BOUNDS.tools) });
  if (parent === '') change(work, { running: pushed(work.state.running, id, BOUNDS.tools) });
  work.signals.push({ kind: 'tool', id, name, tool: kindOf(name), input, ...parentField(parent) });
  writeSteers(work);
  if (name === 'TodoWrite') planned(work, input);
}

/** A `tool_result` block, whoever's line it is in. Parallel calls answer in the order in which they end. */
export function toolReturned(work: Work, block: Line): void {
  const id = stringOf(block['tool_use_id'])?.slice(0, BOUNDS.id);
  if (id === undefined) return;
  if (work.state.running.includes(id))
    change(work, { running: work.state.running.filter((one) => one !== id) });
  const output = textOf(block['content']);
  const status = block['is_error'] === true ? failureOf(work, id, output) : 'ok';
  work.signals.push({ kind: 'tool-done', id, status, output });
}

/** What this call returns will be its refusal. */
export function refuseTool(work: Work, tool: string): void {
  if (tool === '' || work.state.denied.includes(tool)) return;
  change(work, { denied: pushed(work.state.denied, tool.slice(0, BOUNDS.id), BOUNDS.denied) });
}

type Status = Extract<AgentSignal, { kind: 'tool-done' }>['status'];

/** An interrupt rejects every pending call in the words of a refusal, so it is looked at first. */
function failureOf(work: Work, id: string, output: string): Status {
  if (work.state.denied.includes(id)) return 'denied';
  if (work.state.stopping || INTERRUPTED.test(output)) return 'cancelled';
  return DENIED.test(output) ? 'denied' : 'error';
}

const INTERRUPTED = /^\[Request interrupted by user/;
const DENIED =
  /doesn't want to (?:proceed with|take) this|haven't granted it yet|^Permission to use .{1,200} (?:has been|was) denied|permission (?:was |has been )?denied by/i;

export function kindOf(name: string): ToolKind {
  if (name.startsWith('mcp__')) return 'mcp';
  return KINDS.get(name) ?? (name.startsWith('Bash') ? 'execute' : 'other');
}

const KINDS: ReadonlyMap<string, ToolKind> = new Map([
  ['Read', 'read'],
  ['NotebookRead', 'read'],
  ['Edit', 'edit'],
  ['MultiEdit', 'edit'],
  ['NotebookEdit', 'edit'],
  ['Write', 'edit'],
  ['KillShell', 'execute'],
  ['KillBash', 'execute'],
  ['Glob', 'search'],
  ['Grep', 'search'],
  ['LS', 'search'],
  ['WebFetch', 'fetch'],
  ['WebSearch', 'fetch'],
  ['web_fetch', 'fetch'],
  ['web_search', 'fetch'],
]);

function planned(work: Work, input: unknown): void {
  const todos = isRecord(input) ? listOf(input['todos']).filter(isRecord) : [];
  const entries = todos.map((todo) => ({
    text: stringOf(todo['content']) ?? stringOf(todo['activeForm']) ?? '',
    status: stringOf(todo['status']) ?? 'pending',
  }));
  work.signals.push({ kind: 'plan', entries });
}
