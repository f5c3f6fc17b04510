/**
 * Ends what a session's commands left running in a process that it shared with others: found by a variable that only its commands are given.
 * What the session starts later is not touched: the processes are those that there are now, and what descends from them. Linux only.
 */
import { endStrays } from './ladder.ts';
import type { LadderTimes, ProcessIdentity } from './ports.ts';
import { carrying, descendants, SESSION_MARK, snapshot } from './tree.ts';

/** Looks at once; resolves with what could not be ended. */
export async function endLeftBehind(
  session: string,
  times: LadderTimes,
): Promise<readonly ProcessIdentity[]> {
  const left = carrying(SESSION_MARK, (value) => value === session);
  const more = (living: readonly ProcessIdentity[]): ProcessIdentity[] =>
    descendants(
      snapshot(),
      living.map(({ pid }) => pid),
    );
  return left.length === 0 ? [] : endStrays({ found: left, more }, times);
}
