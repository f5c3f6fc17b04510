/**
 * What an API must be able to say: the port between the player of an answer and the two wire formats.
 * A voice only formats and pushes; when to speak, pause, break or stop is the player's affair.
 */
import type { Failure, OfferedTool, Usage } from './script.ts';

/** A block about to be spoken, whole: a voice that does not stream says it at once. */
export type Opening =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'thinking'; readonly text: string; readonly signature: string }
  /** `text` is the JSON of the arguments, or the raw input of a custom tool. */
  | { readonly kind: 'tool'; readonly text: string; readonly id: string; readonly tool: OfferedTool };

export interface Voice {
  /** True when the answer goes out as a stream of events. */
  readonly streams: boolean;
  /** Headers, and in a stream the event that opens an answer. */
  begin(usage: Usage): void;
  open(block: Opening): void;
  /** A piece of the open block. Returns a promise when the socket is full. */
  delta(piece: string): Promise<void> | undefined;
  close(): void;
  /** The end of a good answer. `calls`: it asks for tools. */
  finish(usage: Usage, calls: boolean): void;
  /** An error instead of an answer; ends the response. */
  fail(failure: Failure): void;
}

/** What a voice is told about the answer that it is to give. */
export interface Part {
  readonly model: string;
  readonly stream: boolean;
  /** Unique to this answer; ids of messages and items are made from it. */
  readonly unique: string;
}

export function event(type: string, fields: object): string {
  return `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`;
}

export const STREAM_HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache',
};
export const JSON_HEADERS = { 'content-type': 'application/json' };
