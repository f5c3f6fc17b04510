import fc from 'fast-check';
import { expect, test } from 'vitest';
import { delta, JournalHome, NOW, Reader, record, turnRow, write } from '../../test/support/journal-home.ts';
import type { Followed } from '../session/ports.ts';
import { openJournal, type OpenJournal } from './index.ts';

async function add(journal: OpenJournal, session: string, range: readonly [number, number]): Promise<void> {
  await journal.commit((draft) => {
    write(draft, session, range);
  });
}

test('replay, one live, then what is committed, until it is aborted', async () => {
  using home = new JournalHome();
  await using journal = await openJournal(home.options);
  await add(journal, 'ses_a', [1, 3]);
  const reader = new Reader(journal, 'ses_a', 1);
  await reader.until('live 3');
  await add(journal, 'ses_b', [1, 1]);
  await add(journal, 'ses_a', [4, 5]);
  await reader.until('5');
  expect(reader.words).toEqual(['2', '3', 'live 3', '4', '5']);
  const waiting = reader.take();
  reader.abort();
  expect(await waiting).toBe(false);
});

test('what is replayed and what is live is the same text', async () => {
  using home = new JournalHome();
  await using journal = await openJournal(home.options);
  const stop = new AbortController();
  const batches = journal.follow(undefined, 0, stop.signal)[Symbol.asyncIterator]();
  expect((await batches.next()).value).toEqual([{ kind: 'live', through: 0 }]);
  await journal.commit((draft) => {
    write(draft, 'ses_"ä', [1, 1], 'say "hé" \n \u2028');
    delta(draft, { session: 'ses_"ä', seq: 2, turn: 'trn_1' });
  });
  const live: unknown = (await batches.next()).value;
  const { events } = journal.allEvents(0, 10);
  expect(live).toEqual(events.map((event) => ({ kind: 'event', event })));
  expect(JSON.parse(events[1]!.json)).toEqual({
    session: 'ses_"ä',
    seq: 2,
    turn: 'trn_1',
    time: NOW,
    type: 'message.delta',
    data: { message: 'm', text: 'word ' },
  });
  stop.abort();
});

test('a session that is not there yet is followed from its first event', async () => {
  using home = new JournalHome();
  await using journal = await openJournal(home.options);
  const reader = await new Reader(journal, 'ses_new').until('live 0');
  await add(journal, 'ses_new', [1, 2]);
  expect((await reader.until('2')).words).toEqual(['live 0', '1', '2']);
  reader.abort();
});

test('one that wants some types hears of no others, replayed, live and read again', async () => {
  using home = new JournalHome();
  await using journal = await openJournal(home.options);
  const both = (from: number): Promise<void> =>
    journal.commit((draft) => {
      write(draft, 'ses_a', [from, from]);
      delta(draft, { session: 'ses_a', seq: from + 1, turn: 't' });
    });
  await both(1);
  const stop = new AbortController();
  const batches = journal.followTypes(new Set(['notice']), 0, stop.signal);
  const heard: string[] = [];
  for await (const batch of batches) {
    for (const one of batch)
      heard.push(one.kind === 'event' ? `${one.event.type} ${String(one.event.seq)}` : one.kind);
    // What is committed while it is not taken is too much to wait for it: it is read again.
    if (heard.length === 2) for (let from = 3; from < 3000; from += 2) await both(from);
    if (heard.length === 1501) stop.abort();
  }
  const wanted = Array.from({ length: 1500 }, (_, at) => `notice ${String(2 * at + 1)}`);
  expect(heard).toEqual([wanted[0], 'live', ...wanted.slice(1)]);
});

test('one that does not take what it is given gets it from the journal later', async () => {
  using home = new JournalHome();
  await using journal = await openJournal(home.options);
  const slow = await new Reader(journal, 'ses_a').until('live 0');
  const all = await new Reader(journal, undefined).until('live 0');
  for (let at = 0; at < 30; at += 1) await add(journal, 'ses_a', [at * 100 + 1, at * 100 + 100]);
  await Promise.all([slow.until('3000'), all.until('3000')]);
  const want = ['live 0', ...Array.from({ length: 3000 }, (_, at) => String(at + 1))];
  expect(slow.words).toEqual(want);
  expect(all.words).toEqual(want);
  slow.abort();
  all.abort();
});

test('a cursor beyond the end is a reset, and the end', async () => {
  using home = new JournalHome();
  await using journal = await openJournal(home.options);
  await add(journal, 'ses_a', [1, 3]);
  for (const [session, after] of [
    ['ses_a', 4],
    [undefined, 4],
  ] as const) {
    const reader = await new Reader(journal, session, after).until('reset 3');
    expect(await reader.take()).toBe(false);
  }
  expect(() => journal.events('ses_a', 4, 10)).toThrow(
    expect.objectContaining({ code: 'cursor_ahead', detail: { lastSeq: 3 } }),
  );
});

test('closing ends every follower', async () => {
  using home = new JournalHome();
  const journal = await openJournal(home.options);
  const one = await new Reader(journal, 'ses_a').until('live 0');
  const all = await new Reader(journal, undefined).until('live 0');
  const ends = [one.take(), all.take()];
  await journal.close();
  expect(await Promise.all(ends)).toEqual([false, false]);
  expect(await new Reader(journal, 'ses_a').take()).toBe(false);
});

test('a thousand followers of one session each get everything', async () => {
  using home = new JournalHome();
  await using journal = await openJournal(home.options);
  const readers = Array.from({ length: 1000 }, () => new Reader(journal, 'ses_a'));
  await Promise.all(readers.map((reader) => reader.until('live 0')));
  const waiting = readers.map((reader) => reader.until('10'));
  await add(journal, 'ses_a', [1, 10]);
  await Promise.all(waiting);
  expect(new Set(readers.map(({ words }) => words.join()))).toEqual(new Set(['live 0,1,2,3,4,5,6,7,8,9,10']));
  for (const reader of readers) reader.abort();
});

type Step =
  | { readonly kind: 'add'; readonly session: number; readonly count: number }
  | { readonly kind: 'take'; readonly times: number }
  | { readonly kind: 'reconnect' }
  | { readonly kind: 'retain' };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant('add' as const),
    session: fc.nat(1),
    count: fc.oneof(fc.integer({ min: 1, max: 5 }), fc.constant(1100)),
  }),
  fc.record({ kind: fc.constant('take' as const), times: fc.integer({ min: 1, max: 3 }) }),
  fc.constant({ kind: 'reconnect' as const }),
  fc.constant({ kind: 'retain' as const }),
);

const IN_PIECES: Step[] = [
  ...Array.from({ length: 3 }, () => ({ kind: 'add' as const, session: 0, count: 1100 })),
  { kind: 'retain' },
];
const REGROWN: Step[] = [
  { kind: 'add', session: 0, count: 1 },
  { kind: 'retain' },
  { kind: 'add', session: 0, count: 2 },
  { kind: 'retain' },
];

/** A client that comes back from where it is, however its connections end. */
class Client {
  readonly seen: string[] = [];
  readonly events: number[] = [];
  position = 0;
  readonly #journal: OpenJournal;
  readonly #session: string | undefined;
  #stop = new AbortController();
  #batches: AsyncIterator<readonly Followed[]> | undefined;
  #atEnd = 0;

  constructor(journal: OpenJournal, session: string | undefined) {
    this.#journal = journal;
    this.#session = session;
  }

  reconnect(): void {
    this.#stop.abort();
    this.#stop = new AbortController();
    this.#batches = undefined;
    this.#atEnd = 0;
  }

  /** One batch, when there is one. */
  async take(end: number): Promise<void> {
    if (this.#batches !== undefined && this.#atEnd >= end) return;
    if (this.#batches === undefined) {
      const batches = this.#journal.follow(this.#session, this.position, this.#stop.signal);
      this.#batches = batches[Symbol.asyncIterator]();
    }
    const next = await this.#batches.next();
    for (const one of next.done === true ? [] : next.value) {
      if (one.kind === 'live') this.#atEnd = Math.max(this.#atEnd, one.through);
      if (one.kind === 'event') {
        this.position = this.#session === undefined ? one.event.cursor : one.event.seq;
        this.seen.push(`${one.event.session} ${String(one.event.seq)}`);
        this.events.push(one.event.cursor);
      }
      if (one.kind === 'gap') {
        this.position = one.cursor;
        for (let { from } = one.gap; from <= one.gap.to; from += 1)
          this.seen.push(`${one.gap.session} ${String(from)}`);
      }
      this.#atEnd = Math.max(this.#atEnd, this.position);
    }
  }
}

test('a client that comes back at any place sees each event once, or a gap in its place', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      await using journal = await openJournal({ path: undefined, keepDays: 1, maxMb: 1e6, lockTimeoutMs: 0 });
      const lasts = [0, 0];
      const nameOf = (at: number): string => `ses_${String(at)}`;
      const ofOne = new Client(journal, nameOf(0));
      const ofAll = new Client(journal, undefined);
      const takeAll = async (): Promise<void> => {
        await ofOne.take(lasts[0]!);
        await ofAll.take(lasts[0]! + lasts[1]!);
      };
      for (const one of steps) {
        if (one.kind === 'add') {
          const from = lasts[one.session]! + 1;
          const to = from + one.count - 1;
          await journal.commit((draft) => {
            const name = nameOf(one.session);
            const turn = `trn_${name}_${String(from)}`;
            draft.session(record(name));
            for (let seq = from; seq <= to; seq += 1)
              if (seq % 3 === 0) write(draft, name, [seq, seq]);
              else delta(draft, { session: name, seq, turn });
            draft.turn(turnRow(turn, name, { seq: from, endSeq: to, state: 'completed', endedAt: NOW }));
          });
          lasts[one.session] = to;
        } else if (one.kind === 'take') for (let at = 0; at < one.times; at += 1) await takeAll();
        else if (one.kind === 'retain') await journal.retain(Date.parse(NOW) + 2 * 86_400_000);
        else {
          ofOne.reconnect();
          ofAll.reconnect();
        }
      }
      ofOne.reconnect();
      ofAll.reconnect();
      while (ofOne.position < lasts[0]!) await ofOne.take(lasts[0]!);
      while (ofAll.position < lasts[0]! + lasts[1]!) await ofAll.take(lasts[0]! + lasts[1]!);
      const all = lasts.map((last, at) =>
        Array.from({ length: last }, (_, seq) => `${nameOf(at)} ${String(seq + 1)}`),
      );
      expect(ofOne.seen).toEqual(all[0]);
      for (const { events } of [ofOne, ofAll])
        expect(events).toEqual([...new Set(events)].toSorted((a, b) => a - b));
      // A gap that grew over what was seen before is told whole: of all sessions nothing is missing, and no event comes twice.
      expect(new Set(ofAll.seen)).toEqual(new Set(all.flat()));
    }),
    { numRuns: 60, examples: [[REGROWN], [IN_PIECES]] },
  );
});
