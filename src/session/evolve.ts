/**
 * state, fact → state. Pure; the only place where a session's state changes.
 */
import { nextStep } from './degrade.ts';
import { TURN_ENDINGS, type NewEvent } from '../protocol/index.ts';
import {
  isInternal,
  type Fact,
  type InternalFact,
  type RunningTurn,
  type SessionState,
  type TurnPhase,
} from './state.ts';

const NO_TURN: TurnPhase = { kind: 'none' };

/** The state after a fact. `now` (ms) is when it happened; events also advance `lastSeq`. */
export function evolve(state: SessionState, fact: Fact, now: number): SessionState {
  if (isInternal(fact)) return evolveInternal(state, fact);
  const next = evolveEvent(state, fact, now);
  return { ...next, lastSeq: state.lastSeq + 1, lastActivityAt: new Date(now).toISOString() };
}

function evolveInternal(state: SessionState, fact: InternalFact): SessionState {
  switch (fact.type) {
    case '#runtime-linked':
      return { ...state, runtime: fact.link };
    case '#agent-session':
      return { ...state, agentSessionId: fact.id };
    case '#spec':
      return { ...state, spec: fact.spec };
    case '#turn-received':
      return { ...onRunning(state, (turn) => ({ ...turn, received: true })), conversed: true };
    case '#turn-returned':
      return state.turn.kind === 'running'
        ? { ...state, turn: { kind: 'queued', id: state.turn.id, headAt: state.turn.headAt } }
        : state;
    case '#background':
      return state.runtime.kind === 'ready'
        ? { ...state, runtime: { ...state.runtime, tasks: fact.tasks } }
        : state;
    case '#turn-stopping':
      return onRunning(state, (turn) => ({ ...turn, stopping: fact.stopping }));
  }
}

/** Events that are not named here change nothing but the place in the journal. */
function evolveEvent(state: SessionState, fact: NewEvent, now: number): SessionState {
  if (TURN_ENDINGS.has(fact.type)) return { ...state, turn: NO_TURN };
  if (fact.type === 'runtime.degraded')
    return { ...state, degraded: { ...fact.data, step: nextStep(state.degraded) } };
  if (fact.type === 'runtime.restored') {
    const { degraded: _, ...restored } = state;
    return restored;
  }
  if (fact.type === 'session.closed') return { ...state, phase: 'closed' };
  if (fact.type === 'turn.queued')
    return { ...state, turn: { kind: 'queued', id: fact.turn ?? '', headAt: now } };
  if (fact.type === 'turn.started')
    return started(state, { id: fact.turn ?? '', origin: fact.data.origin }, now);
  return onRunning(state, (turn) => evolveTurn(turn, fact, now));
}

function evolveTurn(turn: RunningTurn, fact: NewEvent, now: number): RunningTurn {
  if (fact.type === 'message.delta' || fact.type === 'reasoning.delta')
    return previewed(turn, fact.data.message, now);
  if (fact.type === 'message.completed') {
    const closed = unpreviewed(turn, fact.data.message, now);
    return fact.data.parent === undefined ? { ...closed, lastText: fact.data.text } : closed;
  }
  if (fact.type === 'message.discarded' || fact.type === 'reasoning.completed')
    return unpreviewed(turn, fact.data.message);
  if (fact.type === 'tool.started') return { ...turn, tools: { ...turn.tools, [fact.data.id]: 'open' } };
  if (fact.type === 'tool.completed') return { ...turn, tools: { ...turn.tools, [fact.data.id]: 'closed' } };
  return turn;
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
