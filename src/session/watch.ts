/**
 * The one bound that runs for a session at a moment (P5): which it is follows from the state alone (pure);
 * the timer counts awake time only and belongs to the session's actor.
 */
import { AwakeTimer } from '../async/awake.ts';
import type { WatchName } from './inputs.ts';
import type { SessionState } from './state.ts';

/** ms, from configuration (`runtime.*`). */
export interface WatchLimits {
  readonly echoTimeoutMs: number;
  readonly firstTurnTimeoutMs: number;
  readonly inactivityTimeoutMs: number;
  readonly toolTimeoutMs: number;
  /** For an agent to answer an interrupt, or a change of its settings. */
  readonly interruptTimeoutMs: number;
  /** For a process to be started and greeted. */
  readonly startTimeoutMs: number;
  /** For a process to be gone once its end was asked for: the whole ladder. */
  readonly endTimeoutMs: number;
  /**
   * What a start or an end may take beyond its own bounds before the turn that waits for it fails: the holder of the pipes has 15 s to start
   * a process, the reader 1 s for what is left of its output, the journal its commits.
   */
  readonly handoverTimeoutMs: number;
  /** For a slot in the pool. */
  readonly maxWaitMs: number;
  /** For a person to answer what the agent asks. */
  readonly permissionTimeoutMs: number;
}

export const DEFAULT_WATCH_LIMITS: WatchLimits = {
  echoTimeoutMs: 10_000,
  firstTurnTimeoutMs: 60_000,
  inactivityTimeoutMs: 180_000,
  toolTimeoutMs: 30 * 60_000,
  interruptTimeoutMs: 5_000,
  startTimeoutMs: 60_000,
  endTimeoutMs: 6_000,
  handoverTimeoutMs: 30_000,
  maxWaitMs: 10 * 60_000,
  permissionTimeoutMs: 10 * 60_000,
};

export interface Watch {
  readonly name: WatchName;
  readonly ms: number;
  /** Another key starts the clock again; the same key lets it run. */
  readonly key: string;
  /** Whether output of the agent starts the clock again. */
  readonly byOutput: boolean;
}

/** What is being waited for, or undefined when nothing is. */
export function watchOf(state: SessionState, limits: WatchLimits): Watch | undefined {
  const { turn, runtime } = state;
  // While a turn runs nothing waits for the answer: the turn's own bounds hold.
  if (state.tuning === 'asked' && turn.kind !== 'running' && runtime.kind === 'ready')
    return {
      name: 'settings',
      ms: limits.interruptTimeoutMs,
      key: `settings of ${runtime.id}`,
      byOutput: false,
    };
  if (turn.kind === 'queued') return queuedWatch(turn.id, runtime, limits);
  if (turn.kind !== 'running') return undefined;
  if (turn.stopping !== undefined) {
    const key = `${turn.id} stopping ${turn.stopping.acknowledged ? 'acknowledged' : 'asked'}`;
    return { name: 'interrupt', ms: limits.interruptTimeoutMs, key, byOutput: false };
  }
  // A person is asked: nothing of the agent is waited for.
  const [ask] = state.asks;
  if (ask !== undefined)
    return { name: 'permission', ms: limits.permissionTimeoutMs, key: ask.id, byOutput: false };
  if (!turn.received) {
    const first = runtime.kind !== 'ready' || runtime.turns <= 1;
    const ms = first ? limits.firstTurnTimeoutMs : limits.echoTimeoutMs;
    return { name: 'echo', ms, key: `${turn.id} receipt`, byOutput: false };
  }
  const open = Object.entries(turn.tools).filter(([, phase]) => phase === 'open');
  const newest = open.at(-1);
  if (newest !== undefined)
    return { name: 'tool', ms: limits.toolTimeoutMs, key: `${turn.id} tool ${newest[0]}`, byOutput: false };
  return { name: 'inactivity', ms: limits.inactivityTimeoutMs, key: `${turn.id} output`, byOutput: true };
}

/** A turn that waits for its process. A start that fails is told when its tree is gone; this fires when neither is ever told. */
function queuedWatch(turn: string, runtime: SessionState['runtime'], limits: WatchLimits): Watch {
  if (runtime.kind === 'starting' && runtime.waiting !== undefined) {
    const end = limits.endTimeoutMs + limits.handoverTimeoutMs;
    const ms = runtime.waiting === 'end' ? end : limits.maxWaitMs;
    return { name: 'waiting', ms, key: `${turn} waits for ${runtime.id}`, byOutput: false };
  }
  const start = runtime.kind === 'starting' ? limits.startTimeoutMs : 0;
  const key = `${turn} queued ${runtime.kind === 'none' ? '' : `${runtime.kind} ${runtime.id}`}`;
  const ms = start + limits.endTimeoutMs + limits.handoverTimeoutMs;
  return { name: 'queued', ms, key, byOutput: false };
}

/** Runs the watch of one session. */
export class Watchman {
  readonly #limits: WatchLimits;
  readonly #timer: AwakeTimer;
  #watch: Watch | undefined;

  constructor(limits: WatchLimits, onTimeout: (watch: Watch) => void) {
    this.#limits = limits;
    this.#timer = new AwakeTimer(() => {
      const watch = this.#watch;
      this.#watch = undefined;
      if (watch !== undefined) onTimeout(watch);
    });
  }

  /** The state has changed: the clock follows. */
  follow(state: SessionState): void {
    const next = watchOf(state, this.#limits);
    if (next?.key === this.#watch?.key) return;
    this.#watch = next;
    if (next === undefined) this.#timer.stop();
    else this.#timer.start(next.ms);
  }

  /** The agent printed something. */
  output(): void {
    if (this.#watch?.byOutput === true) this.#timer.touch();
  }

  /** The agent may not print (the disk is full, its reader pauses): the clock starts again. */
  pause(): void {
    this.#timer.touch();
  }

  stop(): void {
    this.#watch = undefined;
    this.#timer.stop();
  }
}
