/**
 * How a process tree is ended, written once (R12): goodbye, stdin closed, SIGTERM, SIGKILL, each with time to act, to the whole tree.
 * The only place that knows the last signal. Signals a process only after checking that it is the one that was meant.
 */
import { sleep } from '../async/after.ts';
import { isAlive } from './identity.ts';
import type { LadderTimes, ProcessIdentity } from './ports.ts';

/** How often it is looked whether everything is gone: processes that are not our children tell nobody of their end. */
const LOOK_MS = 20;

export interface Rungs {
  /** Says goodbye to the agent and closes its stdin. */
  readonly goodbye: () => void;
  /** Whether the root process itself is gone: while it goes by itself, nothing is signalled. */
  readonly rootGone: () => boolean;
  /** Everything of the tree that lives now, looked for afresh (a pass over all processes). */
  readonly find: () => readonly ProcessIdentity[];
  /** What of it that was found before still lives (cheap). */
  readonly living: () => readonly ProcessIdentity[];
}

/** Processes that nobody holds: there is nobody to say goodbye to, and no root to wait for. */
export interface Strays {
  readonly found: readonly ProcessIdentity[];
  /** What belongs to them, looked for afresh; `living`: those of all found so far that live. */
  readonly more: (living: readonly ProcessIdentity[]) => readonly ProcessIdentity[];
}

/** Ends them with all that is found meanwhile; resolves with what could not be ended. */
export function endStrays(strays: Strays, times: LadderTimes): Promise<readonly ProcessIdentity[]> {
  const seen = new Map(strays.found.map((identity) => [identity.pid, identity]));
  const living = (): ProcessIdentity[] => [...seen.values()].filter(isAlive);
  const find = (): ProcessIdentity[] => {
    for (const identity of strays.more(living())) seen.set(identity.pid, identity);
    return living();
  };
  return endTree({ goodbye: () => undefined, rootGone: () => true, find, living }, times);
}

/** Ends the tree; resolves with what could not be ended (empty when all is gone). */
export async function endTree(rungs: Rungs, times: LadderTimes): Promise<readonly ProcessIdentity[]> {
  rungs.goodbye();
  await until(() => rungs.rootGone(), times.termAfterMs);
  for (const { signal, ms } of [
    { signal: 'SIGTERM', ms: times.killAfterMs },
    { signal: 'SIGKILL', ms: times.stuckAfterMs },
  ] as const) {
    const deadline = performance.now() + ms;
    // Looked for again after each wait: what was forked between looking and signalling is found by the next look.
    for (let left = rungs.find(); ; left = rungs.find()) {
      if (left.length === 0) return [];
      signalAll(left, signal);
      const rest = deadline - performance.now();
      if (rest <= 0) break;
      await until(() => rungs.living().length === 0, rest);
    }
  }
  return rungs.find();
}

/** Ends one process by SIGTERM and, when it does not go, by SIGKILL; a stopped one too. Resolves with whether it is gone. */
export async function endProcess(
  identity: ProcessIdentity,
  times: { readonly killAfterMs: number } = { killAfterMs: 1000 },
): Promise<boolean> {
  signalAll([identity], 'SIGTERM');
  if (await until(() => !isAlive(identity), times.killAfterMs)) return true;
  signalAll([identity], 'SIGKILL');
  return until(() => !isAlive(identity), 5000);
}

/** Resolves with whether the process is gone. */
export function waitUntilGone(identity: ProcessIdentity, ms: number): Promise<boolean> {
  return until(() => !isAlive(identity), ms);
}

function signalAll(identities: readonly ProcessIdentity[], signal: 'SIGTERM' | 'SIGKILL'): void {
  for (const identity of identities) {
    if (!isAlive(identity)) continue;
    try {
      process.kill(identity.pid, signal);
    } catch {
      // Gone between looking and signalling, or not ours to signal: the next look tells.
    }
  }
}

async function until(done: () => boolean, ms: number): Promise<boolean> {
  const deadline = performance.now() + ms;
  for (;;) {
    if (done()) return true;
    if (performance.now() >= deadline) return false;
    await sleep(LOOK_MS);
  }
}
