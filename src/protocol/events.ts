/**
 * Every event of a session: its data by type, in one table.
 * Owns the public shapes (docs: interface, "Events"). Knows nothing of how they come about. Browser-safe.
 */
import { z } from 'zod';

/** Who decided: a client (by token name), a policy, a deadline, the end of the turn, a shutdown. */
export const By = z.object({
  kind: z.enum(['client', 'policy', 'deadline', 'turn_end', 'shutdown']),
  name: z.string().optional(),
});
export type By = z.infer<typeof By>;

/** Tokens of a turn (or, in `usage.updated`, of the conversation so far). */
export const Usage = z.object({
  inputTokens: z.number(),
  outputTokens: z.number(),
  cacheReadTokens: z.number().optional(),
  cacheWriteTokens: z.number().optional(),
  totalTokens: z.number(),
  contextWindow: z.number().optional(),
});
export type Usage = z.infer<typeof Usage>;

/** What a turn cost. Times in ms; `costUsd` is of this turn; `rssMb` of the runtime's whole process tree. */
export const Costs = z.object({
  usage: Usage.optional(),
  costUsd: z.number().optional(),
  model: z.string().optional(),
  ttftMs: z.number().optional(),
  durationMs: z.number(),
  startupMs: z.number().optional(),
  rssMb: z.number().optional(),
  agentTurns: z.number().optional(),
});
export type Costs = z.infer<typeof Costs>;

export const ToolKind = z.enum(['read', 'edit', 'execute', 'search', 'fetch', 'mcp', 'think', 'other']);
export type ToolKind = z.infer<typeof ToolKind>;

/** One block of a message of a person: text, or a base64 image. */
export const ContentBlock = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('text'), text: z.string() }),
  z.strictObject({
    type: z.literal('image'),
    mediaType: z.enum(['image/png', 'image/jpeg', 'image/gif', 'image/webp']),
    data: z.string(),
  }),
]);
export type ContentBlock = z.infer<typeof ContentBlock>;
export const TurnInput = z.union([z.string(), z.array(ContentBlock).min(1)]);
export type TurnInput = z.infer<typeof TurnInput>;

export const TurnFailureCode = z.enum([
  'echo_timeout',
  'inactivity_timeout',
  'tool_timeout',
  'start_timeout',
  'runtime_exited',
  'runtime_lost',
  'runtime_stuck',
  'spawn_failed',
  'stdin_timeout',
  'takeover_failed',
  'resume_failed',
  'agent_error',
  'model_error',
  'auth_failed',
  'rate_limited',
  'context_exceeded',
  'limit_reached',
  'shutdown',
]);
export type TurnFailureCode = z.infer<typeof TurnFailureCode>;

export const StopReason = z.enum(['end_turn', 'max_turns', 'refusal', 'steered', 'other']);
export type StopReasonName = z.infer<typeof StopReason>;
export const RuntimeEndReason = z.enum([
  'idle',
  'evicted',
  'closed',
  'crashed',
  'stuck',
  'replaced',
  'shutdown',
]);
export type RuntimeEndReason = z.infer<typeof RuntimeEndReason>;

export const Question = z.object({
  id: z.string(),
  text: z.string(),
  options: z.array(z.object({ label: z.string(), description: z.string().optional() })).optional(),
  multiple: z.boolean().optional(),
  secret: z.boolean().optional(),
});

const anyJson = z.record(z.string(), z.unknown());
const preview = z.object({ message: z.string(), parent: z.string().optional(), text: z.string() });

/** Event type → the schema of its `data`. */
export const EVENT_DATA = {
  'session.created': z.object({ session: anyJson }),
  'session.updated': anyJson,
  'session.closed': z.object({ reason: z.string() }),
  'turn.queued': z.object({
    input: TurnInput,
    position: z.number(),
    commandId: z.string().optional(),
    steered: z.string().optional(),
  }),
  /**
   * Comes again where the turn is handed over anew: to another process, when the message never entered the first; behind a turn of origin `agent` that the agent
   * began by itself as the message was written; and with `steered`, when the message is part of another turn now.
   */
  'turn.started': z.object({
    runtime: z.object({ kind: z.string(), pid: z.number() }),
    origin: z.enum(['user', 'agent']),
    steered: z.string().optional(),
  }),
  'message.delta': preview,
  'message.completed': preview,
  'message.discarded': z.object({ message: z.string(), reason: z.string() }),
  'reasoning.delta': preview,
  'reasoning.completed': preview,
  'tool.started': z.object({
    id: z.string(),
    name: z.string(),
    kind: ToolKind,
    input: z.unknown(),
    parent: z.string().optional(),
  }),
  'tool.output': z.object({ id: z.string(), text: z.string() }),
  'tool.completed': z.object({
    id: z.string(),
    status: z.enum(['ok', 'error', 'denied', 'cancelled']),
    output: z.string(),
    truncated: z.number().optional(),
  }),
  'plan.updated': z.object({ entries: z.array(z.object({ text: z.string(), status: z.string() })) }),
  'permission.requested': z.object({
    id: z.string(),
    kind: z.enum(['tool', 'question']),
    tool: z.object({ id: z.string(), name: z.string(), input: z.unknown() }).optional(),
    diff: z.string().optional(),
    reason: z.string().optional(),
    questions: z.array(Question).optional(),
    sessionScope: z.unknown().optional(),
    expiresAt: z.string(),
  }),
  'permission.resolved': z.object({
    id: z.string(),
    decision: z.enum(['allow', 'allow_for_session', 'deny', 'cancelled']),
    by: By,
    rule: z.string().optional(),
    message: z.string().optional(),
  }),
  'usage.updated': Usage,
  'session.compacted': z.object({
    trigger: z.enum(['auto', 'manual']),
    preTokens: z.number().optional(),
    summary: z.string().optional(),
  }),
  'turn.completed': Costs.extend({ stopReason: StopReason, text: z.string() }),
  'turn.failed': Costs.extend({
    code: TurnFailureCode,
    message: z.string(),
    stderrTail: z.string().optional(),
    effects: z.enum(['none', 'possible']),
  }),
  'turn.interrupted': Costs.extend({ by: By }),
  'runtime.started': z.object({
    kind: z.string(),
    pid: z.number(),
    agent: z.string(),
    version: z.string().optional(),
    startupMs: z.number(),
    resumed: z.boolean(),
    /** It was started before there was a session for it. */
    spare: z.literal(true).optional(),
  }),
  'runtime.ended': z.object({
    pid: z.number(),
    reason: RuntimeEndReason,
    code: z.number().optional(),
    signal: z.string().optional(),
    rssMb: z.number().optional(),
    lines: z.number(),
    chunks: z.number(),
  }),
  'runtime.degraded': z.object({ reason: z.string(), until: z.string() }),
  'runtime.restored': z.object({}),
  notice: z.object({
    level: z.enum(['info', 'warning', 'error']),
    code: z.string(),
    message: z.string(),
    raw: z.unknown().optional(),
  }),
} as const;

export type EventType = keyof typeof EVENT_DATA;
export type EventData<T extends EventType> = z.infer<(typeof EVENT_DATA)[T]>;

/** An event before it has a place in the journal. */
export type NewEvent = {
  [T in EventType]: { readonly type: T; readonly turn?: string; readonly data: EventData<T> };
}[EventType];

/** A durable fact of a session. `seq` is contiguous from 1 in its session; `time` is ISO 8601 UTC with milliseconds. */
export type SessionEvent = NewEvent & {
  readonly session: string;
  readonly seq: number;
  readonly time: string;
};

/** The three events that end a turn: each accepted turn has exactly one of them (P1). */
export const TURN_ENDINGS: ReadonlySet<EventType> = new Set([
  'turn.completed',
  'turn.failed',
  'turn.interrupted',
]);

/** The schema of a whole event as a client receives it; a type that this version does not know is kept as it is. */
export const AnyEvent = z.looseObject({
  session: z.string(),
  seq: z.number().int().positive(),
  turn: z.string().optional(),
  time: z.string(),
  type: z.string(),
  data: z.unknown(),
});
