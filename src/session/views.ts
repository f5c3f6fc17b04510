/**
 * Views of a session and of its turns as the API shows them, folded from state and events. Pure.
 */
import {
  PilotlightError,
  type Costs,
  type SessionEvent,
  type SessionView,
  type TurnView,
} from '../protocol/index.ts';
import { kindOf } from './endings.ts';
import type { SessionState } from './state.ts';

/** What the API shows of a session. `rssMb`: of its process tree, as last sampled. */
export function sessionView(state: SessionState, rssMb?: number): SessionView {
  const { spec, turn } = state;
  return {
    id: spec.id,
    agent: spec.agent,
    cwd: spec.cwd,
    ...(spec.name === undefined ? {} : { name: spec.name }),
    ...(spec.model === undefined ? {} : { model: spec.model }),
    mode: spec.mode,
    state: stateOf(state),
    runtime: runtimeOf(state, rssMb),
    ...(state.agentSessionId === undefined ? {} : { agentSessionId: state.agentSessionId }),
    lastSeq: state.lastSeq,
    ...(turn.kind === 'none' ? {} : { currentTurn: turn.id }),
    queuedTurns: state.queue.length + steersOf(state),
    openPermissions: state.asks.length,
    permissionPolicy: [...(spec.permissionPolicy ?? [])],
    trusted: spec.trusted === true,
    ...(spec.trusted === true || spec.leftOut === undefined ? {} : { leftOut: [...spec.leftOut] }),
    ...(spec.readOnly === undefined ? {} : { readOnly: { ...spec.readOnly } }),
    ...(spec.systemPrompt === undefined ? {} : { systemPrompt: spec.systemPrompt }),
    mcpServers: [...(spec.mcpServers ?? [])],
    env: [...spec.env],
    createdAt: spec.createdAt,
    lastActivityAt: state.lastActivityAt,
    metadata: { ...spec.metadata },
  };
}

function stateOf(state: SessionState): SessionView['state'] {
  if (state.phase === 'closed') return 'closed';
  if (state.asks.length > 0) return 'asking';
  if (state.turn.kind === 'running') return 'working';
  switch (state.runtime.kind) {
    case 'starting':
      return 'starting';
    case 'ready':
      return 'idle';
    case 'none':
    case 'ending':
      return state.turn.kind === 'queued' ? 'starting' : 'asleep';
  }
}

function steersOf({ turn }: SessionState): number {
  return turn.kind === 'running' ? turn.steers.filter((steer) => !steer.taken).length : 0;
}

function runtimeOf(state: SessionState, rssMb: number | undefined): SessionView['runtime'] {
  const { runtime } = state;
  const { degraded } = state;
  const failed =
    degraded === undefined ? {} : { degraded: { reason: degraded.reason, until: degraded.until } };
  if (runtime.kind !== 'ready') return { kind: 'none', ...failed };
  return {
    kind: kindOf(runtime),
    ...failed,
    pid: runtime.pid,
    startedAt: runtime.startedAt,
    ...(rssMb === undefined ? {} : { rssMb }),
  };
}

/** The view of a turn after an event of it. The first event (queued, or started for an agent's own turn) makes it. */
export function foldTurn(view: TurnView | undefined, event: SessionEvent): TurnView {
  const id = event.turn ?? '';
  if (event.type === 'turn.queued')
    return {
      id,
      sessionId: event.session,
      seq: event.seq,
      state: 'queued',
      input: event.data.input,
      origin: 'user',
      createdAt: event.time,
      ...(event.data.steered === undefined ? {} : { steered: event.data.steered }),
    };
  if (event.type === 'turn.started') {
    const base: TurnView = view ?? {
      id,
      sessionId: event.session,
      seq: event.seq,
      state: 'running',
      origin: 'agent',
      createdAt: event.time,
    };
    // One that came too late for the turn it was for is a turn of its own.
    const { steered: _, ...own } = base;
    const { steered, runtime } = event.data;
    const as = steered === undefined ? own : { ...own, steered };
    return { ...as, state: 'running', startedAt: event.time, runtime: runtime.kind };
  }
  if (view === undefined)
    throw new PilotlightError('internal', `Turn ${id} has an event ${event.type} before its first`);
  return ended(view, event);
}

function ended(view: TurnView, event: SessionEvent): TurnView {
  const base = { ...view, endSeq: event.seq, endedAt: event.time };
  if (event.type === 'turn.completed') {
    const { stopReason, text } = event.data;
    return { ...base, state: 'completed', stopReason, text, ...pricesOf(event.data) };
  }
  if (event.type === 'turn.failed') {
    const { code, message, effects } = event.data;
    return { ...base, state: 'failed', error: { code, message, effects }, ...pricesOf(event.data) };
  }
  return event.type === 'turn.interrupted'
    ? { ...base, state: 'interrupted', ...pricesOf(event.data) }
    : view;
}

function pricesOf(costs: Costs): Pick<TurnView, 'usage' | 'costUsd' | 'model' | 'ttftMs' | 'durationMs'> {
  const { usage, costUsd, model, ttftMs, durationMs } = costs;
  return {
    ...(usage === undefined ? {} : { usage }),
    ...(costUsd === undefined ? {} : { costUsd }),
    ...(model === undefined ? {} : { model }),
    ...(ttftMs === undefined ? {} : { ttftMs }),
    durationMs,
  };
}
