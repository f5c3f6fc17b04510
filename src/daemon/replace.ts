/**
 * Ends a daemon that holds the lock and does not answer (`start --replace`): only after its identity is checked, only its own process.
 * Its agents go on: they are the keeper's.
 */
import { readFileSync } from 'node:fs';
import { endProcess, isAlive, type ProcessIdentity } from '../process/index.ts';
import { PilotlightError } from '../protocol/index.ts';
import type { Home } from './home.ts';

export async function replaceDaemon(home: Home): Promise<void> {
  const identity = recorded(home.daemonFile);
  if (identity === undefined || !isAlive(identity)) return;
  if (!(await endProcess(identity)))
    throw new PilotlightError('journal_locked', `The daemon ${String(identity.pid)} could not be ended`, {
      fix: `End process ${String(identity.pid)} by hand.`,
      detail: { pid: identity.pid },
    });
}

/** The process that daemon.json names; undefined when there is none or it is no such file. */
export function recorded(file: string): ProcessIdentity | undefined {
  try {
    const parsed: unknown = JSON.parse(readFileSync(file, 'utf8'));
    if (typeof parsed !== 'object' || parsed === null || !('pid' in parsed) || !('startTime' in parsed))
      return undefined;
    const { pid, startTime } = parsed;
    return typeof pid === 'number' && typeof startTime === 'string' ? { pid, startTime } : undefined;
  } catch {
    return undefined;
  }
}
