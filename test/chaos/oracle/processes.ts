/** P6: nothing of ours is left, and nothing that is not ours was touched. */
import type { History, Violation } from './history.ts';

export function processViolations({ left, decoys }: History): Violation[] {
  return [
    ...left.map(({ pid, command }) => `process ${String(pid)} is left: ${command}`),
    ...decoys
      .filter(({ alive, signals }) => !alive || signals.length > 0)
      .map(({ pid, what, signals }) =>
        signals.length > 0
          ? `${what} (${String(pid)}) got ${signals.join(', ')}`
          : `${what} (${String(pid)}) was ended`,
      ),
  ].map((what) => ({ promise: 'P6', what }));
}
