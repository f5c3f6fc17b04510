/**
 * What a session decides about its place in the pool: what its process was granted, whether it lets the process go, and when a process of one
 * message has done its work. Pure. Who gets what is the pool's to say; that nothing in use is taken away is decided here, in the session's own order.
 */
import { TURN_ENDINGS } from '../protocol/index.ts';
import { healed } from './degrade.ts';
import { endTurn, letGo, startRuntime } from './endings.ts';
import { evolveAll } from './evolve.ts';
import { holdOf } from './hold.ts';
import { NOTHING, type DecideContext, type Decision, type SessionInput } from './inputs.ts';
import { isInternal, type Fact, type RuntimeLink, type SessionState } from './state.ts';

type SlotInput = Extract<SessionInput, { kind: 'slot' | 'no-slot' | 'unload' | 'warm' }>;
type Of<K extends SlotInput['kind']> = Extract<SlotInput, { kind: K }>;

export function decideSlot(state: SessionState, input: SlotInput, context: DecideContext): Decision {
  switch (input.kind) {
    case 'slot':
      return placed(state, input);
    case 'no-slot':
      return turnedAway(state, input, context);
    case 'unload':
      return unload(state, input);
    case 'warm':
      if (state.phase === 'closed' || state.runtime.kind !== 'none' || state.turn.kind !== 'none')
        return NOTHING;
      return startRuntime(context);
  }
}

/** Its process waits, may start, or will have one message only. */
function placed(state: SessionState, input: Of<'slot'>): Decision {
  if (state.runtime.kind !== 'starting' || state.runtime.id !== input.runtime) return NOTHING;
  const { perMessage, waiting, words } = input;
  if (input.unwanted === true && state.turn.kind === 'none') return letGo(state, 'closed');
  const link: RuntimeLink = {
    kind: 'starting',
    id: input.runtime,
    ...(perMessage ? { perMessage } : {}),
    ...(waiting === undefined ? {} : { waiting }),
  };
  const facts: Fact[] = [{ type: '#runtime-linked', link }];
  if (words !== undefined && state.turn.kind === 'queued')
    facts.push({
      type: 'notice',
      turn: state.turn.id,
      data:
        waiting === undefined
          ? { level: 'info', code: 'pool_per_message', message: words }
          : { level: 'warning', code: 'pool_waiting', message: words },
    });
  return { facts, effects: [] };
}

/** P5: nobody waits for ever, and there are no more processes than there may be. */
function turnedAway(state: SessionState, input: Of<'no-slot'>, context: DecideContext): Decision {
  if (state.runtime.kind !== 'starting' || state.runtime.id !== input.runtime) return NOTHING;
  const message = `No process could be had in time (pool.maxWaitMs): ${input.words}`;
  const gone = letGo(state, 'closed');
  const ending = { kind: 'failed', code: 'limit_reached', message, effects: 'none' } as const;
  return { facts: [...endTurn(state, ending, context), ...gone.facts], effects: gone.effects };
}

/** P7: the process goes only when it is really idle; the reason is an event. */
function unload(state: SessionState, input: Of<'unload'>): Decision {
  if (state.runtime.kind !== 'ready') return NOTHING;
  const hold = holdOf(state);
  if (hold !== undefined && !(hold.kind === 'background' && input.despiteBackground)) return NOTHING;
  const gone = letGo(state, input.reason);
  const message = `The process of ${state.spec.agent} is ended: ${input.words}. The next message brings the session back.`;
  return {
    facts: [
      { type: 'notice', data: { level: 'info', code: `runtime_${input.reason}`, message } },
      ...gone.facts,
    ],
    effects: gone.effects,
  };
}

/**
 * What follows from any decision: a process of one message is let go with the end of its turn (background tasks that go on, or have ended and may
 * wake the agent, are waited for by the pool), and a session that was degraded is
 * healed by a turn that a warm process completed, or by a person who interrupts.
 */
export function settle(
  state: SessionState,
  what: { readonly input: SessionInput; readonly decision: Decision },
  context: DecideContext,
): Decision {
  const { input, decision } = what;
  const restored = healed(state, input, decision.facts);
  const facts = [...decision.facts, ...restored];
  const { effects } = decision;
  if (!mayBeDone(state, decision.facts)) return restored.length === 0 ? decision : { facts, effects };
  const next = evolveAll(state, facts, context.now);
  const { runtime } = next;
  const done = runtime.kind === 'ready' && runtime.perMessage === true && next.turn.kind === 'none';
  if (!done || holdOf(next) !== undefined) return { facts, effects };
  const gone = letGo(next, 'closed');
  return { facts: [...facts, ...gone.facts], effects: [...effects, ...gone.effects] };
}

function mayBeDone(state: SessionState, facts: readonly Fact[]): boolean {
  const { runtime } = state;
  if (runtime.kind !== 'starting' && runtime.kind !== 'ready') return false;
  return facts.some((fact) =>
    isInternal(fact) ? fact.type === '#runtime-linked' : TURN_ENDINGS.has(fact.type),
  );
}
