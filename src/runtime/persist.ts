/**
 * Commits what must be said sooner or later (a start that failed, an end): a full disk or any other fault of the journal delays it, it does
 * not lose it (P1).
 */
import { sleep } from '../async/after.ts';
import { PilotlightError, type ErrorCode } from '../protocol/index.ts';
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
  await commitUntil(at, decide, (error) => {
    if (isCode(error, 'draining')) return undefined;
    if (!isCode(error, 'journal_full')) {
      at.report(error);
      wait = Math.min(wait * 2, MOST_RETRY_MS);
    }
    return wait;
  });
}

/** As {@link commitSurely}, but only a full disk is waited out: rejects with anything else. */
export async function commitWhenRoom(
  at: Pick<Persistence, 'committer' | 'given'>,
  decide: (draft: Draft) => void,
): Promise<void> {
  await commitUntil(at, decide, (error) => {
    if (!isCode(error, 'journal_full')) throw error;
    return FULL_RETRY_MS;
  });
}

/** `refused` says how long to wait before the next attempt; undefined: there is none. */
async function commitUntil(
  at: Pick<Persistence, 'committer' | 'given'>,
  decide: (draft: Draft) => void,
  refused: (error: unknown) => number | undefined,
): Promise<void> {
  while (!at.given()) {
    try {
      await at.committer.commit(decide);
      return;
    } catch (error) {
      const wait = refused(error);
      if (wait === undefined) return;
      await sleep(wait);
    }
  }
}

function isCode(error: unknown, code: ErrorCode): boolean {
  return error instanceof PilotlightError && error.code === code;
}
