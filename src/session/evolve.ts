/**
 * state, fact → state. Pure; the only place where a session's state changes.
 */
import type { Fact, RunningTurn, SessionState, TurnPhase } from './state.ts';

const NO_TURN: TurnPhase = { kind: 'none' };

/** The state after a fact. `now` (ms) is when it happened; events also advance `lastSeq`. */
export function evolve(state: SessionState, fact: Fact, now: number): SessionState {
  switch (fact.type) {
    case '#runtime-linked':
      return { ...state, runtime: fact.link };
    case '#agent-session':
      return { ...state, agentSessionId: fact.id };
    case '#spec':
      return { ...state, spec: fact.spec };
    case '#turn-received':
      return onRunning(state, (turn) => ({ ...turn, received: true }));
    case '#turn-stopping':
      return onRunning(state, (turn) => ({ ...turn, stopping: fact.stopping }));
    case 'session.closed':
      return step({ ...state, phase: 'closed' }, now);
    case 'turn.queued':
      return step({ ...state, turn: { kind: 'queued', id: fact.turn ?? '', headAt: now } }, now);
    case 'turn.started':
      return step(started(state, { id: fact.turn ?? '', origin: fact.data.origin }, now), now);
    case 'turn.completed':
    case 'turn.failed':
    case 'turn.interrupted':
      return step({ ...state, turn: NO_TURN }, now);
    case 'message.delta':
    case 'reasoning.delta':
      return step(
        onRunning(state, (turn) => previewed(turn, fact.data.message, now)),
        now,
      );
    case 'message.completed':
      return step(
        onRunning(state, (turn) => {
          const closed = unpreviewed(turn, fact.data.message, now);
          return fact.data.parent === undefined ? { ...closed, lastText: fact.data.text } : closed;
        }),
        now,
      );
    case 'message.discarded':
    case 'reasoning.completed':
      return step(
        onRunning(state, (turn) => unpreviewed(turn, fact.data.message)),
        now,
      );
    case 'tool.started':
      return step(
        onRunning(state, (turn) => ({ ...turn, tools: { ...turn.tools, [fact.data.id]: 'open' } })),
        now,
      );
    case 'tool.completed':
      return step(
        onRunning(state, (turn) => ({ ...turn, tools: { ...turn.tools, [fact.data.id]: 'closed' } })),
        now,
      );
    case 'session.created':
    case 'session.updated':
    case 'tool.output':
    case 'plan.updated':
    case 'permission.requested':
    case 'permission.resolved':
    case 'usage.updated':
    case 'session.compacted':
    case 'runtime.started':
    case 'runtime.ended':
    case 'runtime.degraded':
    case 'runtime.restored':
    case 'notice':
      return step(state, now);
  }
}

function step(state: SessionState, now: number): SessionState {
  return { ...state, lastSeq: state.lastSeq + 1, lastActivityAt: new Date(now).toISOString() };
}

function onRunning(state: SessionState, change: (turn: RunningTurn) => RunningTurn): SessionState {
  return state.turn.kind === 'running' ? { ...state, turn: change(state.turn) } : state;
}

function started(state: SessionState, turn: Pick<RunningTurn, 'id' | 'origin'>, now: number): SessionState {
  const { id, origin } = turn;
  const headAt = state.turn.kind === 'queued' ? state.turn.headAt : now;
  const runtime =
    state.runtime.kind === 'ready' ? { ...state.runtime, turns: state.runtime.turns + 1 } : state.runtime;
  return {
    ...state,
    runtime,
    turn: { kind: 'running', id, origin, headAt, received: origin === 'agent', tools: {}, previews: [] },
  };
}

function previewed(turn: RunningTurn, message: string, now: number): RunningTurn {
  const firstTextAt = turn.firstTextAt ?? now;
  if (turn.previews.includes(message)) return turn;
  return { ...turn, firstTextAt, previews: [...turn.previews, message] };
}

function unpreviewed(turn: RunningTurn, message: string, textAt?: number): RunningTurn {
  const firstTextAt = turn.firstTextAt ?? textAt;
  const previews = turn.previews.includes(message)
    ? turn.previews.filter((open) => open !== message)
    : turn.previews;
  return { ...turn, previews, ...(firstTextAt === undefined ? {} : { firstTextAt }) };
}
