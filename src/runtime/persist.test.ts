import { expect, test } from 'vitest';
import { PilotlightError } from '../protocol/index.ts';
import type { Committer, Draft } from '../session/ports.ts';
import { commitSurely, commitWhenRoom } from './persist.ts';

/** Refuses as told, then takes. */
function committer(...refusals: readonly Error[]): Committer & { taken: number } {
  const left = [...refusals];
  return {
    taken: 0,
    async commit(decide) {
      const refusal = left.shift();
      if (refusal !== undefined) throw refusal;
      this.taken += 1;
      return decide({} as Draft);
    },
  };
}

const io = new PilotlightError('journal_unusable', 'disk I/O error');
const full = new PilotlightError('journal_full', 'full');
const closed = new PilotlightError('draining', 'closed');

test('a fault of the journal that is no full disk delays what must be said and does not lose it', async () => {
  const journal = committer(io, full);
  const reported: unknown[] = [];
  await commitSurely(
    { committer: journal, given: () => false, report: (error) => reported.push(error) },
    () => undefined,
  );
  expect(journal.taken).toBe(1);
  expect(reported).toEqual([io]);
});

test('a journal that is closed ends the wait', async () => {
  const journal = committer(closed);
  await commitSurely({ committer: journal, given: () => false, report: () => undefined }, () => undefined);
  expect(journal.taken).toBe(0);
});

test('what only waits for room rejects with any other fault', async () => {
  const journal = committer(full, io);
  await expect(commitWhenRoom({ committer: journal, given: () => false }, () => undefined)).rejects.toBe(io);
});
