/**
 * Commits what must be said sooner or later (a start that failed, an end): a full disk delays it, it does not lose it.
 */
import { sleep } from '../async/after.ts';
import { PilotlightError } from '../protocol/index.ts';
import type { Committer, Draft } from '../session/ports.ts';

/** How long to wait before trying again to commit what a full disk refused. */
export const FULL_RETRY_MS = 500;

/** Resolves when it is durable, or when `given` says that nobody waits for it any more. Rejects with what is no full disk. */
export async function commitSurely(
  committer: Committer,
  decide: (draft: Draft) => void,
  given: () => boolean,
): Promise<void> {
  while (!given()) {
    try {
      await committer.commit(decide);
      return;
    } catch (error) {
      if (!(error instanceof PilotlightError) || error.code !== 'journal_full') throw error;
      await sleep(FULL_RETRY_MS);
    }
  }
}
