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
  type RuntimeLink,
  type SessionState,
  type Steer,
  type TurnPhase,
} from './state.ts';

const NO_TURN: TurnPhase = { kind: 'none' };

/** The state after a fact. `now` (ms) is when it happened; events also advance `lastSeq`. */
export function evolve(state: SessionState, fact: Fact, now: number): SessionState {
  if (isInternal(fact)) return evolveInternal(state, fact, now);
  const next = evolveEvent(state, fact, now);
  return { ...next, lastSeq: state.lastSeq + 1, lastActivityAt: new Date(now).toISOString() };
}

/** The state after facts that follow each other. */
export function evolveAll(state: SessionState, facts: readonly Fact[], now: number): SessionState {
  return facts.reduce((folded, fact) => evolve(folded, fact, now), state);
}

function evolveInternal(state: SessionState, fact: InternalFact, now: number): SessionState {
  switch (fact.type) {
    case '#runtime-linked':
      return linked(state, fact.link);
    case '#queue':
      // A steer that was missed waits there now.
      return onRunning({ ...state, queue: fact.queue }, (turn) => ({
        ...turn,
        steers: turn.steers.filter((steer) => !fact.queue.includes(steer.id)),
      }));
    case '#head':
      return { ...state, turn: { kind: 'queued', id: fact.id, headAt: now } };
    case '#steer':
      return onRunning(state, (turn) => ({ ...turn, steers: withSteer(turn.steers, fact.steer) }));
    case '#asked':
      return { ...state, asks: [...state.asks, { ...fact.ask, seq: state.lastSeq }] };
    case '#granted':
      return { ...state, granted: [...state.granted, fact.rule] };
    case '#stale':
      return { ...state, stale: fact.stale };
    case '#tuning':
      return tuned(state, fact.tuning);
    case '#agent-session':
      return { ...state, agentSessionId: fact.id };
    case '#spec':
      return { ...state, spec: fact.spec };
    case '#turn-beside':
      return onRunning(state, (turn) => ({ ...turn, beside: fact.beside }));
    case '#turn-received':
      return { ...onRunning(state, (turn) => ({ ...turn, received: true })), conversed: true };
    case '#turn-returned':
      return state.turn.kind === 'running' ? returned(state, state.turn) : state;
    case '#background':
      return state.runtime.kind === 'ready'
        ? { ...state, runtime: { ...state.runtime, tasks: fact.tasks } }
        : state;
    case '#turn-stopping':
      return onRunning(state, (turn) => ({ ...turn, stopping: fact.stopping }));
  }
}

/** What one process was to be told is nothing to another: that one is started with it. */
function linked(state: SessionState, link: RuntimeLink): SessionState {
  const { runtime } = state;
  const same =
    runtime.kind === 'starting' && 'id' in link && link.id === runtime.id && link.kind !== 'ending';
  return { ...(same ? state : tuned(state, undefined)), runtime: link };
}

function tuned(state: SessionState, tuning: SessionState['tuning']): SessionState {
  const { tuning: _, ...rest } = state;
  return tuning === undefined ? rest : { ...rest, tuning };
}

/** What was to go into it never entered the process either. */
function returned(state: SessionState, { id, headAt, steers }: RunningTurn): SessionState {
  return {
    ...state,
    turn: { kind: 'queued', id, headAt },
    queue: [...steers.map((steer) => steer.id), ...state.queue],
  };
}

/** Events that are not named here change nothing but the place in the journal. */
function evolveEvent(state: SessionState, fact: NewEvent, now: number): SessionState {
  if (TURN_ENDINGS.has(fact.type)) return ended(state, fact);
  if (fact.type === 'runtime.degraded')
    return { ...state, degraded: { ...fact.data, step: nextStep(state.degraded) } };
  if (fact.type === 'runtime.restored') {
    const { degraded: _, ...restored } = state;
    return restored;
  }
  if (fact.type === 'session.closed') return { ...state, phase: 'closed' };
  if (fact.type === 'turn.queued')
    return queued(state, fact.turn ?? '', { now, steers: fact.data.steered !== undefined });
  if (fact.type === 'turn.started')
    return started(state, { id: fact.turn ?? '', origin: fact.data.origin }, now);
  if (fact.type === 'permission.resolved')
    return { ...state, asks: state.asks.filter((ask) => ask.id !== fact.data.id) };
  return onRunning(state, (turn) => evolveTurn(turn, fact, now));
}

function queued(
  state: SessionState,
  id: string,
  how: { readonly now: number; readonly steers: boolean },
): SessionState {
  if (state.turn.kind === 'none') return { ...state, turn: { kind: 'queued', id, headAt: how.now } };
  if (!how.steers) return { ...state, queue: [...state.queue, id] };
  const steer = { id, written: false, received: false, taken: false };
  return onRunning(state, (turn) => ({ ...turn, steers: withSteer(turn.steers, steer) }));
}

function withSteer(steers: readonly Steer[], steer: Steer): readonly Steer[] {
  const known = steers.some((one) => one.id === steer.id);
  return known ? steers.map((one) => (one.id === steer.id ? steer : one)) : [...steers, steer];
}

/** The turn itself, or one that waits behind it. */
function ended(state: SessionState, fact: NewEvent): SessionState {
  const id = fact.turn;
  if (state.turn.kind !== 'none' && state.turn.id === id) return { ...spent(state, fact), turn: NO_TURN };
  if (id !== undefined && state.queue.includes(id))
    return { ...state, queue: state.queue.filter((one) => one !== id) };
  return onRunning(state, (turn) => ({ ...turn, steers: turn.steers.filter((one) => one.id !== id) }));
}

function spent(state: SessionState, fact: NewEvent): SessionState {
  const counts = state.turn.kind === 'running' && state.turn.origin === 'user';
  const cost = fact.type === 'turn.completed' || fact.type === 'turn.failed' ? fact.data.costUsd : undefined;
  if (!counts && cost === undefined) return state;
  const { turns, costUsd } = state.spent;
  return { ...state, spent: { turns: turns + (counts ? 1 : 0), costUsd: costUsd + (cost ?? 0) } };
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
  const before = state.turn.kind === 'running' ? state.turn : undefined;
  if (before !== undefined && origin === 'user') {
    const steer = before.steers.find((one) => one.id === id);
    if (steer === undefined) return state;
    return onRunning(state, (running) => ({
      ...running,
      steers: withSteer(running.steers, { ...steer, taken: true }),
    }));
  }
  const headAt = state.turn.kind === 'queued' ? state.turn.headAt : now;
  const runtime =
    state.runtime.kind === 'ready' ? { ...state.runtime, turns: state.runtime.turns + 1 } : state.runtime;
  return {
    ...state,
    runtime,
    turn: {
      kind: 'running',
      id,
      origin,
      headAt,
      received: origin === 'agent',
      tools: {},
      previews: [],
      // The message that was just handed over is not what the agent does now: it runs behind it, or is taken in.
      steers: before === undefined ? [] : [handed(before), ...before.steers],
    },
  };
}

function handed({ id, received }: RunningTurn): Steer {
  return { id, written: true, received, taken: false };
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
