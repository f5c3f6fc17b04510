/**
 * What the dialect remembers of one Codex thread between two lines. Plain JSON, versioned, every list bounded: it is written with the
 * offset of each batch of lines and read back by the next daemon.
 * Owns the shape, its bounds and the working copy that one step changes. Knows nothing of what lines mean.
 */
import { z } from 'zod';
import { SessionMode } from '../../protocol/index.ts';
import type { AgentSignal } from '../../session/ports.ts';
import type { Json, OutgoingWrite, RequestIds, Step } from '../dialect.ts';

/** Chosen so that all of it at once stays under 64 KiB, also where a character takes three bytes. */
export const BOUNDS = {
  turns: 3,
  items: 32,
  past: 32,
  early: 2,
  pending: 32,
  asks: 16,
  children: 32,
  id: 128,
  paths: 10,
  path: 500,
  diffs: 2,
  diff: 3_000,
  profiles: 3,
  profile: 2_000,
  text: 2_000,
  message: 1_000,
  /** Of a person's answer to a question; it is written, not kept. */
  answer: 100_000,
} as const;

/** Text of an id, a name or a message as the state may hold it. */
const short = z.string().max(BOUNDS.message);

const Tokens = z.object({
  total: z.number(),
  input: z.number(),
  cached: z.number(),
  cacheWrite: z.number(),
  output: z.number(),
});
export type Tokens = Readonly<z.infer<typeof Tokens>>;

const OpenItem = z.object({
  id: short,
  /** `text`: an agent message. `reasoning`, `raw`: a summary or the raw thoughts of one reasoning item. */
  kind: z.enum(['text', 'reasoning', 'raw', 'tool']),
  /** The name of the block; '' for a tool. */
  block: short,
  /** Whether anything of it was said: only that can be made void. */
  shown: z.boolean(),
  /** What a file change would do, for the request that asks for it. */
  diff: z.string().max(BOUNDS.diff).optional(),
  /** The files that it would change; absent when they are too many to keep. */
  paths: z.array(z.string().max(BOUNDS.path)).max(BOUNDS.paths).optional(),
});
export type OpenItem = Readonly<z.infer<typeof OpenItem>>;

const Failure = z.object({
  code: z.enum([
    'auth_failed',
    'rate_limited',
    'context_exceeded',
    'model_error',
    'limit_reached',
    'agent_error',
  ]),
  message: short,
});
export type Failure = Readonly<z.infer<typeof Failure>>;

const Ending = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('completed'), text: z.string().max(BOUNDS.text).optional() }),
  z.object({ kind: z.literal('interrupted') }),
  z.object({ kind: z.literal('failed'), failure: Failure }),
]);
export type Ending = Readonly<z.infer<typeof Ending>>;

const CodexTurn = z.object({
  /** Codex's id of the turn; null until it is known. */
  id: short.nullable(),
  /** Our turn; null for one that nobody asked for. */
  turn: short.nullable(),
  /** The id is certain: by the answer to `turn/start`, or by our own message in it. Only then may an ending end it. */
  acked: z.boolean(),
  /** It was seen to run: it can be interrupted. */
  started: z.boolean(),
  received: z.boolean(),
  items: z.array(OpenItem).max(BOUNDS.items),
  /** A message was completed. */
  said: z.boolean(),
  /** Why the messages that are open now will not be completed. */
  cut: short.nullable(),
  /** The last error that is not retried. */
  failure: Failure.nullable(),
  /** The conversation's tokens when the turn began. */
  base: Tokens.nullable(),
  /** Requests to the model. */
  requests: z.number(),
  /** Interrupts that came too early. */
  refused: z.number(),
});
export type CodexTurn = Readonly<z.infer<typeof CodexTurn>>;

export const NEW_TURN: CodexTurn = {
  id: null,
  turn: null,
  acked: false,
  started: false,
  received: false,
  items: [],
  said: false,
  cut: null,
  failure: null,
  base: null,
  requests: 0,
  refused: 0,
};

const Pending = z.discriminatedUnion('for', [
  z.object({ id: z.number(), for: z.literal('prompt'), turn: short, tries: z.number() }),
  z.object({ id: z.number(), for: z.literal('interrupt'), codexTurn: short, tries: z.number() }),
  z.object({ id: z.number(), for: z.literal('clean') }),
  z.object({ id: z.number(), for: z.literal('settings') }),
]);
export type Pending = Readonly<z.infer<typeof Pending>>;

const OpenAsk = z.object({
  /** The server's own id, as it came. */
  to: z.union([z.string().max(BOUNDS.id), z.number()]),
  shape: z.enum(['decision', 'review', 'permissions', 'answers', 'elicitation']),
  codexTurn: short.nullable(),
  /** The permissions asked for, as JSON text. */
  profile: z.string().max(BOUNDS.profile).optional(),
});
export type OpenAsk = Readonly<z.infer<typeof OpenAsk>>;

export const CodexStateShape = z.object({
  v: z.literal(1),
  thread: short,
  model: short.nullable(),
  effort: short.nullable(),
  /** Prompts are written in collaboration mode plan. */
  plan: z.boolean(),
  /** What its turns go by, or will once it has answered. Null: not known. */
  told: z
    .object({
      mode: SessionMode,
      model: short.nullable(),
      judged: z.boolean(),
      /** Its workspace is as Codex's defaults have it: nothing else is lost when it is named again. */
      plain: z.boolean(),
      /** Its sandboxes are profiles of ours. */
      closing: z.boolean().default(false),
    })
    .nullable()
    .default(null),
  turns: z.array(CodexTurn).max(BOUNDS.turns),
  /** Messages for the turn that runs, to be written when it is seen to. */
  waiting: z.array(short).max(BOUNDS.turns).default([]),
  /** Codex's ids of turns that have ended. */
  past: z.array(short).max(BOUNDS.past),
  /** Endings that came before it was certain whose they are. */
  early: z.array(z.object({ id: short, ending: Ending })).max(BOUNDS.early),
  pending: z.array(Pending).max(BOUNDS.pending),
  asks: z.array(OpenAsk).max(BOUNDS.asks),
  /** Threads of subagents of this one: what they ask is asked here. */
  children: z.array(short).max(BOUNDS.children),
  /** Tokens of the conversation so far; null before the first report. */
  total: Tokens.nullable(),
  /** Names of blocks given so far. */
  blocks: z.number(),
  /** The rate limit that was reached last. */
  limit: short.nullable(),
  /** An interrupt waits for the turn to run. */
  wantInterrupt: z.boolean(),
});
export type CodexState = Readonly<z.infer<typeof CodexStateShape>>;

export interface ThreadFacts {
  readonly thread: string;
  readonly model: string | null;
  readonly effort: string | null;
  readonly plan: boolean;
  readonly told?: CodexState['told'];
}

export function newState(facts: ThreadFacts): CodexState {
  return {
    v: 1,
    ...facts,
    told: facts.told ?? null,
    turns: [],
    waiting: [],
    past: [],
    early: [],
    pending: [],
    asks: [],
    children: [],
    total: null,
    blocks: 0,
    limit: null,
    wantInterrupt: false,
  };
}

/** Reads what an earlier daemon wrote. Throws when it is of another version or shape. */
export function revive(state: Json): CodexState {
  return CodexStateShape.parse(state);
}

/** One step in the making: handlers replace `state`, never change it, so that the caller's stays as it was. */
export interface Work {
  state: CodexState;
  readonly signals: AgentSignal[];
  readonly writes: OutgoingWrite[];
  readonly ids: RequestIds;
}

export function begin(state: CodexState, ids: RequestIds): Work {
  return { state, signals: [], writes: [], ids };
}

export function step(work: Work): Step<CodexState> {
  return { state: work.state, signals: work.signals, writes: work.writes };
}

/** Adds a write. Every write takes an id, whether its line carries it or not: the id is the number of the write. */
export function write(work: Work, kind: string, ref: (id: number) => Json): number {
  const id = work.ids.next();
  work.writes.push({ kind, ref: ref(id) });
  return id;
}

export function changeTurn(work: Work, index: number, change: Partial<CodexTurn>): void {
  work.state = {
    ...work.state,
    turns: work.state.turns.map((turn, at) => (at === index ? { ...turn, ...change } : turn)),
  };
}

/** The list with one more at its end, the oldest dropped beyond `max`. */
export function pushed<T>(list: readonly T[], item: T, max: number): T[] {
  return [...list.slice(Math.max(0, list.length + 1 - max)), item];
}

export function cutText(text: string, max: number): string {
  return text.length <= max ? text : `${text.slice(0, max - 1).toWellFormed()}…`;
}
