/**
 * One line of Claude → signals and writes. Never throws: what is not known is a notice.
 * Owns the routing. Key order is not stable, so a line is always parsed, never matched by its beginning. Pure.
 */
import type { RequestIds, Step } from '../dialect.ts';
import { bounded } from '../text.ts';
import { complete, deltaOf, modelOf, preview, voidBlocks } from './blocks.ts';
import { requestWithdrawn, translateRequest, translateResponse } from './control.ts';
import {
  blocksOf,
  numberOf,
  parentOf,
  parseLine,
  recordOf,
  stringOf,
  textOf,
  type Line,
} from './messages.ts';
import { translateError, translateResult } from './result.ts';
import { begin, BOUNDS, change, step, type ClaudeState, type Work } from './state.ts';
import { translateSystem } from './system.ts';
import { toolReturned, toolUsed } from './tools.ts';
import { atWork, lookForReceipt } from './turn.ts';

export function translate(state: ClaudeState, line: string, ids: RequestIds): Step<ClaudeState> {
  const work = begin(state, ids);
  const message = parseLine(line);
  if (message === undefined) {
    notJson(work, line);
    return step(work);
  }
  lookForReceipt(work, message);
  if (!route(work, message)) unknown(work, message, line);
  return step(work);
}

/** Says whether the line was known. */
function route(work: Work, line: Line): boolean {
  switch (line['type']) {
    case 'stream_event':
      return translateEvent(work, line);
    case 'assistant':
      return translateAssistant(work, line);
    case 'user':
      for (const block of blocksOf(line)) if (block['type'] === 'tool_result') toolReturned(work, block);
      return true;
    case 'result':
      translateResult(work, line);
      return true;
    case 'error':
      translateError(work, line);
      return true;
    case 'control_request':
      translateRequest(work, line);
      return true;
    case 'control_response':
      translateResponse(work, line);
      return true;
    case 'control_cancel_request':
      requestWithdrawn(work, line);
      return true;
    default:
      return translateSystem(work, line);
  }
}

function translateEvent(work: Work, line: Line): boolean {
  const event = recordOf(line['event']);
  const type = stringOf(event['type']) ?? '';
  if (type === 'content_block_delta') {
    const delta = deltaOf(event);
    if (delta === undefined) return true;
    atWork(work);
    const part = { parent: parentOf(line), index: numberOf(event['index']) ?? 0, kind: delta.kind };
    preview(work, part, delta.text);
  } else if (type === 'message_start') {
    atWork(work);
    voidBlocks(work, 'retry', parentOf(line));
  }
  return EVENTS.has(type);
}

const EVENTS: ReadonlySet<string> = new Set([
  'content_block_delta',
  'message_start',
  'content_block_start',
  'content_block_stop',
  'message_delta',
  'message_stop',
  'ping',
  'error',
]);

function translateAssistant(work: Work, line: Line): boolean {
  atWork(work);
  const parent = parentOf(line);
  const model = parent === '' ? modelOf(line['message']) : undefined;
  if (model !== undefined && model !== work.state.model) change(work, { model });
  const blocks = blocksOf(line);
  const error = errorOf(line);
  if (error !== undefined) {
    // In words of the CLI, not of the model: the result says it again, as the reason of the failure.
    const message = bounded(blocks.map(textOf).join('\n'), BOUNDS.message);
    if (parent === '') change(work, { error: { name: error.slice(0, BOUNDS.id), message } });
    return true;
  }
  return blocks.map((block) => translateBlock(work, parent, block)).every(Boolean);
}

function errorOf(line: Line): string | undefined {
  const error = stringOf(line['error']) ?? stringOf(recordOf(line['error'])['type']);
  if (error !== undefined) return error;
  return line['is_api_error_message'] === true || line['isApiErrorMessage'] === true ? 'unknown' : undefined;
}

function translateBlock(work: Work, parent: string, block: Line): boolean {
  const type = stringOf(block['type']) ?? '';
  switch (type) {
    case 'text':
      complete(work, { parent, kind: 'text' }, textOf(block));
      return true;
    case 'thinking':
      complete(work, { parent, kind: 'reasoning' }, stringOf(block['thinking']) ?? '');
      return true;
    case 'redacted_thinking':
    case 'fallback':
      return true;
    case 'tool_use':
    case 'server_tool_use':
    case 'mcp_tool_use':
      toolUsed(work, parent, block);
      return true;
    default:
      if (!type.endsWith('_tool_result')) return false;
      toolReturned(work, block);
      return true;
  }
}

const RAW = 2_000;

/** Claude grew: what it says is kept, bounded, and nothing is broken by it. */
function unknown(work: Work, message: Line, line: string): void {
  const { type, subtype } = message;
  const name = [type, subtype ?? recordOf(message['event'])['type']].filter(
    (part) => typeof part === 'string',
  );
  const said = `Claude sent "${bounded(name.join('/'), 100)}", which this version does not know`;
  const raw = bounded(line, RAW);
  work.signals.push({ kind: 'notice', level: 'info', code: 'unknown_message', message: said, raw });
}

/** A line over the wire's bound arrives cut and is no JSON either. */
function notJson(work: Work, line: string): void {
  const message = 'A line of Claude is not a JSON object';
  const raw = bounded(line, RAW);
  work.signals.push({ kind: 'notice', level: 'warning', code: 'not_json', message, raw });
}
