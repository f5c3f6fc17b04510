/**
 * Saying an answer in the OpenAI Responses API, as a stream of events or whole.
 * Proof: test/real/fake-model.test.ts drives the real Codex with it.
 */
import type { Failure, Usage } from './script.ts';
import type { Sink } from './sink.ts';
import { event, JSON_HEADERS, type Opening, type Part, STREAM_HEADERS, type Voice } from './voice.ts';

const ERROR_TYPES: Readonly<Record<number, readonly [type: string, code: string | null, message: string]>> = {
  400: ['invalid_request_error', null, 'The request is not valid'],
  401: ['invalid_request_error', 'invalid_api_key', 'Incorrect API key provided'],
  403: ['invalid_request_error', 'unsupported_country_region_territory', 'Not allowed'],
  404: ['invalid_request_error', 'not_found', 'Not found'],
  429: ['rate_limit_error', 'rate_limit_exceeded', 'Rate limit reached'],
  529: ['server_error', 'server_is_overloaded', 'The server is overloaded'],
};
const SERVER_ERROR = ['server_error', null, 'The server had an error while processing your request'] as const;
const TOO_LONG = {
  code: 'context_length_exceeded',
  message: 'Your input exceeds the context window of this model. Please adjust your input and try again.',
};

export function openaiError(failure: Failure): string {
  const [type, code, message] = ERROR_TYPES[failure.status] ?? SERVER_ERROR;
  return JSON.stringify({
    error: {
      message: failure.message ?? message,
      type: failure.type ?? type,
      param: null,
      code: failure.type ?? code,
    },
  });
}

export class OpenaiVoice implements Voice {
  readonly streams: boolean;
  readonly #sink: Sink;
  readonly #part: Part;
  readonly #items: object[] = [];
  #sequence = -1;
  #open: { readonly block: Opening; readonly id: string } | undefined;

  constructor(sink: Sink, part: Part) {
    this.#sink = sink;
    this.#part = part;
    this.streams = part.stream;
  }

  begin(): void {
    this.#sink.head(200, this.streams ? STREAM_HEADERS : JSON_HEADERS);
    void this.#emit('response.created', { response: this.#response('in_progress') });
    void this.#emit('response.in_progress', { response: this.#response('in_progress') });
  }

  open(block: Opening): void {
    const id = `${PREFIX[block.kind]}_${this.#part.unique}_${this.#items.length}`;
    this.#open = { block, id };
    void this.#emit('response.output_item.added', {
      output_index: this.#items.length,
      item: startedItem(block, id),
    });
    const part = partOf(block, '');
    if (part !== undefined) void this.#emit(part.added, { ...this.#place(), ...part.index, part: part.part });
  }

  delta(piece: string): Promise<void> | undefined {
    if (this.#open === undefined) return undefined;
    const { block } = this.#open;
    return this.#emit(`${streamOf(block)}.delta`, {
      ...this.#place(),
      ...partOf(block, '')?.index,
      delta: piece,
    });
  }

  close(): void {
    if (this.#open === undefined) return;
    const { block, id } = this.#open;
    const part = partOf(block, block.text);
    void this.#emit(`${streamOf(block)}.done`, { ...this.#place(), ...part?.index, ...doneField(block) });
    if (part !== undefined) void this.#emit(part.done, { ...this.#place(), ...part.index, part: part.part });
    const item = finishedItem(block, id);
    void this.#emit('response.output_item.done', { output_index: this.#items.length, item });
    this.#items.push(item);
    this.#open = undefined;
  }

  finish(usage: Usage): void {
    const response = { ...this.#response('completed'), output: this.#items, usage: usageOf(usage) };
    if (!this.streams) return this.#sink.end(JSON.stringify(response));
    void this.#emit('response.completed', { response });
    this.#sink.end();
  }

  /** A conversation that is too long fails inside the stream: the only form that Codex reads as such. */
  fail(failure: Failure): void {
    if (failure.contextLength === true && this.streams) {
      this.#sink.head(200, STREAM_HEADERS);
      void this.#emit('response.failed', { response: { ...this.#response('failed'), error: TOO_LONG } });
      return this.#sink.end();
    }
    const said =
      failure.contextLength === true
        ? { ...failure, status: 400, type: TOO_LONG.code, message: TOO_LONG.message }
        : failure;
    const retry = failure.retryAfter === undefined ? {} : { 'retry-after': String(failure.retryAfter) };
    this.#sink.head(said.status, { ...JSON_HEADERS, ...retry });
    this.#sink.end(openaiError(said));
  }

  #emit(type: string, fields: object): Promise<void> | undefined {
    if (!this.streams) return undefined;
    this.#sequence += 1;
    return this.#sink.push(event(type, { sequence_number: this.#sequence, ...fields }));
  }

  #place(): object {
    return { item_id: this.#open?.id, output_index: this.#items.length };
  }

  #response(status: string): object {
    const { unique, model } = this.#part;
    const createdAt = Math.floor(Date.now() / 1000);
    return {
      id: `resp_${unique}`,
      object: 'response',
      created_at: createdAt,
      status,
      model,
      error: null,
      output: [],
      usage: null,
    };
  }
}

const PREFIX = { text: 'msg', thinking: 'rs', tool: 'fc' } as const;

/** The first words of the event types that stream a block's content. */
function streamOf(block: Opening): string {
  if (block.kind === 'text') return 'response.output_text';
  if (block.kind === 'thinking') return 'response.reasoning_summary_text';
  return block.tool.custom ? 'response.custom_tool_call_input' : 'response.function_call_arguments';
}

function doneField(block: Opening): object {
  if (block.kind !== 'tool') return { text: block.text };
  return block.tool.custom ? { input: block.text } : { arguments: block.text };
}

/** Texts and reasoning summaries come in parts inside their item; tool calls do not. */
function partOf(
  block: Opening,
  text: string,
): { added: string; done: string; index: object; part: object } | undefined {
  switch (block.kind) {
    case 'text': {
      const part = { type: 'output_text', text, annotations: [] };
      return {
        added: 'response.content_part.added',
        done: 'response.content_part.done',
        index: { content_index: 0 },
        part,
      };
    }
    case 'thinking': {
      const names = {
        added: 'response.reasoning_summary_part.added',
        done: 'response.reasoning_summary_part.done',
      };
      return { ...names, index: { summary_index: 0 }, part: { type: 'summary_text', text } };
    }
    case 'tool':
      return undefined;
  }
}

function startedItem(block: Opening, id: string): object {
  switch (block.kind) {
    case 'text':
      return { type: 'message', id, role: 'assistant', status: 'in_progress', content: [] };
    case 'thinking':
      return { type: 'reasoning', id, summary: [] };
    case 'tool':
      return { ...callItem(block, id, ''), status: 'in_progress' };
  }
}

function finishedItem(block: Opening, id: string): object {
  switch (block.kind) {
    case 'text': {
      const content = [{ type: 'output_text', text: block.text, annotations: [] }];
      return { type: 'message', id, role: 'assistant', status: 'completed', content };
    }
    case 'thinking': {
      const summary = [{ type: 'summary_text', text: block.text }];
      return { type: 'reasoning', id, summary, encrypted_content: block.signature };
    }
    case 'tool':
      return { ...callItem(block, id, block.text), status: 'completed' };
  }
}

function callItem(block: Extract<Opening, { kind: 'tool' }>, id: string, text: string): object {
  const { name, custom, namespace } = block.tool;
  const call = { id, call_id: block.id, name, ...(namespace === undefined ? {} : { namespace }) };
  return custom
    ? { type: 'custom_tool_call', ...call, input: text }
    : { type: 'function_call', ...call, arguments: text };
}

function usageOf(usage: Usage): object {
  return {
    input_tokens: usage.input,
    input_tokens_details: { cached_tokens: usage.cached ?? 0 },
    output_tokens: usage.output,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: usage.input + usage.output,
  };
}
