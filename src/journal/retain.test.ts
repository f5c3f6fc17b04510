import { expect, test } from 'vitest';
import {
  delta,
  JournalHome,
  NOW,
  Reader,
  record,
  seqsOf,
  turnRow,
  write,
} from '../../test/support/journal-home.ts';
import { openJournal, type OpenJournal } from './index.ts';

const DAY = 86_400_000;
const LATER = Date.parse(NOW) + 31 * DAY;

/** queued, deltas but for one, ended. */
async function oneTurn(journal: OpenJournal, session: string, state: 'running' | 'completed'): Promise<void> {
  await journal.commit((draft) => {
    const turn = `trn_${session}`;
    write(draft, session, [1, 1]);
    for (const seq of [2, 3, 5, 6]) {
      if (seq === 5) write(draft, session, [4, 4]);
      delta(draft, { session, seq, turn });
    }
    write(draft, session, [7, 7]);
    const ended = state === 'completed' ? { endSeq: 7, endedAt: NOW } : {};
    draft.turn(turnRow(turn, session, { state, ...ended }));
  });
}

test('old deltas of ended turns go first and leave gaps; an open turn keeps everything', async () => {
  using home = new JournalHome();
  await using journal = await openJournal(home.options);
  await oneTurn(journal, 'ses_a', 'completed');
  await oneTurn(journal, 'ses_b', 'running');
  await journal.commit((draft) => {
    draft.session(record('ses_a', { lastActivityAt: new Date(LATER).toISOString() }));
  });
  const report = await journal.retain(LATER);
  expect(report).toMatchObject({ events: 4, turns: 1, sessions: 0 });
  const page = journal.events('ses_a', 0, 100);
  expect(seqsOf(page)).toEqual([1, 4, 7]);
  expect(page.gaps).toEqual([
    { session: 'ses_a', from: 2, to: 3, reason: 'retention' },
    { session: 'ses_a', from: 5, to: 6, reason: 'retention' },
  ]);
  expect(journal.events('ses_a', 2, 1)).toMatchObject({
    events: [{ seq: 4 }],
    next: 4,
    gaps: [{ from: 3, to: 3 }],
  });
  expect(journal.events('ses_a', 4, 1)).toMatchObject({ events: [{ seq: 7 }], gaps: [{ from: 5, to: 6 }] });
  expect(journal.events('ses_a', 4, 1).next).toBeUndefined();
  expect(seqsOf(journal.events('ses_b', 0, 100))).toEqual([1, 2, 3, 4, 5, 6, 7]);
  expect(journal.status().events).toBe(10);
  expect((await new Reader(journal, 'ses_a').until('live 7')).words).toEqual([
    '1',
    '2-3',
    '4',
    '5-6',
    '7',
    'live 7',
  ]);
  expect((await new Reader(journal, undefined).until('live 14')).words.slice(0, 5)).toEqual([
    '1',
    '2-3',
    '4',
    '5-6',
    '7',
  ]);
});

test('whole old sessions go next, as one gap each; seqs and cursors go on behind it', async () => {
  using home = new JournalHome();
  const first = await openJournal(home.options);
  await first.commit((draft) => {
    write(draft, 'ses_b', [1, 1]);
  });
  await oneTurn(first, 'ses_a', 'completed');
  await first.retain(LATER - 10 * DAY);
  expect(await first.retain(LATER)).toMatchObject({ events: 8, sessions: 2 });
  await first.close();
  await using journal = await openJournal(home.options);
  expect(journal.events('ses_a', 0, 10)).toEqual({
    events: [],
    through: 7,
    gaps: [{ session: 'ses_a', from: 1, to: 7, reason: 'retention' }],
  });
  expect(journal.turn('trn_ses_a')).toBeUndefined();
  expect(journal.session('ses_a')).toMatchObject({ lastSeq: 7 });
  await journal.commit((draft) => {
    write(draft, 'ses_a', [8, 8]);
  });
  expect(journal.allEvents(0, 10).events).toMatchObject([{ cursor: 9, session: 'ses_a', seq: 8 }]);
  expect((await new Reader(journal, 'ses_a', 3).until('live 8')).words).toEqual(['4-7', '8', 'live 8']);
  expect(journal.status().events).toBe(1);
});

test('too much: deltas of any age, then the oldest sessions, until it fits; the file gets smaller', async () => {
  using home = new JournalHome();
  await using journal = await openJournal({ ...home.options, maxMb: 12 });
  for (let at = 0; at < 20; at += 1) {
    const session = `ses_${String(at).padStart(2, '0')}`;
    await journal.commit((draft) => {
      draft.session(record(session, { lastActivityAt: new Date(Date.parse(NOW) + at).toISOString() }));
      for (let seq = 1; seq <= 20; seq += 1)
        draft.event({
          session,
          seq,
          time: NOW,
          type: 'message.completed',
          data: { message: 'm', text: 'a'.repeat(100_000) },
        });
    });
  }
  let turned = 0;
  const count = setInterval(() => (turned += 1), 0);
  const report = await journal.retain(Date.parse(NOW) + DAY);
  clearInterval(count);
  expect(report.bytesBefore).toBeGreaterThan(40e6);
  expect(report.sessions).toBeGreaterThan(10);
  expect(turned).toBeGreaterThan(3);
  expect(journal.events('ses_00', 0, 100)).toMatchObject({ events: [], gaps: [{ from: 1, to: 20 }] });
  expect(journal.events('ses_19', 0, 100).events).toHaveLength(20);
  expect(journal.status().events).toBe(400 - report.events);
});

test('a stored answer stays while what it speaks of exists, and for a day', async () => {
  using home = new JournalHome();
  await using journal = await openJournal(home.options);
  const keep = (key: string, of: string) =>
    journal.commit((draft) => {
      draft.idempotency({ scope: 's', key, bodyHash: 'h', status: 200, answer: {}, keep: of });
    });
  await oneTurn(journal, 'ses_a', 'completed');
  await Promise.all([keep('turn', 'trn_ses_a'), keep('session', 'ses_a'), keep('gone', 'trn_none')]);
  const kept = (): string[] =>
    ['turn', 'session', 'gone'].filter((key) => journal.idempotency('s', key) !== undefined);
  await journal.retain(Date.parse(NOW) + DAY);
  expect(kept()).toEqual(['turn', 'session', 'gone']);
  // A day after they were stored (by the clock of this machine), with the session as young as then.
  await journal.commit((draft) => {
    draft.session(record('ses_a', { lastActivityAt: new Date(Date.now() + DAY).toISOString() }));
  });
  expect(await journal.retain(Date.now() + 2 * DAY)).toMatchObject({ answers: 1 });
  expect(kept()).toEqual(['turn', 'session']);
});

test('commits go on while retention works, and closing stops it', async () => {
  using home = new JournalHome();
  const journal = await openJournal(home.options);
  for (let at = 0; at < 10; at += 1)
    await journal.commit((draft) => {
      write(draft, `ses_${String(at)}`, [1, 1500]);
    });
  const retaining = journal.retain(LATER);
  expect(journal.retain(LATER)).toBe(retaining);
  await journal.commit((draft) => {
    draft.session(record('ses_new', { lastActivityAt: new Date(LATER).toISOString() }));
    draft.event({ session: 'ses_new', seq: 1, time: NOW, type: 'runtime.restored', data: {} });
  });
  expect(journal.status().events).toBeGreaterThan(1);
  await journal.close();
  expect((await retaining).events).toBeLessThan(15_000);
  await using again = await openJournal(home.options);
  expect((await again.retain(LATER)).events).toBeGreaterThan(0);
  expect(again.status().events).toBe(1);
  expect(again.events('ses_5', 0, 10)).toMatchObject({ events: [], gaps: [{ from: 1, to: 1500 }] });
});
