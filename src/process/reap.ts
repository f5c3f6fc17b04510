/**
 * Ends what a dead holder left: whole trees, found by recorded identity and by our mark. Never signals what this home did not start:
 * a reused pid has another start time, another home another mark.
 */
import { namesOf } from './directory.ts';
import { isAlive, type Stat } from './identity.ts';
import { endStrays } from './ladder.ts';
import type { ProcessIdentity } from './ports.ts';
import { readRecords, removeRecord } from './records.ts';
import { commandLine, descendants, marked, snapshot } from './tree.ts';

export interface ReapOptions {
  readonly recordDir: string;
  readonly homeId: string;
  /** Runtimes that somebody holds: left alone. */
  readonly keepIds: readonly string[];
  /** What agents are kept out of. */
  readonly home: string;
}

export interface Reaped {
  readonly ended: readonly ProcessIdentity[];
  readonly stuck: readonly ProcessIdentity[];
}

export async function reapDead(options: ReapOptions): Promise<Reaped> {
  const { recordDir, homeId, keepIds, home } = options;
  const records = readRecords(recordDir).filter(
    (record) => record.mark.startsWith(`${homeId}/`) && !keepIds.includes(record.id),
  );
  const roots = records.flatMap(({ identity }) => (identity === undefined ? [] : [identity]));
  const names = namesOf(home);
  const found = (): ProcessIdentity[] => {
    const all = roots.length === 0 ? new Map<number, Stat>() : snapshot();
    const trees = descendants(
      all,
      roots.filter(isAlive).map(({ pid }) => pid),
    );
    const helpers = ofTheDead(all, roots, names);
    const carrying = marked(`${homeId}/`).filter(
      ({ mark }) => !keepIds.includes(mark.slice(homeId.length + 1)),
    );
    const found = [...trees, ...helpers, ...carrying];
    return [...new Map(found.map(({ pid, startTime }) => [pid, { pid, startTime }])).values()];
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

/**
 * What a recorded process that is gone left without our mark: a Codex that ends as it starts a sandboxed helper leaves a bwrap that waits for ever (0.169.0). It is of
 * that process's session, whose number nobody else has while it lives. Since a boot, or after all of that session are gone, the number may be another's: so only
 * what is kept out of our home, by a word of its command line.
 */
function ofTheDead(
  all: ReadonlyMap<number, Stat>,
  roots: readonly ProcessIdentity[],
  names: readonly string[],
): ProcessIdentity[] {
  const gone = new Set(roots.flatMap(({ pid }) => (all.has(pid) ? [] : [pid])));
  if (gone.size === 0) return [];
  return [...all.values()].filter(
    ({ pid, session }) => gone.has(session) && commandLine(pid).some((word) => names.includes(word)),
  );
}
