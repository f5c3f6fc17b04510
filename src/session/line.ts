/**
 * Who is next: turns that wait behind the one that runs, in the queue or as steers, and what becomes of them when it ends. Pure.
 */
import type { By, EventData } from '../protocol/index.ts';
import { endTurn, letGo, startRuntime, startTurn, type Ending } from './endings.ts';
import { evolveAll } from './evolve.ts';
import { holdOf } from './hold.ts';
import { NOTHING, type DecideContext, type Decision } from './inputs.ts';
import type { Fact, SessionState } from './state.ts';
import { tell } from './tuning.ts';

/** What a decision leads to when it has left the session without a turn: the next one that waits, or a process for new settings. */
export function goOn(state: SessionState, first: Decision, context: DecideContext): Decision {
  const due = state.tuning === 'due';
  const waits =
    due || state.queue.length > 0 || state.stale || first.facts.some((fact) => fact.type === '#queue');
  if (context.parked || !waits) return first;
  const after = evolveAll(state, first.facts, context.now);
  if (after.turn.kind !== 'none' || after.phase === 'closed') return first;
  const told = due && after.tuning === 'due' ? tell(after) : NOTHING;
  if (told !== NOTHING) return goOn(state, joined(first, told), context);
  // The end of a background task may wake the agent: what is to be replaced is replaced behind that turn.
  const mayWake = first.facts.some((fact) => fact.type === '#background');
  const next = after.queue.length > 0 ? advance(after, context) : mayWake ? NOTHING : renewed(after);
  if (next === NOTHING) return first;
  // One that ends at once (a limit) makes room for the next.
  return goOn(state, joined(first, next), context);
}

function joined(first: Decision, next: Decision): Decision {
  return { facts: [...first.facts, ...next.facts], effects: [...first.effects, ...next.effects] };
}

function renewed(state: SessionState): Decision {
  const idle = state.runtime.kind === 'ready' && holdOf(state) === undefined;
  return state.stale && idle ? letGo(state, 'replaced') : NOTHING;
}

/** The first of the queue comes to the head; it is begun when there is a process that is ready for it. */
function advance(state: SessionState, context: DecideContext): Decision {
  const [id, ...queue] = state.queue;
  if (id === undefined) return NOTHING;
  const facts: Fact[] = [
    { type: '#queue', queue },
    { type: '#head', id },
  ];
  const begun = begin(evolveAll(state, facts, context.now), id, context);
  return { facts: [...facts, ...begun.facts], effects: begun.effects };
}

/** The turn at the head, `queued`, gets its process; or its ending, when the session may have no more turns. */
export function begin(state: SessionState, id: string, context: DecideContext): Decision {
  const limit = limitOf(state);
  if (limit !== undefined) {
    const ending: Ending = { kind: 'failed', code: 'limit_reached', message: limit, effects: 'none' };
    return { facts: endTurn(state, ending, context), effects: [] };
  }
  switch (state.runtime.kind) {
    case 'none':
      return startRuntime(context);
    case 'starting':
    case 'ending':
      return NOTHING;
    case 'ready': {
      const { perMessage, turns } = state.runtime;
      // One message a process: the next one gets its own.
      if (perMessage === true && turns > 0) return letGo(state, 'closed');
      if (state.stale) return letGo(state, 'replaced');
      // In the settings that its session has, or not yet.
      return state.tuning === undefined ? startTurn(id, state.runtime) : NOTHING;
    }
  }
}

/** Turns that never came to the head end as interrupted. */
export function clearQueue(state: SessionState, by: By, ids: readonly string[] = state.queue): Fact[] {
  return ids.map((turn) => ({ type: 'turn.interrupted', turn, data: { by, durationMs: 0 } }));
}

/** How a message that is accepted now is announced. */
export function announced(
  state: SessionState,
  what: Pick<EventData<'turn.queued'>, 'input' | 'commandId'>,
  steered?: string,
): EventData<'turn.queued'> {
  const before = (state.turn.kind === 'none' ? 0 : 1) + state.queue.length;
  return {
    ...what,
    position: steered === undefined ? before : 0,
    ...(steered === undefined ? {} : { steered }),
  };
}

function limitOf({ spec, spent }: SessionState): string | undefined {
  const { maxTurns, maxCostUsd } = spec.limits ?? {};
  if (maxTurns !== undefined && spent.turns >= maxTurns)
    return `The session has had its ${String(maxTurns)} turns (limits.maxTurns)`;
  if (maxCostUsd !== undefined && spent.costUsd >= maxCostUsd)
    return `The session has cost ${spent.costUsd.toFixed(4)} USD of ${String(maxCostUsd)} (limits.maxCostUsd)`;
  return undefined;
}
