/**
 * The vocabulary of a scripted model: what an answer is made of, and what a request told the fake model.
 * Owns: the types that a test writes and reads. Knows nothing of HTTP, SSE or either API's field names.
 */

/** How text leaves: `chunk` characters in a delta, `delayMs` between two deltas (0: as fast as the socket takes it). */
export interface Pace {
  readonly chunk?: number;
  readonly delayMs?: number;
}

/** How often a fault strikes the same request before the answer goes through. Absent: every time. */
export interface Strikes {
  readonly times?: number;
}

/** One part of an answer. Tool calls that stand next to each other are asked for in parallel. */
export type Block =
  | ({ readonly text: string } & Pace)
  /** That many bytes of numbered lines (see {@link bulk}). Deltas of 4096 characters unless told otherwise. */
  | ({ readonly bytes: number } & Pace)
  /** Claude: a thinking block with a signature. Codex: a reasoning item with a summary. */
  | ({ readonly thinking: string; readonly signature?: string } & Pace)
  /** `input` is the arguments object, or the raw text of a custom (free-form) tool. */
  | {
      readonly tool: string;
      readonly input: unknown;
      /** Counts to the round before it: a look at a tool that still runs, not a step of the script. */
      readonly again?: boolean;
    }
  /** Nothing more until `release(name)`; the part before it has been sent. */
  | { readonly hold: string }
  | { readonly waitMs: number }
  /** The socket is destroyed here. Only streams are cut: an answer that is not streamed goes out whole. */
  | ({ readonly cut: true } & Strikes)
  /** The socket stays open and nothing more is sent, until the caller leaves. */
  | ({ readonly silence: true } & Strikes);

/** An error answer instead of a model's answer. */
export interface Failure extends Strikes {
  /** HTTP status, such as 401, 429, 500, 529. */
  readonly status: number;
  readonly message?: string;
  /** The API's own error type or code; by default what belongs to the status. */
  readonly type?: string;
  /** Sent as `retry-after`, in seconds. */
  readonly retryAfter?: number;
  /** The conversation is too long, said the way each API says it. */
  readonly contextLength?: boolean;
}

/** Token counts. Without them the fake model estimates, low enough never to set off an automatic compaction. */
export interface Usage {
  readonly input: number;
  readonly output: number;
  /** Input tokens that came from a cache; 0 unless given. */
  readonly cached?: number;
}

/** An answer in full. Steps happen in this order: holdHeaders, noHeaders, fail, blocks. */
export interface Answer {
  /** The same as one text block in front of `blocks`. */
  readonly text?: string;
  readonly blocks?: readonly Block[];
  readonly fail?: Failure;
  /** Not even headers until `release(name)`. */
  readonly holdHeaders?: string;
  /** No headers at all, until the caller leaves. */
  readonly noHeaders?: Strikes;
  readonly usage?: Usage;
}

/** A scripted answer; a plain string is an answer of that text. */
export type Reply = string | Answer;

export interface Rule {
  /** Which user messages it answers: a part of the text (any case), a pattern, or a test. Absent: all. */
  readonly when?: string | RegExp | ((request: ModelRequest) => boolean);
  /** A list answers the tool rounds of one turn in order: the first, then what follows the first tool results … */
  readonly reply: Reply | readonly Reply[];
}

/** Rules, tried in order; a request that none answers goes to the word language. Side requests never reach rules. */
export interface Scenario {
  readonly rules: readonly Rule[];
}

/** A scenario as a function. It also sees side requests; `undefined` leaves a request to the word language. */
export type ScenarioFunction = (request: ModelRequest) => Reply | Reply[] | undefined;

export type ModelApi = 'anthropic' | 'openai';

/**
 * Requests that a CLI makes on its own account: `compaction` (summarise the conversation), `count` (count_tokens),
 * `quota` (a probe for one token), `other` (titles and the like: no tools offered).
 */
export type SideKind = 'compaction' | 'count' | 'quota' | 'other';

export interface OfferedTool {
  readonly name: string;
  /** A free-form tool: its input is text, not JSON. */
  readonly custom: boolean;
  readonly namespace?: string;
}

export interface ToolResult {
  readonly id: string;
  /** What the tool printed, without the frame that the CLI puts around it. */
  readonly text: string;
  readonly failed: boolean;
}

/** One request that reached the fake model, read once and kept for tests. */
export interface ModelRequest {
  /** 1, 2, 3 … in order of arrival. */
  readonly number: number;
  readonly api: ModelApi;
  readonly path: string;
  /** Lower-case names. Credentials are kept: this is a test tool, give it made-up ones. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
  /** Size of the body as sent. */
  readonly bytes: number;
  readonly model: string;
  readonly stream: boolean;
  /** What the user said last, without what the CLI injects into user messages. */
  readonly lastUserText: string;
  /** Every user text of the conversation in order, injected ones included (summaries live there). */
  readonly userTexts: readonly string[];
  /** How many rounds of tool calls this fake model has asked for since the last user text. */
  readonly round: number;
  /** The tool results that this request brings and the model has not answered yet. */
  readonly toolResults: readonly ToolResult[];
  /** True when the CLI started this turn itself, behind a finished answer (a background task that ended, say). */
  readonly unprompted: boolean;
  readonly tools: readonly OfferedTool[];
  readonly side: SideKind | null;
  /** The CLI's own conversation id, when it sends one. */
  readonly conversation: string | null;
  /** Wall clock, milliseconds since 1970. */
  readonly at: number;
}

/** `size` bytes of 64-byte lines, each starting with its own offset: a receiver can prove that nothing is lost. */
export function bulk(size: number): string {
  const lines: string[] = [];
  for (let offset = 0; offset < size; offset += 64) {
    lines.push(`${String(offset).padStart(12, '0')} the quick brown fox jumps over the lazy dog 012345\n`);
  }
  return lines.join('').slice(0, size);
}
