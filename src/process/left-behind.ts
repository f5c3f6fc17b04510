/**
 * Ends what a session's commands left running in a process that it shared with others: found by a variable that only its commands are given.
 * What the session starts later is not touched: the processes are those that there are now, and what descends from them. Linux only.
 */
import { endStrays } from './ladder.ts';
import type { LadderTimes, ProcessIdentity } from './ports.ts';
import { carrying, descendants, environ, MARK, SESSION_MARK, snapshot } from './tree.ts';

export interface LeftBehind {
  /** Whether what a command of this session left is meant. */
  readonly whose: (session: string) => boolean;
  /** Only what carries the mark of this process, too. */
  readonly mark?: string;
}

/** Looks at once; resolves with what could not be ended. */
export async function endLeftBehind(
  { whose, mark }: LeftBehind,
  times: LadderTimes,
): Promise<readonly ProcessIdentity[]> {
  const left = carrying(SESSION_MARK, whose).filter(
    ({ pid }) => mark === undefined || environ(pid).includes(`${MARK}=${mark}`),
  );
  const more = (living: readonly ProcessIdentity[]): ProcessIdentity[] =>
    descendants(
      snapshot(),
      living.map(({ pid }) => pid),
    );
  return left.length === 0 ? [] : endStrays({ found: left, more }, times);
}
