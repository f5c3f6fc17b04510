/**
 * Ends what a dead holder left: whole trees, found by recorded identity and by our mark. Never signals what this home did not start:
 * a reused pid has another start time, another home another mark.
 */
import { isAlive } from './identity.ts';
import { endStrays } from './ladder.ts';
import type { ProcessIdentity } from './ports.ts';
import { readRecords, removeRecord } from './records.ts';
import { descendants, marked, snapshot } from './tree.ts';

export interface ReapOptions {
  readonly recordDir: string;
  readonly homeId: string;
  /** Runtimes that somebody holds: left alone. */
  readonly keepIds: readonly string[];
}

export interface Reaped {
  readonly ended: readonly ProcessIdentity[];
  readonly stuck: readonly ProcessIdentity[];
}

export async function reapDead(options: ReapOptions): Promise<Reaped> {
  const { recordDir, homeId, keepIds } = options;
  const records = readRecords(recordDir).filter(
    (record) => record.mark.startsWith(`${homeId}/`) && !keepIds.includes(record.id),
  );
  const roots = records.flatMap(({ identity }) => (identity === undefined ? [] : [identity]));
  const found = (): ProcessIdentity[] => {
    const living = roots.filter(isAlive);
    const trees =
      living.length === 0
        ? []
        : descendants(
            snapshot(),
            living.map((identity) => identity.pid),
          );
    const carrying = marked(`${homeId}/`).filter(
      ({ mark }) => !keepIds.includes(mark.slice(homeId.length + 1)),
    );
    const all = new Map([...trees, ...carrying].map(({ pid, startTime }) => [pid, { pid, startTime }]));
    return [...all.values()];
  };
  const before = found();
  if (before.length > 0)
    await endStrays(
      { found: before, more: found },
      { termAfterMs: 0, killAfterMs: 1000, stuckAfterMs: 2000 },
    );
  const stuck = before.filter(isAlive);
  for (const { id, identity } of records)
    if (identity === undefined || !isAlive(identity)) removeRecord(recordDir, id);
  return { ended: before.filter((identity) => !stuck.includes(identity)), stuck };
}
