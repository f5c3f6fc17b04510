/**
 * What the API shows: sessions, turns, agents, status. Shapes only, browser-safe.
 */
import { z } from 'zod';
import { By, EVENT_DATA, TurnInput, Usage } from './events.ts';

export const SessionMode = z.enum(['default', 'acceptEdits', 'plan', 'readOnly', 'bypass']);
export type SessionMode = z.infer<typeof SessionMode>;
export const RuntimeKind = z.enum(['warm', 'shared', 'per-message', 'none']);

export const RuntimeView = z.object({
  kind: RuntimeKind,
  pid: z.number().optional(),
  startedAt: z.string().optional(),
  rssMb: z.number().optional(),
  degraded: z.object({ reason: z.string(), until: z.string() }).optional(),
});
export type RuntimeView = z.infer<typeof RuntimeView>;

export const SessionState = z.enum(['starting', 'idle', 'working', 'asking', 'asleep', 'closed']);

/** A conversation with one agent in one workspace. */
export const SessionView = z.object({
  id: z.string(),
  agent: z.string(),
  cwd: z.string(),
  name: z.string().optional(),
  model: z.string().optional(),
  mode: SessionMode,
  readOnly: z.object({ reason: z.string().optional() }).optional(),
  state: SessionState,
  runtime: RuntimeView,
  agentSessionId: z.string().optional(),
  lastSeq: z.number(),
  currentTurn: z.string().optional(),
  queuedTurns: z.number(),
  openPermissions: z.number(),
  permissionPolicy: z.array(z.unknown()),
  /** Whether the agent takes up hooks, permissions, servers and instructions of the repository. */
  trusted: z.boolean().optional(),
  /** Files and directories that are there and that it does not take up. */
  leftOut: z.array(z.string()).optional(),
  systemPrompt: z.string().optional(),
  mcpServers: z.array(z.string()),
  env: z.array(z.string()),
  createdAt: z.string(),
  lastActivityAt: z.string(),
  metadata: z.record(z.string(), z.unknown()),
});
export type SessionView = z.infer<typeof SessionView>;

export const TurnState = z.enum(['queued', 'running', 'completed', 'failed', 'interrupted']);

/** One message and everything up to its ending. Times in ms, instants ISO 8601. */
export const TurnView = z.object({
  id: z.string(),
  sessionId: z.string(),
  seq: z.number(),
  endSeq: z.number().optional(),
  state: TurnState,
  input: TurnInput.optional(),
  text: z.string().optional(),
  stopReason: z.string().optional(),
  error: z
    .object({ code: z.string(), message: z.string(), effects: z.enum(['none', 'possible']).optional() })
    .optional(),
  usage: Usage.optional(),
  costUsd: z.number().optional(),
  model: z.string().optional(),
  ttftMs: z.number().optional(),
  durationMs: z.number().optional(),
  runtime: z.string().optional(),
  steered: z.string().optional(),
  origin: z.enum(['user', 'agent']),
  createdAt: z.string(),
  startedAt: z.string().optional(),
  endedAt: z.string().optional(),
});
export type TurnView = z.infer<typeof TurnView>;

/** A request of an agent: as in `permission.requested`, with its turn. With `decision` and `by` once it is answered. */
export const PermissionView = EVENT_DATA['permission.requested'].extend({
  turn: z.string().optional(),
  requestedAt: z.string(),
  decision: z.enum(['allow', 'allow_for_session', 'deny']).optional(),
  by: By.optional(),
});
export type PermissionView = z.infer<typeof PermissionView>;

export const AgentView = z.object({
  id: z.string(),
  kind: z.string(),
  path: z.string().optional(),
  version: z.string().optional(),
  available: z.boolean(),
  problem: z.string().optional(),
});
export type AgentView = z.infer<typeof AgentView>;

export const LeaseView = z.object({
  runtime: z.string(),
  sessions: z.array(z.string()),
  /** Absent until its process has started. */
  pid: z.number().optional(),
  rssMb: z.number().optional(),
  idleMs: z.number(),
  evictable: z.boolean(),
  reason: z.string(),
});
/** What retention has removed. Sizes in bytes. */
export const CollectedView = z.object({
  events: z.number(),
  /** Sessions of which no event is left. */
  sessions: z.number(),
  bytesBefore: z.number(),
  bytesAfter: z.number(),
});
export type CollectedView = z.infer<typeof CollectedView>;

export const StatusView = z.object({
  daemon: z.object({
    pid: z.number(),
    version: z.string(),
    startedAt: z.string(),
    home: z.string(),
    generation: z.number(),
    rssMb: z.number(),
    state: z.enum(['running', 'draining']),
  }),
  keeper: z
    .object({ pid: z.number(), version: z.string(), children: z.number(), rssMb: z.number().optional() })
    .optional(),
  pool: z.object({
    maxWarm: z.number(),
    leases: z.array(LeaseView),
    /** Sessions that wait for a slot. */
    waiting: z.number(),
    /** Processes that serve one message and hold no slot. */
    perMessage: z.number().optional(),
    maxPerMessage: z.number().optional(),
    /** What the pool has ended of late, newest first; `words`: why, as a person reads it. Forgotten with the daemon; the events are not. */
    ended: z
      .array(
        z.object({
          at: z.string(),
          pid: z.number().optional(),
          sessions: z.array(z.string()),
          reason: z.string(),
          words: z.string(),
        }),
      )
      .optional(),
  }),
  sessions: z.object({ open: z.number(), working: z.number() }),
  journal: z.object({ bytes: z.number(), events: z.number(), epoch: z.string(), full: z.boolean() }),
});
export type StatusView = z.infer<typeof StatusView>;
