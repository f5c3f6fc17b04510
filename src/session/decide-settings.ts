/**
 * What a session decides when its settings change, and when its agent has answered to that, or has not. Pure.
 * Whatever goes wrong with telling the process that runs ends in a process that is started with the new settings: what that one does is the answer.
 */
import type { NewEvent } from '../protocol/index.ts';
import { evolveAll } from './evolve.ts';
import { NOTHING, type DecideContext, type Decision, type SessionInput } from './inputs.ts';
import { begin } from './line.ts';
import type { AgentSignal } from './ports.ts';
import type { Fact, SessionState } from './state.ts';
import { outdated, tell } from './tuning.ts';

export function decideUpdate(
  state: SessionState,
  input: Extract<SessionInput, { kind: 'update' }>,
  context: DecideContext,
): Decision {
  const facts: Fact[] = [
    { type: '#spec', spec: input.spec },
    { type: 'session.updated', data: { ...input.changed } },
  ];
  const after = evolveAll(state, facts, context.now);
  const next =
    input.process === 'replace' ? outdated(after) : input.process === 'tell' ? tell(after) : NOTHING;
  return { facts: [...facts, ...next.facts], effects: next.effects };
}

/** The agent goes by the new settings, or cannot. A turn that waited for that begins. */
export function settingsAnswered(
  state: SessionState,
  signal: Extract<AgentSignal, { kind: 'settings' }>,
  context: DecideContext,
): Decision {
  if (signal.how === 'refused') return notTaken(state, signal.message, context);
  if (state.tuning !== 'asked') return NOTHING;
  return goOnWith(state, { facts: [{ type: '#tuning', tuning: undefined }], effects: [] }, context);
}

/** `why`: a sentence without its full stop. */
export function notTaken(state: SessionState, why: string, context: DecideContext): Decision {
  const message = `${why}; its process is replaced by one with the new settings`;
  const said: NewEvent = { type: 'notice', data: { level: 'info', code: 'settings_not_taken', message } };
  const facts: Fact[] = [said, { type: '#tuning', tuning: undefined }];
  const gone = outdated(evolveAll(state, facts, context.now));
  return goOnWith(state, { facts: [...facts, ...gone.facts], effects: gone.effects }, context);
}

function goOnWith(state: SessionState, first: Decision, context: DecideContext): Decision {
  if (state.turn.kind !== 'queued') return first;
  const begun = begin(evolveAll(state, first.facts, context.now), state.turn.id, context);
  return { facts: [...first.facts, ...begun.facts], effects: [...first.effects, ...begun.effects] };
}
