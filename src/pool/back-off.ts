/**
 * How long the next process of a domain waits after the one before it failed. Pure.
 * The first restart is at once; a process that lived for a while starts the count anew.
 */

const LONGEST_MS = 30_000;
/** A process that lived for so long was no failure of the domain. */
const HEALTHY_MS = 60_000;

export interface Failures {
  readonly count: number;
  /** When the last of them was, on one clock with `now`. */
  readonly at: number;
}

export function failedAgain(
  before: Failures | undefined,
  process: { readonly now: number; readonly livedMs: number },
): Failures {
  const fresh = before === undefined || process.livedMs >= HEALTHY_MS;
  return { count: fresh ? 1 : before.count + 1, at: process.now };
}

/** ms from `now`: 0, 1, 2, 4 … 30 s after the failure. */
export function backOffMs(failures: Failures | undefined, now: number): number {
  if (failures === undefined || failures.count <= 1) return 0;
  const wait = Math.min(LONGEST_MS, 1000 * 2 ** (failures.count - 2));
  return Math.max(0, failures.at + wait - now);
}
