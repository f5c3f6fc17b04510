/**
 * Commits what must be said sooner or later (a start that failed, an end): a full disk or any other fault of the journal delays it, it does
 * not lose it (P1).
 */
import { sleep } from '../async/after.ts';
import { PilotlightError } from '../protocol/index.ts';
import type { Committer, Draft } from '../session/ports.ts';

/** How long to wait before trying again to commit what a full disk refused. */
export const FULL_RETRY_MS = 500;

/** The longest wait between two attempts after a fault that is no full disk. */
const MOST_RETRY_MS = 10_000;

export interface Persistence {
  readonly committer: Committer;
  /** Nobody waits for it any more. */
  readonly given: () => boolean;
  /** Told of every fault that is no full disk. */
  readonly report: (error: unknown) => void;
}

/** Resolves when it is durable, when nobody waits for it any more, or when the journal is closed. Never rejects. */
export async function commitSurely(at: Persistence, decide: (draft: Draft) => void): Promise<void> {
  let wait = FULL_RETRY_MS;
  while (!at.given()) {
    try {
      await at.committer.commit(decide);
      return;
    } catch (error) {
      const code = error instanceof PilotlightError ? error.code : undefined;
      if (code === 'draining') return;
      if (code !== 'journal_full') {
        at.report(error);
        wait = Math.min(wait * 2, MOST_RETRY_MS);
      }
      await sleep(wait);
    }
  }
}

/** As {@link commitSurely}, but only a full disk is waited out: rejects with anything else. */
export async function commitWhenRoom(
  at: Pick<Persistence, 'committer' | 'given'>,
  decide: (draft: Draft) => void,
): Promise<void> {
  while (!at.given()) {
    try {
      await at.committer.commit(decide);
      return;
    } catch (error) {
      if (!(error instanceof PilotlightError) || error.code !== 'journal_full') throw error;
      await sleep(FULL_RETRY_MS);
    }
  }
}
