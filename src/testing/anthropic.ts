/**
 * The Anthropic Messages API as Claude Code 2.1.330 speaks it: reading a request, saying an answer.
 * Proof: test/real/fake-model.test.ts drives the real CLI with it.
 */
import type { Entry } from './conversation.ts';
import { type JsonObject, listOf, objectOf, parseJson, textOf } from './json.ts';
import type { Failure, OfferedTool, SideKind, ToolResult, Usage } from './script.ts';
import type { Sink } from './sink.ts';
import { event, JSON_HEADERS, type Opening, type Part, STREAM_HEADERS, type Voice } from './voice.ts';

/** The conversation of a request. What a user says while a tool runs comes in a message of role `system`. */
export function anthropicEntries(body: JsonObject): Entry[] {
  return listOf(body['messages']).flatMap((message): Entry[] => {
    const { role, content } = objectOf(message);
    const blocks =
      typeof content === 'string' ? [{ type: 'text', text: content }] : listOf(content).map(objectOf);
    if (role === 'assistant') return [{ kind: 'model', calls: callsIn(blocks) }];
    return role === 'user' ? userEntries(blocks) : [systemEntry(blocks)];
  });
}

const STEERED =
  /^The user sent a new message while you were working:\n([\s\S]*?)(?:\n\nThis is how Claude Code surfaces|$)/;

function systemEntry(blocks: readonly JsonObject[]): Entry {
  const texts = blocks.flatMap((block) => STEERED.exec(textOf(block['text']))?.[1] ?? []);
  return texts.length > 0 ? { kind: 'user', texts } : { kind: 'injected' };
}

function callsIn(blocks: readonly JsonObject[]): string[] {
  return blocks.filter((block) => block['type'] === 'tool_use').map((block) => textOf(block['id']));
}

function userEntries(blocks: readonly JsonObject[]): Entry[] {
  const results: ToolResult[] = [];
  const texts: string[] = [];
  for (const block of blocks) {
    if (block['type'] === 'text') texts.push(textOf(block['text']));
    if (block['type'] === 'tool_result') {
      results.push({
        id: textOf(block['tool_use_id']),
        text: contentText(block['content']),
        failed: block['is_error'] === true,
      });
    }
  }
  return [
    ...(results.length > 0 ? [{ kind: 'results', results } as const] : []),
    ...(texts.length > 0 ? [{ kind: 'user', texts } as const] : []),
  ];
}

function contentText(content: unknown): string {
  if (typeof content === 'string') return content;
  return listOf(content)
    .map((part) => textOf(objectOf(part)['text']))
    .join('\n');
}

export function anthropicTools(body: JsonObject): OfferedTool[] {
  return listOf(body['tools']).map((tool) => ({ name: textOf(objectOf(tool)['name']), custom: false }));
}

/** Claude Code's own requests carry its user agent; a person with curl and no tools is no side request. */
export function anthropicSide(
  body: JsonObject,
  headers: Readonly<Record<string, string>>,
  lastText: string,
): SideKind | null {
  if (lastText.startsWith('CRITICAL: Respond with TEXT ONLY')) return 'compaction';
  if (body['max_tokens'] === 1) return 'quota';
  const isClaude = headers['user-agent']?.startsWith('claude-cli') === true;
  return isClaude && listOf(body['tools']).length === 0 ? 'other' : null;
}

export function anthropicConversation(
  body: JsonObject,
  headers: Readonly<Record<string, string>>,
): string | null {
  const metadata = objectOf(parseJson(textOf(objectOf(body['metadata'])['user_id'])));
  return headers['x-claude-code-session-id'] ?? (textOf(metadata['session_id']) || null);
}

export function anthropicSchema(body: JsonObject): unknown {
  return objectOf(objectOf(body['output_config'])['format'])['schema'];
}

const ERROR_TYPES: Readonly<Record<number, readonly [type: string, message: string]>> = {
  400: ['invalid_request_error', 'The request is not valid'],
  401: ['authentication_error', 'invalid x-api-key'],
  403: ['permission_error', 'Your API key does not have permission to use the specified resource'],
  404: ['not_found_error', 'Not found'],
  413: ['request_too_large', 'Request exceeds the maximum size'],
  429: ['rate_limit_error', 'This request would exceed your rate limit'],
  529: ['overloaded_error', 'Overloaded'],
};
const SERVER_ERROR = ['api_error', 'Internal server error'] as const;

export function anthropicError(failure: Failure): string {
  const [type, message] = ERROR_TYPES[failure.status] ?? SERVER_ERROR;
  return JSON.stringify({
    type: 'error',
    error: { type: failure.type ?? type, message: failure.message ?? message },
    request_id: 'req_fake',
  });
}

export class AnthropicVoice implements Voice {
  readonly streams: boolean;
  readonly #sink: Sink;
  readonly #part: Part;
  readonly #said: object[] = [];
  #index = -1;
  #open: Opening | undefined;

  constructor(sink: Sink, part: Part) {
    this.#sink = sink;
    this.#part = part;
    this.streams = part.stream;
  }

  begin(usage: Usage): void {
    this.#sink.head(200, {
      ...(this.streams ? STREAM_HEADERS : JSON_HEADERS),
      'request-id': `req_${this.#part.unique}`,
    });
    if (!this.streams) return;
    const message = { ...this.#message(), usage: usageOf({ ...usage, output: 1 }) };
    void this.#sink.push(event('message_start', { message }));
  }

  open(block: Opening): void {
    this.#index += 1;
    this.#open = block;
    if (!this.streams) this.#said.push(wholeBlock(block));
    else
      void this.#sink.push(
        event('content_block_start', { index: this.#index, content_block: emptyBlock(block) }),
      );
  }

  delta(piece: string): Promise<void> | undefined {
    if (!this.streams || this.#open === undefined) return undefined;
    return this.#sink.push(
      event('content_block_delta', { index: this.#index, delta: deltaOf(this.#open.kind, piece) }),
    );
  }

  close(): void {
    if (!this.streams) return;
    if (this.#open?.kind === 'thinking') {
      const delta = { type: 'signature_delta', signature: this.#open.signature };
      void this.#sink.push(event('content_block_delta', { index: this.#index, delta }));
    }
    void this.#sink.push(event('content_block_stop', { index: this.#index }));
  }

  finish(usage: Usage, calls: boolean): void {
    const stop = { stop_reason: calls ? 'tool_use' : 'end_turn', stop_sequence: null };
    if (!this.streams) {
      return this.#sink.end(
        JSON.stringify({ ...this.#message(), content: this.#said, ...stop, usage: usageOf(usage) }),
      );
    }
    void this.#sink.push(event('message_delta', { delta: stop, usage: { output_tokens: usage.output } }));
    this.#sink.end(event('message_stop', {}));
  }

  fail(failure: Failure): void {
    const said = failure.contextLength
      ? { ...failure, status: 400, message: 'prompt is too long: 212345 tokens > 200000 maximum' }
      : failure;
    const retry = failure.retryAfter === undefined ? {} : { 'retry-after': String(failure.retryAfter) };
    this.#sink.head(said.status, { ...JSON_HEADERS, ...retry });
    this.#sink.end(anthropicError(said));
  }

  #message(): object {
    const { unique, model } = this.#part;
    const open = { content: [], stop_reason: null, stop_sequence: null };
    return { id: `msg_${unique}`, type: 'message', role: 'assistant', model, ...open };
  }
}

function emptyBlock(block: Opening): object {
  switch (block.kind) {
    case 'text':
      return { type: 'text', text: '' };
    case 'thinking':
      return { type: 'thinking', thinking: '', signature: '' };
    case 'tool':
      return { type: 'tool_use', id: block.id, name: block.tool.name, input: {} };
  }
}

function wholeBlock(block: Opening): object {
  switch (block.kind) {
    case 'text':
      return { type: 'text', text: block.text };
    case 'thinking':
      return { type: 'thinking', thinking: block.text, signature: block.signature };
    case 'tool':
      return { type: 'tool_use', id: block.id, name: block.tool.name, input: parseJson(block.text) ?? {} };
  }
}

function deltaOf(kind: Opening['kind'], piece: string): object {
  switch (kind) {
    case 'text':
      return { type: 'text_delta', text: piece };
    case 'thinking':
      return { type: 'thinking_delta', thinking: piece };
    case 'tool':
      return { type: 'input_json_delta', partial_json: piece };
  }
}

function usageOf(usage: Usage): object {
  return {
    input_tokens: usage.input - (usage.cached ?? 0),
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: usage.cached ?? 0,
    output_tokens: usage.output,
  };
}
