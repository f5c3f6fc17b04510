/**
 * Ends what a session's commands left running in a process that it shared with others: found by a variable that only its commands are given.
 * What the session starts later is not touched: the processes are those that there are now, and what descends from them. Linux only.
 */
import { readFileSync } from 'node:fs';
import { isAlive, processIdentity } from './identity.ts';
import { endTree } from './ladder.ts';
import type { LadderTimes, ProcessIdentity } from './ports.ts';
import { descendants, SESSION_MARK, snapshot } from './tree.ts';

/** Looks at once; resolves with what could not be ended. */
export async function endLeftBehind(
  session: string,
  times: LadderTimes,
): Promise<readonly ProcessIdentity[]> {
  const seen = new Map<number, ProcessIdentity>();
  for (const pid of snapshot().keys()) {
    const identity = pid !== process.pid && carries(pid, session) ? processIdentity(pid) : undefined;
    if (identity !== undefined) seen.set(pid, identity);
  }
  if (seen.size === 0) return [];
  const living = (): ProcessIdentity[] => [...seen.values()].filter(isAlive);
  return endTree(
    {
      goodbye: () => undefined,
      rootGone: () => true,
      find: () => {
        const roots = living().map(({ pid }) => pid);
        for (const identity of descendants(snapshot(), roots)) seen.set(identity.pid, identity);
        return living();
      },
      living,
    },
    times,
  );
}

function carries(pid: number, session: string): boolean {
  try {
    const variables = readFileSync(`/proc/${String(pid)}/environ`, 'latin1').split('\0');
    return variables.includes(`${SESSION_MARK}=${session}`);
  } catch {
    // Another user's, or gone.
    return false;
  }
}
