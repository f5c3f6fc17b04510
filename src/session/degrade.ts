/**
 * A session whose warm process failed runs per message for a while, longer each time, and heals (R19). Pure.
 * Owns the back-off and what counts as a failure of the warm process.
 */
import type { TurnFailureCode } from '../protocol/index.ts';
import type { SessionInput } from './inputs.ts';
import type { Fact, SessionState } from './state.ts';

/** Minutes until the next message tries warm again. */
const BACK_OFF_MIN = [1, 5, 25] as const;
const MINUTE_MS = 60_000;

export interface Degraded {
  readonly reason: string;
  /** ISO 8601. */
  readonly until: string;
  /** How many failures in a row, from 1. */
  readonly step: number;
}

/** A start that failed so may do better in a process of one message. Credentials and lost keepers are no fault of being warm. */
const OF_THE_START: ReadonlySet<TurnFailureCode> = new Set([
  'spawn_failed',
  'start_timeout',
  'resume_failed',
]);

export function degradesStart(code: TurnFailureCode): boolean {
  return OF_THE_START.has(code);
}

/** The facts that degrade the session, when its process is a warm one. */
export function degrade(state: SessionState, reason: string, now: number): Fact[] {
  const { runtime } = state;
  if (state.phase === 'closed' || runtime.kind === 'none' || runtime.kind === 'ending') return [];
  if (runtime.perMessage === true) return [];
  const step = nextStep(state.degraded);
  const minutes = BACK_OFF_MIN[step - 1] ?? BACK_OFF_MIN[2];
  const until = new Date(now + minutes * MINUTE_MS).toISOString();
  return [{ type: 'runtime.degraded', data: { reason, until } }];
}

export function nextStep(degraded: Degraded | undefined): number {
  return Math.min((degraded?.step ?? 0) + 1, BACK_OFF_MIN.length);
}

/** Why the session runs per message at `now`; undefined when it does not, or when its time has come. */
export function degradedAt(state: SessionState, now: number): Degraded | undefined {
  const { degraded } = state;
  if (degraded === undefined) return undefined;
  const left = Date.parse(degraded.until) - now;
  // A clock that was set back must not keep a session degraded for longer than the longest back-off.
  return left > 0 && left <= BACK_OFF_MIN[2] * MINUTE_MS ? degraded : undefined;
}

/** The facts that heal it: a warm process completed a turn, or a person stepped in. */
export function healed(state: SessionState, input: SessionInput, facts: readonly Fact[]): Fact[] {
  if (state.degraded === undefined) return [];
  const stepped = input.kind === 'interrupt' && input.by.kind === 'client';
  const { runtime } = state;
  const warm = runtime.kind === 'ready' && runtime.perMessage !== true;
  const worked = warm && facts.some((fact) => fact.type === 'turn.completed');
  return (stepped && facts.length > 0) || worked ? [{ type: 'runtime.restored', data: {} }] : [];
}
