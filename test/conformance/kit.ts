/**
 * What the suite must know of an agent that it runs against: how to start it, and the words that make it do what a case is about.
 * The fake agents and the fake model have words of their own; the cases have none.
 */
import type { TurnFailureCode } from '../../src/protocol/index.ts';
import type { Installed } from './agent.ts';

export interface Words {
  /** Says this text, and nothing else. */
  say(text: string): string;
  /** Streams some thirty words at once. */
  readonly stream: string;
  /** Streams for many seconds. */
  readonly longStream: string;
  /** Says nothing until it is interrupted. */
  readonly silence: string;
  readonly think: string;
  /** Runs a tool that goes well, then says `after`. */
  tool(after: string): string;
  /** Runs a tool that takes until this file is in the working directory. */
  toolUntil(file: string): string;
  /** Runs a tool that takes until it is interrupted. */
  readonly longTool: string;
  /** In mode `default`: a tool that must be asked for, and would make this file in the working directory. */
  ask(file: string): string;
  /** Each makes the API refuse in another way. */
  readonly refusals: readonly { readonly input: string; readonly code: TurnFailureCode }[];
  /** Streams that are cut and then said again, with the last word of the answer. */
  readonly cuts: readonly { readonly input: string; readonly last: string }[];
  /** A word to be remembered, and the question that brings it back. */
  remember(word: string): string;
  readonly recall: string;
  /** Starts something that wakes the agent when it is over; absent where the agent does not wake. */
  readonly wake?: string;
  /** The words of a fault, and an answer behind it: only a fake has faults. */
  fault?(name: string): string;
}

/** An agent that can be started: a place of its own, words, and what is true of it alone. */
export interface Kit<S = unknown> extends Installed<S>, AsyncDisposable {
  readonly words: Words;
  /** Its tools do what they say. */
  readonly acts: boolean;
  /** When it can be told to bypass permissions. */
  readonly bypass: 'any time' | 'at the start';
  /** What becomes of a resume when there is no such conversation. */
  readonly lostConversation: 'refused' | 'new';
  /** The same agent with faults from its start on. */
  faulty?(faults: string): Installed<S>;
}
