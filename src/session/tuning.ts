/**
 * What becomes of a process whose session's settings have changed: it is told of them, or replaced by one that is started with them. Pure.
 * Knows nothing of which settings an agent takes while it runs: the agent says so.
 */
import { letGo } from './endings.ts';
import { holdOf } from './hold.ts';
import { NOTHING, type Decision } from './inputs.ts';
import type { SessionSpec } from './ports.ts';
import type { Fact, SessionState } from './state.ts';

export function isReadOnly({ readOnly, mode }: SessionSpec): boolean {
  return readOnly !== undefined || mode === 'readOnly';
}

/** The mode that the agent is to be in: read-only wins. */
export function modeOf({ readOnly, mode }: SessionSpec): SessionSpec['mode'] {
  return readOnly === undefined ? mode : 'readOnly';
}

/**
 * The process is told what to go by from now on: at once, also in a turn, but not before it can be spoken to, nor while it is being interrupted.
 * One that is to be replaced anyway is not.
 */
export function tell(state: SessionState): Decision {
  const { runtime, turn, spec, tuning, stale } = state;
  if (stale || runtime.kind === 'none' || runtime.kind === 'ending') return NOTHING;
  if (runtime.kind === 'starting' || (turn.kind === 'running' && turn.stopping !== undefined))
    return tuning === 'due' ? NOTHING : { facts: [{ type: '#tuning', tuning: 'due' }], effects: [] };
  const model = spec.model === undefined ? {} : { model: spec.model };
  return {
    facts: [{ type: '#tuning', tuning: 'asked' }],
    effects: [{ kind: 'say', command: { kind: 'settings', mode: modeOf(spec), ...model } }],
  };
}

/** It cannot go by them: it is replaced between turns, and not while something of it runs in the background. */
export function outdated(state: SessionState): Decision {
  if (state.runtime.kind === 'none') return NOTHING;
  const stale: Fact = { type: '#stale', stale: true };
  if (state.runtime.kind !== 'ready' || holdOf(state) !== undefined) return { facts: [stale], effects: [] };
  const gone = letGo(state, 'replaced');
  return { facts: [stale, ...gone.facts], effects: gone.effects };
}
