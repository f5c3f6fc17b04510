/**
 * What the dialect remembers of one Claude process between two lines. Plain JSON, versioned, every list bounded: it is written with
 * the offset of each batch of lines and read back by the next daemon.
 * Owns the shape, its bounds and the working copy that one step changes. Knows nothing of what lines mean.
 */
import { z } from 'zod';
import { MASK } from '../../redact/index.ts';
import type { AgentSignal } from '../../session/ports.ts';
import type { Json, OutgoingWrite, RequestIds, Step } from '../dialect.ts';

/** Chosen so that all of it at once stays under 64 KiB, also where a character takes three bytes. */
export const BOUNDS = {
  turns: 8,
  blocks: 32,
  tools: 128,
  denied: 32,
  asks: 16,
  /** Names of MCP servers that were told to have failed. */
  failed: 64,
  /** Changes of settings without an answer. */
  tuning: 16,
  model: 200,
  id: 80,
  /** Of one request's input, JSON text. */
  input: 4_000,
  /** Of all of them, bytes. */
  inputs: 12_000,
  message: 1_000,
  /** Of a person's answer to a question; it is written, not kept. */
  answer: 100_000,
} as const;

const id = z.string().max(BOUNDS.id);

const ClaudeTurn = z.object({
  /** Our turn. */
  turn: id,
  /** Claude took the prompt in: it may wait there behind what runs. */
  received: z.boolean(),
  /** Claude has begun to answer it. */
  begun: z.boolean().default(true),
});
export type ClaudeTurn = Readonly<z.infer<typeof ClaudeTurn>>;

const OpenBlock = z.object({
  /** The tool call of the subagent that speaks; '' for the conversation itself. */
  parent: id,
  index: z.number(),
  kind: z.enum(['text', 'reasoning']),
  block: id,
});
export type OpenBlock = Readonly<z.infer<typeof OpenBlock>>;

const OpenAsk = z.object({
  request: id,
  /** The tool call; '' when not named. */
  tool: id,
  question: z.boolean(),
  /** A check before a tool is used, not a question of its own. */
  hook: z.boolean().optional(),
  /** The input asked about, as JSON text; absent when it is too long to keep. */
  input: z.string().max(BOUNDS.input).optional(),
});
export type OpenAsk = Readonly<z.infer<typeof OpenAsk>>;

const ClaudeState = z.object({
  v: z.literal(1),
  /** Claude's id of the conversation. */
  session: id,
  model: id.nullable(),
  /** What it goes by, or will once it has answered: its permission mode, the model asked for, whether it may bypass permissions. Null: not known. */
  told: z
    .object({ mode: id, model: z.string().max(BOUNDS.model).nullable(), bypass: z.boolean() })
    .nullable()
    .default(null),
  /** Ids of our requests for other settings that it has not answered. */
  tuning: z.array(id).max(BOUNDS.tuning).default([]),
  /** Prompts written whose result has not come, oldest first. */
  turns: z.array(ClaudeTurn).max(BOUNDS.turns),
  /** Works although nobody asked. */
  woken: z.boolean(),
  /** This version names the messages that its lines answer. */
  names: z.boolean(),
  /** An interrupt was written for the open turn; `early`: Claude had not begun that turn yet, so it is written again when it begins. */
  stopping: z.union([z.boolean(), z.literal('early')]),
  /** A whole message was said in the open turn. */
  said: z.boolean(),
  /** At most one for each that speaks. */
  open: z.array(OpenBlock).max(BOUNDS.blocks),
  /** Names of blocks given so far. */
  blocks: z.number(),
  /** Ids of the tool calls of the open turn, each told once. */
  tools: z.array(id).max(BOUNDS.tools),
  /** Those of the conversation itself that have not returned: a message written while one runs is taken into the turn. */
  running: z.array(id).max(BOUNDS.tools).default([]),
  /** Messages for the turn that runs, to be written when a tool does. */
  waiting: z.array(id).max(BOUNDS.turns).default([]),
  /** Tool calls that were refused: what they return is the refusal. */
  denied: z.array(id).max(BOUNDS.denied),
  asks: z.array(OpenAsk).max(BOUNDS.asks),
  /** Background tasks that run. */
  tasks: z.number(),
  /** MCP servers that were told to have failed. */
  failed: z.array(id).max(BOUNDS.failed).default([]),
  /** USD of the conversation so far, as Claude counts; null when not known (a resumed one counts on). */
  cost: z.number().nullable(),
  /** The API's refusal that was said last in the open turn. */
  error: z.object({ name: id, message: z.string().max(BOUNDS.message) }).nullable(),
});
export type ClaudeState = Readonly<z.infer<typeof ClaudeState>>;

export interface ProcessFacts {
  readonly session: string;
  readonly resumed: boolean;
  readonly told?: ClaudeState['told'];
}

export function newState(facts: ProcessFacts): ClaudeState {
  return {
    v: 1,
    session: facts.session.slice(0, BOUNDS.id),
    model: null,
    told: facts.told ?? null,
    tuning: [],
    turns: [],
    woken: false,
    names: false,
    stopping: false,
    said: false,
    open: [],
    blocks: 0,
    tools: [],
    running: [],
    waiting: [],
    denied: [],
    asks: [],
    tasks: 0,
    failed: [],
    cost: facts.resumed ? null : 0,
    error: null,
  };
}

/** Reads what an earlier daemon wrote. Throws when it is of another version or shape. */
export function revive(state: Json): ClaudeState {
  const read = ClaudeState.parse(state);
  return { ...read, asks: read.asks.map(whole) };
}

/** An input that was masked when it was written is not the input any more; Claude knows its own. */
function whole(ask: OpenAsk): OpenAsk {
  const { input, ...rest } = ask;
  return input === undefined || input.includes(MASK) ? rest : ask;
}

/** One step in the making: handlers replace `state`, never change it, so that the caller's stays as it was. */
export interface Work {
  state: ClaudeState;
  readonly signals: AgentSignal[];
  readonly writes: OutgoingWrite[];
  readonly ids: RequestIds;
}

export function begin(state: ClaudeState, ids: RequestIds): Work {
  return { state, signals: [], writes: [], ids };
}

export function step(work: Work): Step<ClaudeState> {
  return { state: work.state, signals: work.signals, writes: work.writes };
}

export function change(work: Work, fields: Partial<ClaudeState>): void {
  work.state = { ...work.state, ...fields };
}

/** Adds a write. Every write takes an id, whether its line carries it or not: the id is the number of the write. */
export function write(work: Work, kind: string, ref: (id: number) => Json): void {
  const id = work.ids.next();
  work.writes.push({ kind, ref: ref(id) });
}

export function isWorking(state: ClaudeState): boolean {
  return state.woken || state.turns.length > 0;
}

/** The list with one more at its end, the oldest dropped beyond `max`. */
export function pushed<T>(list: readonly T[], item: T, max: number): T[] {
  return [...list.slice(Math.max(0, list.length + 1 - max)), item];
}
