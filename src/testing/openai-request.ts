/**
 * Reading a request of the OpenAI Responses API as Codex 0.169 sends it. Knows nothing of answers.
 */
import type { Entry } from './conversation.ts';
import { type JsonObject, listOf, objectOf, parseJson, textOf } from './json.ts';
import type { OfferedTool, SideKind } from './script.ts';

/** The conversation of a request: `input` is a text or a flat list of items. */
export function openaiEntries(body: JsonObject): Entry[] {
  if (typeof body['input'] === 'string') return [{ kind: 'user', texts: [body['input']] }];
  return listOf(body['input']).flatMap((item) => entryOf(objectOf(item)));
}

function entryOf(item: JsonObject): Entry[] {
  switch (textOf(item['type']) || 'message') {
    case 'message':
      if (item['role'] === 'user') return [{ kind: 'user', texts: textsOf(item['content']) }];
      return item['role'] === 'assistant' ? [{ kind: 'model', calls: [] }] : [];
    case 'function_call':
    case 'custom_tool_call':
      return [{ kind: 'model', calls: [textOf(item['call_id'])] }];
    case 'function_call_output':
    case 'custom_tool_call_output':
      return [{ kind: 'results', results: [resultOf(item)] }];
    default:
      return [];
  }
}

function textsOf(content: unknown): string[] {
  if (typeof content === 'string') return [content];
  return listOf(content)
    .map((part) => textOf(objectOf(part)['text']))
    .filter((text) => text !== '');
}

function resultOf(item: JsonObject): { id: string; text: string; failed: boolean } {
  const said = textsOf(item['output']).join('\n');
  const parsed = objectOf(parseJson(said));
  const text = 'output' in parsed ? textOf(parsed['output']) : unframed(said);
  return {
    id: textOf(item['call_id']),
    text,
    failed: /^(?:Exit code: |Process exited with code )[1-9]/m.test(said),
  };
}

/** Codex frames what a command printed: chunk id, wall time, exit code, then `Output:`. A running one stays framed. */
function unframed(output: string): string {
  if (output.includes('Process running with session ID')) return output;
  const at = output.indexOf('Output:\n');
  return at === -1 ? output : output.slice(at + 'Output:\n'.length);
}

export function openaiTools(body: JsonObject): OfferedTool[] {
  return listOf(body['tools']).flatMap((value): OfferedTool[] => {
    const tool = objectOf(value);
    if (tool['type'] !== 'namespace')
      return [{ name: textOf(tool['name']), custom: tool['type'] === 'custom' }];
    const inner = listOf(tool['tools']).map(objectOf);
    return inner.map((one) => ({
      name: textOf(one['name']),
      custom: one['type'] === 'custom',
      namespace: textOf(tool['name']),
    }));
  });
}

/** Codex says what a request is for in a header; anything but a turn is its own affair. */
export function openaiSide(headers: Readonly<Record<string, string>>, lastText: string): SideKind | null {
  if (lastText.startsWith('You are performing a CONTEXT CHECKPOINT COMPACTION')) return 'compaction';
  const kind = textOf(objectOf(parseJson(headers['x-codex-turn-metadata'] ?? ''))['request_kind']);
  if (kind === 'compaction') return 'compaction';
  return kind === '' || kind === 'turn' ? null : 'other';
}

export function openaiConversation(
  body: JsonObject,
  headers: Readonly<Record<string, string>>,
): string | null {
  return headers['thread-id'] ?? headers['session-id'] ?? (textOf(body['prompt_cache_key']) || null);
}

export function openaiSchema(body: JsonObject): unknown {
  return objectOf(objectOf(body['text'])['format'])['schema'];
}
