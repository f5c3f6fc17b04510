/**
 * Items of a Codex turn that are tool calls: what is called with what, and what came of it.
 * Owns the table of item types. Knows nothing of turns or state. Pure.
 */
import type { ToolKind } from '../../protocol/index.ts';
import {
  CollabCall,
  CommandExecution,
  DynamicToolCall,
  FileChange,
  ImageGeneration,
  ImageView,
  isRecord,
  McpToolCall,
  Sleep,
  WebSearch,
  type Item,
} from './messages.ts';
import { BOUNDS, cutText } from './state.ts';

interface ToolCall {
  readonly name: string;
  readonly tool: ToolKind;
  readonly input: unknown;
  /** What a file change would do, bounded. */
  readonly diff?: string;
  /** The files that it changes. */
  readonly paths?: readonly string[];
}

interface ToolResult {
  readonly status: 'ok' | 'error' | 'denied' | 'cancelled';
  readonly output: string;
}

interface ToolItem {
  call(item: Item): ToolCall;
  result(item: Item): ToolResult;
}

/** The reader of an item that is a tool call; undefined for the others. */
export function toolItem(type: string): ToolItem | undefined {
  return TOOL_ITEMS.get(type);
}

const TOOL_ITEMS = new Map<string, ToolItem>([
  [
    'commandExecution',
    {
      call(item) {
        const { command, cwd } = CommandExecution.parse(item);
        return { name: 'shell', tool: 'execute', input: { command, ...(cwd ? { cwd } : {}) } };
      },
      result(item) {
        const { status, exitCode, aggregatedOutput } = CommandExecution.parse(item);
        const output = aggregatedOutput ?? '';
        if (status === 'declined') return { status: 'denied', output };
        const failed = status === 'failed' || (typeof exitCode === 'number' && exitCode !== 0);
        return { status: failed ? 'error' : 'ok', output };
      },
    },
  ],
  [
    'fileChange',
    {
      call(item) {
        const changes = FileChange.parse(item).changes.map(({ path, kind, diff }) => ({ path, kind, diff }));
        const diff = changes.map((change) => `${nameOf(change.kind)} ${change.path}\n${change.diff}`);
        return {
          name: 'apply_patch',
          tool: 'edit',
          input: { changes },
          diff: cutText(diff.join('\n'), BOUNDS.diff),
          paths: changes.flatMap((change) => [change.path, ...movedTo(change.kind)]),
        };
      },
      result: (item) => ({ status: statusOf(FileChange.parse(item).status), output: '' }),
    },
  ],
  [
    'mcpToolCall',
    {
      call(item) {
        const { server, tool, arguments: input } = McpToolCall.parse(item);
        return { name: `mcp__${server}__${tool}`, tool: 'mcp', input: input ?? {} };
      },
      result(item) {
        const { status, result, error } = McpToolCall.parse(item);
        const output = error?.message ?? contentText(result?.content ?? []);
        return { status: statusOf(status), output };
      },
    },
  ],
  [
    'webSearch',
    {
      call(item) {
        const { query, action } = WebSearch.parse(item);
        const fetches = action?.type === 'open_page' || action?.type === 'find_in_page';
        return {
          name: 'web_search',
          tool: fetches ? 'fetch' : 'search',
          input: { query, ...(action ? { action } : {}) },
        };
      },
      result(item) {
        const { query, action } = WebSearch.parse(item);
        return { status: 'ok', output: action?.url ?? query };
      },
    },
  ],
  [
    'dynamicToolCall',
    {
      call(item) {
        const { tool, arguments: input } = DynamicToolCall.parse(item);
        return { name: tool, tool: 'other', input: input ?? {} };
      },
      result(item) {
        const { status, contentItems } = DynamicToolCall.parse(item);
        return { status: statusOf(status), output: contentText(contentItems ?? []) };
      },
    },
  ],
  [
    'collabAgentToolCall',
    {
      call(item) {
        const { tool, prompt, model, receiverThreadIds } = CollabCall.parse(item);
        const input = {
          ...(prompt ? { prompt } : {}),
          ...(model ? { model } : {}),
          agents: receiverThreadIds,
        };
        return { name: tool, tool: 'other', input };
      },
      result: (item) => ({ status: statusOf(CollabCall.parse(item).status), output: '' }),
    },
  ],
  [
    'imageView',
    {
      call: (item) => ({
        name: 'view_image',
        tool: 'other',
        input: { path: ImageView.parse(item).path },
      }),
      result: () => ({ status: 'ok', output: '' }),
    },
  ],
  [
    'imageGeneration',
    {
      call(item) {
        const { revisedPrompt } = ImageGeneration.parse(item);
        return {
          name: 'image_generation',
          tool: 'other',
          input: revisedPrompt ? { prompt: revisedPrompt } : {},
        };
      },
      result(item) {
        const { status, savedPath } = ImageGeneration.parse(item);
        return { status: status === 'failed' ? 'error' : 'ok', output: savedPath ?? '' };
      },
    },
  ],
  [
    'sleep',
    {
      call: (item) => ({
        name: 'sleep',
        tool: 'other',
        input: { durationMs: Sleep.parse(item).durationMs ?? null },
      }),
      result: () => ({ status: 'ok', output: '' }),
    },
  ],
]);

function statusOf(status: string): ToolResult['status'] {
  if (status === 'declined') return 'denied';
  if (status === 'interrupted') return 'cancelled';
  return status === 'failed' ? 'error' : 'ok';
}

/** A file that is renamed is changed in two places. */
function movedTo(kind: unknown): string[] {
  const path = isRecord(kind) ? (kind['move_path'] ?? kind['movePath']) : undefined;
  return typeof path === 'string' ? [path] : [];
}

function nameOf(kind: unknown): string {
  const type = isRecord(kind) ? kind['type'] : kind;
  return typeof type === 'string' ? type : 'change';
}

/** The texts of content blocks, one after the other; other blocks by their type. */
function contentText(content: readonly unknown[]): string {
  const parts = content.map((block) => {
    if (!isRecord(block)) return '';
    if (typeof block['text'] === 'string') return block['text'];
    return typeof block['type'] === 'string' ? `[${block['type']}]` : '';
  });
  return parts.filter((part) => part !== '').join('\n');
}
