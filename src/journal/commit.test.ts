import { statSync } from 'node:fs';
import { expect, test } from 'vitest';
import { JournalHome, NOW, record, seqsOf, turnRow, write } from '../../test/support/journal-home.ts';
import { openJournal } from './index.ts';
import { SqliteJournal } from './journal.ts';
import { openDatabase } from './open.ts';

test('units of one turn of the loop go into one transaction, in order', async () => {
  using home = new JournalHome();
  await using journal = await openJournal(home.options);
  const said: string[] = [];
  const unit = (name: string, range: readonly [number, number]) =>
    journal
      .commit((draft) => {
        said.push(`decide ${name}`);
        write(draft, 'ses_a', range);
        draft.afterCommit(() => {
          said.push(`after ${name}: ${String(journal.events('ses_a', 0, 10).events.length)}`);
        });
        return name;
      })
      .then((name) => said.push(`done ${name}`));
  await Promise.all([unit('one', [1, 2]), unit('two', [3, 3])]);
  expect(said).toEqual(['decide one', 'decide two', 'after one: 3', 'after two: 3', 'done one', 'done two']);
  expect(seqsOf(journal.events('ses_a', 0, 10))).toEqual([1, 2, 3]);
});

test('a unit that throws leaves nothing; its rollbacks run newest first; the others are kept', async () => {
  using home = new JournalHome();
  await using journal = await openJournal(home.options);
  const undone: string[] = [];
  const results = await Promise.allSettled([
    journal.commit((draft) => {
      write(draft, 'ses_a', [1, 1]);
    }),
    journal.commit((draft) => {
      draft.onRollback(() => undone.push('first'));
      draft.onRollback(() => undone.push('second'));
      draft.afterCommit(() => undone.push('never'));
      write(draft, 'ses_a', [2, 2]);
      throw new Error('no');
    }),
    journal.commit((draft) => {
      write(draft, 'ses_a', [2, 2]);
    }),
  ]);
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  expect(undone).toEqual(['second', 'first']);
  expect(seqsOf(journal.events('ses_a', 0, 10))).toEqual([1, 2]);
});

test.each([
  ['a hole', 'ses_a', 3],
  ['a repetition', 'ses_a', 1],
  ['an event of no session', 'ses_none', 2],
])('%s is refused before it is written', async (_, session, seq) => {
  using home = new JournalHome();
  await using journal = await openJournal(home.options);
  await journal.commit((draft) => {
    write(draft, 'ses_a', [1, 1]);
  });
  const refused = journal.commit((draft) => {
    draft.event({ session, seq, time: NOW, type: 'runtime.restored', data: {} });
  });
  await expect(refused).rejects.toMatchObject({ code: 'internal' });
  expect(journal.status().events).toBe(1);
});

test('an act that throws is heard of and stops nothing', async () => {
  using home = new JournalHome();
  const heard: unknown[] = [];
  await using journal = await openJournal({ ...home.options, onError: (error) => heard.push(error) });
  const error = new Error('act');
  const value = await journal.commit((draft) => {
    draft.afterCommit(() => {
      throw error;
    });
    draft.afterCommit(() => heard.push('next'));
    return 7;
  });
  expect(value).toBe(7);
  expect(heard).toEqual([error, 'next']);
});

test('a full disk rejects everything of that commit, and the next one with room succeeds', async () => {
  using home = new JournalHome();
  const opened = await openDatabase(home.path, 200);
  await using journal = new SqliteJournal(opened, home.options);
  await journal.commit((draft) => {
    write(draft, 'ses_a', [1, 1]);
  });
  const pages = journal.status().bytes / 4096;
  opened.db.exec(`PRAGMA max_page_count = ${String(Math.ceil(pages))}`);
  const undone: string[] = [];
  const big = (name: string, seq: number) =>
    journal.commit((draft) => {
      draft.onRollback(() => undone.push(`${name} 1`));
      draft.onRollback(() => undone.push(`${name} 2`));
      draft.syncToDisk();
      write(draft, 'ses_a', [seq, seq], 'z'.repeat(1_000_000));
    });
  const results = await Promise.allSettled([big('one', 2), big('two', 3)]);
  expect(results).toMatchObject([
    { status: 'rejected', reason: { code: 'journal_full' } },
    { status: 'rejected', reason: { code: 'journal_full' } },
  ]);
  expect(undone).toEqual(['two 2', 'two 1', 'one 2', 'one 1']);
  expect(journal.status()).toMatchObject({ full: true, events: 1 });
  opened.db.exec('PRAGMA max_page_count = 1000000');
  await big('three', 2);
  expect(journal.status()).toMatchObject({ full: false, events: 2 });
  expect(seqsOf(journal.events('ses_a', 0, 10))).toEqual([1, 2]);
  expect(journal.allEvents(0, 10).events.map(({ cursor }) => cursor)).toEqual([1, 2]);
});

test('every kind of row comes back as it was, also from the file', async () => {
  using home = new JournalHome();
  const runtime = {
    id: 'rt_1',
    agent: 'claude',
    sessions: ['ses_a'],
    phase: 'ready' as const,
    pid: 7,
    startedAt: NOW,
    kind: 'warm' as const,
    offset: 12,
    lastWrite: 2,
    state: { v: 1 },
    lines: 1,
    chunks: 2,
  };
  const answer = {
    scope: 'token POST',
    key: 'k',
    bodyHash: 'h',
    status: 201,
    answer: { id: 1 },
    keep: 'ses_a',
  };
  const turn = turnRow('trn_1', 'ses_a');
  const first = await openJournal(home.options);
  await first.commit((draft) => {
    write(draft, 'ses_a', [1, 1]);
    draft.session(record('ses_a', { lastSeq: 1, state: { deep: [1] } }));
    draft.session(record('ses_b', { closed: true }));
    draft.turn(turn);
    draft.turn(turnRow('trn_2', 'ses_a', { seq: 2 }));
    draft.runtime(runtime);
    draft.runtime({ ...runtime, id: 'rt_2' });
    for (const n of [1, 2, 3]) draft.outbox({ runtime: 'rt_1', n, kind: 'say', ref: { turn: n } });
    draft.outbox({ runtime: 'rt_2', n: 1, kind: 'say', ref: null });
    draft.confirmed('rt_1', 2);
    draft.dropRuntime('rt_2');
    draft.idempotency(answer);
  });
  await first.close();
  await using journal = await openJournal(home.options);
  expect(journal.session('ses_a')).toEqual(record('ses_a', { lastSeq: 1, state: { deep: [1] } }));
  expect(journal.sessions({}).map(({ id }) => id)).toEqual(['ses_a', 'ses_b']);
  expect(journal.sessions({ closed: false }).map(({ id }) => id)).toEqual(['ses_a']);
  expect(journal.sessions({ after: 'ses_a', limit: 1 }).map(({ id }) => id)).toEqual(['ses_b']);
  expect(journal.turn('trn_1')).toEqual(turn);
  expect(journal.turns('ses_a', { after: 'trn_1' }).map(({ id }) => id)).toEqual(['trn_2']);
  expect(journal.turns('ses_a', { limit: 1 }).map(({ id }) => id)).toEqual(['trn_1']);
  expect(journal.runtimes()).toEqual([runtime]);
  expect(journal.outboxOf('rt_1')).toEqual([{ runtime: 'rt_1', n: 3, kind: 'say', ref: { turn: 3 } }]);
  expect(journal.outboxOf('rt_2')).toEqual([]);
  expect(journal.idempotency('token POST', 'k')).toEqual(answer);
  expect(journal.idempotency('token POST', 'other')).toBeUndefined();
  expect(JSON.parse(journal.events('ses_a', 0, 1).events[0]!.json)).toEqual({
    session: 'ses_a',
    seq: 1,
    time: NOW,
    type: 'notice',
    data: { level: 'info', code: 'test', message: 'x' },
  });
  expect(statSync(home.path).mode & 0o777).toBe(0o600);
});

test('close commits what is queued and lets nothing more in', async () => {
  using home = new JournalHome();
  const journal = await openJournal(home.options);
  const queued = journal.commit((draft) => {
    write(draft, 'ses_a', [1, 1]);
  });
  const closed = Promise.all([journal.close(), journal.close()]);
  await expect(journal.commit(() => 1)).rejects.toMatchObject({ code: 'draining' });
  await Promise.all([queued, closed]);
  expect(() => journal.session('ses_a')).toThrow(expect.objectContaining({ code: 'draining' }));
  await using again = await openJournal(home.options);
  expect(again.status().events).toBe(1);
  expect(again).toMatchObject({ homeId: journal.homeId, epoch: journal.epoch, generation: 2 });
});

test('a journal without a path is in memory', async () => {
  await using journal = await openJournal({ path: undefined, keepDays: 1, maxMb: 1, lockTimeoutMs: 0 });
  await journal.commit((draft) => {
    write(draft, 'ses_a', [1, 3]);
    draft.syncToDisk();
  });
  expect(seqsOf(journal.events('ses_a', 1, 10))).toEqual([2, 3]);
});
