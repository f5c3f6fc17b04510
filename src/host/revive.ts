/**
 * Reads a session's state back from its journal row. What cannot be read is an error that names the session, never a guess.
 */
import { z } from 'zod';
import {
  By,
  messageOf,
  PilotlightError,
  PolicyRule,
  SessionMode,
  TurnFailureCode,
} from '../protocol/index.ts';
import type { Journal, SessionRecord } from '../session/ports.ts';
import type { SessionState } from '../session/state.ts';

const Spec = z.object({
  id: z.string(),
  agent: z.string(),
  cwd: z.string(),
  name: z.string().exactOptional(),
  model: z.string().exactOptional(),
  mode: SessionMode,
  systemPrompt: z.string().exactOptional(),
  readOnly: z.object({ reason: z.string().exactOptional() }).exactOptional(),
  permissionPolicy: z.array(PolicyRule).exactOptional(),
  resume: z.string().exactOptional(),
  domain: z.string().exactOptional(),
  agentOptions: z.record(z.string(), z.unknown()),
  metadata: z.record(z.string(), z.unknown()),
  mcpServers: z.array(z.string()).exactOptional(),
  env: z.array(z.string()),
  credentials: z.array(z.string()),
  limits: z
    .object({ maxTurns: z.number().exactOptional(), maxCostUsd: z.number().exactOptional() })
    .exactOptional(),
  createdAt: z.string(),
});

const Link = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('none') }),
  z.object({
    kind: z.literal('starting'),
    id: z.string(),
    perMessage: z.literal(true).exactOptional(),
    waiting: z.enum(['end', 'slot']).exactOptional(),
  }),
  z.object({
    kind: z.literal('ready'),
    id: z.string(),
    pid: z.number(),
    startedAt: z.string(),
    startupMs: z.number(),
    turns: z.number(),
    perMessage: z.literal(true).exactOptional(),
    shared: z.literal(true).exactOptional(),
    tasks: z.number().exactOptional(),
  }),
  z.object({ kind: z.literal('ending'), id: z.string() }),
]);

const Stopping = z.discriminatedUnion('why', [
  z.object({ why: z.literal('interrupt'), by: By, acknowledged: z.boolean() }),
  z.object({
    why: z.literal('failure'),
    code: TurnFailureCode,
    message: z.string(),
    acknowledged: z.boolean(),
  }),
]);

const Turn = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('none') }),
  z.object({ kind: z.literal('queued'), id: z.string(), headAt: z.number() }),
  z.object({
    kind: z.literal('running'),
    id: z.string(),
    origin: z.enum(['user', 'agent']),
    headAt: z.number(),
    firstTextAt: z.number().exactOptional(),
    beside: z.boolean().exactOptional(),
    received: z.boolean(),
    stopping: Stopping.exactOptional(),
    tools: z.record(z.string(), z.enum(['open', 'closed'])),
    previews: z.array(z.string()),
    steers: z
      .array(z.object({ id: z.string(), written: z.boolean(), received: z.boolean(), taken: z.boolean() }))
      .default([]),
  }),
]);

const Granted = z.object({ tool: z.string(), match: z.string().exactOptional() });

const Ask = z.object({
  id: z.string(),
  request: z.string(),
  seq: z.number(),
  askedAt: z.number(),
  kind: z.enum(['tool', 'question']),
  editable: z.boolean(),
  questions: z.array(z.string()),
  rule: Granted.exactOptional(),
});

const State = z.object({
  v: z.literal(1),
  spec: Spec,
  phase: z.enum(['open', 'closed']),
  runtime: Link,
  turn: Turn,
  // Absent in what an older version wrote.
  queue: z.array(z.string()).default([]),
  asks: z.array(Ask).default([]),
  granted: z.array(Granted).default([]),
  spent: z.object({ turns: z.number(), costUsd: z.number() }).default({ turns: 0, costUsd: 0 }),
  stale: z.boolean().default(false),
  tuning: z.enum(['due', 'asked']).exactOptional(),
  lastSeq: z.number(),
  lastActivityAt: z.string(),
  agentSessionId: z.string().exactOptional(),
  conversed: z.boolean(),
  degraded: z.object({ reason: z.string(), until: z.string(), step: z.number() }).exactOptional(),
});

/** The state as it was committed; the text of a running turn's last message is read from its events. */
export function reviveSession(
  record: SessionRecord,
  journal?: Pick<Journal, 'events' | 'turn'>,
): SessionState {
  const parsed = State.safeParse(record.state);
  if (!parsed.success)
    throw new PilotlightError(
      'journal_unusable',
      `Session ${record.id} could not be read: ${messageOf(parsed.error)}`,
      {
        fix: 'A newer version may have written it: use that version.',
      },
    );
  const state: SessionState = parsed.data;
  if (journal === undefined || state.turn.kind !== 'running') return state;
  const lastText = lastTextOf(journal, state.spec.id, state.turn.id);
  return lastText === undefined ? state : { ...state, turn: { ...state.turn, lastText } };
}

const Completed = z.object({
  turn: z.string().optional(),
  data: z.object({ text: z.string(), parent: z.string().optional() }),
});

function lastTextOf(
  journal: Pick<Journal, 'events' | 'turn'>,
  session: string,
  turn: string,
): string | undefined {
  let after: number | undefined = (journal.turn(turn)?.seq ?? 1) - 1;
  let text: string | undefined;
  while (after !== undefined) {
    const page = journal.events(session, after, 1000);
    for (const event of page.events) {
      if (event.type !== 'message.completed') continue;
      const { data } = Completed.parse(JSON.parse(event.json));
      if (data.parent === undefined) text = data.text;
    }
    after = page.next;
  }
  return text;
}

/** Turns without an ending: the one at the head, those taken or waiting to be taken into it, the queue. */
export function openTurns({ turn, queue }: SessionState): readonly string[] {
  const head = turn.kind === 'none' ? [] : [turn.id];
  const steers = turn.kind === 'running' ? turn.steers.map((steer) => steer.id) : [];
  return [...head, ...steers, ...queue];
}
