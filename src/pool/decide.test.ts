import { describe, expect, test } from 'vitest';
import {
  decideLease,
  evictionsForBudget,
  evictionsForLine,
  grants,
  grantsInLine,
  outOfPlaces,
} from './decide.ts';
import { overdue, verdictOf, worn, type Hold, type Lease } from './lease.ts';
import { DEFAULT_POOL_LIMITS, type PoolLimits } from './limits.ts';

const TURN: Hold = { kind: 'turn', words: 'a turn is open' };
const limits = (over: Partial<PoolLimits> = {}): PoolLimits => ({
  ...DEFAULT_POOL_LIMITS,
  maxWarm: 2,
  ...over,
});

function lease(runtime: string, over: Partial<Lease> = {}): Lease {
  const { idleMs = 0 } = over;
  return { runtime, sessions: [`ses_${runtime}`], kind: 'warm', idleMs, usedAt: -idleMs, ...over };
}

const busy = (runtime: string): Lease => lease(runtime, { hold: TURN });
const ending = (runtime: string): Lease => lease(runtime, { hold: { kind: 'ending', words: 'it ends' } });

describe('a session that needs a process', () => {
  test('starts while a slot is free', () => {
    expect(decideLease({}, { leases: [busy('a')], waiting: 0 }, limits())).toEqual({ kind: 'start' });
  });

  test('waits for the least recently used idle one, which is ended', () => {
    const leases = [lease('a', { idleMs: 5 }), lease('b', { idleMs: 9 })];
    expect(decideLease({}, { leases, waiting: 0 }, limits())).toMatchObject({
      kind: 'line',
      evict: [{ runtime: 'b' }],
    });
  });

  test('least recently used is not longest at rest: one that was started early and never used goes first', () => {
    const leases = [lease('b', { idleMs: 9, usedAt: 5 }), lease('a', { idleMs: 1, usedAt: 2 })];
    expect(decideLease({}, { leases, waiting: 0 }, limits())).toMatchObject({ evict: [{ runtime: 'a' }] });
  });

  test('waits for one that is being ended already, and ends no other', () => {
    const leases = [ending('a'), lease('b', { idleMs: 9 })];
    expect(decideLease({}, { leases, waiting: 0 }, limits())).toMatchObject({ kind: 'line', evict: [] });
  });

  test('does not overtake the line', () => {
    const leases = [lease('a')];
    expect(decideLease({}, { leases, waiting: 1 }, limits())).toMatchObject({
      kind: 'line',
      evict: [{ runtime: 'a' }],
    });
  });

  test('runs per message when all are busy, and says so', () => {
    const verdict = decideLease({}, { leases: [busy('a'), busy('b')], waiting: 0 }, limits());
    expect(verdict).toEqual({
      kind: 'per-message',
      full: true,
      reason: 'all 2 warm processes are in use, none is idle',
    });
  });

  test('waits when all are busy and it shall; is refused when the line is full', () => {
    const leases = [busy('a'), busy('b')];
    const wait = limits({ whenFull: 'wait', maxWaiting: 3 });
    expect(decideLease({}, { leases, waiting: 2 }, wait)).toMatchObject({ kind: 'line', evict: [] });
    expect(decideLease({}, { leases, waiting: 3 }, wait)).toMatchObject({ kind: 'refuse' });
  });

  test.each([
    [{}, { persistent: false }, 'pool.persistent'],
    [{ model: 'Claude-Haiku-4' }, { blockedModels: ['haiku'] }, 'haiku'],
    [{ degraded: 'it crashed' }, {}, 'it crashed'],
  ])('runs per message for a reason of its own: %j %j', (asking, over, words) => {
    const verdict = decideLease(asking, { leases: [], waiting: 0 }, limits(over));
    expect(verdict).toMatchObject({ kind: 'per-message', full: false });
    expect(verdict).toHaveProperty('reason', expect.stringContaining(words));
  });

  test('processes of one message take no slot', () => {
    const leases = [busy('a'), lease('p', { kind: 'per-message', hold: TURN })];
    expect(decideLease({}, { leases, waiting: 0 }, limits())).toEqual({ kind: 'start' });
  });
});

describe('processes for one message', () => {
  const own = (runtime: string): Lease => lease(runtime, { kind: 'per-message', hold: TURN });
  const one = limits({ maxPerMessage: 1, maxWaiting: 2 });

  test.each([
    [{}, 'either', 'all 2 warm processes are in use, none is idle; and the one process for one message'],
    [{ degraded: 'it crashed' }, 'own', 'it crashed; and the one process for one message'],
  ] as const)(
    'are so many and no more; then one waits, and beyond the line is refused: %j',
    (asking, takes, words) => {
      const leases = [busy('a'), busy('b'), own('p')];
      const verdict = decideLease(asking, { leases, waiting: 0 }, one);
      expect(verdict).toMatchObject({ kind: 'line', full: true, evict: [], takes });
      expect(verdict).toHaveProperty('reason', expect.stringContaining(words));
      const full = decideLease(asking, { leases, waiting: 1, waitingOwn: 1 }, one);
      expect(full).toMatchObject({ kind: 'refuse', takes });
    },
  );

  test('one is not overtaken by another who would run per message', () => {
    const pool = { leases: [], waiting: 0, waitingOwn: 1 };
    expect(decideLease({ degraded: 'x' }, pool, one)).toMatchObject({ kind: 'line', takes: 'own' });
  });

  test('what frees goes to the first in the line that takes it', () => {
    const line = ['own', 'slot', 'either', 'own', 'either'] as const;
    const pool = { leases: [busy('a')], waiting: 3, waitingOwn: 2 };
    expect(grantsInLine(line, pool, limits({ maxPerMessage: 2 }))).toEqual([
      'own',
      'slot',
      'own',
      undefined,
      undefined,
    ]);
    expect(grantsInLine(line, { ...pool, leases: [busy('a'), busy('b'), own('p')] }, one)).toEqual(
      line.map(() => undefined),
    );
  });

  test('who has waited for long enough is told why there is none', () => {
    expect(outOfPlaces([], one)).toBeUndefined();
    expect(outOfPlaces([own('p')], one)).toContain('pool.maxPerMessage');
  });
});

describe('a memory budget', () => {
  const budget = limits({ maxWarm: 9, memoryBudgetMb: 500 });

  test('one more must fit beside those that run', () => {
    expect(
      decideLease({}, { leases: [lease('a', { rssMb: 200, hold: TURN })], waiting: 0 }, budget),
    ).toMatchObject({ kind: 'start' });
    const two = [lease('a', { rssMb: 200, hold: TURN }), lease('b', { rssMb: 200, hold: TURN })];
    expect(decideLease({}, { leases: two, waiting: 0 }, budget)).toMatchObject({
      kind: 'per-message',
      reason: 'the processes fill the memory budget of 500 MB, none is idle',
    });
  });

  test('one runs always, and what outgrew the budget is ended from the least recently used on', () => {
    expect(decideLease({}, { leases: [], waiting: 0 }, limits({ memoryBudgetMb: 10 }))).toMatchObject({
      kind: 'start',
    });
    const leases = [
      lease('a', { rssMb: 300, idleMs: 1 }),
      lease('b', { rssMb: 300, idleMs: 2 }),
      lease('c', { rssMb: 300, hold: TURN }),
    ];
    expect(evictionsForBudget(leases, budget).map((one) => one.runtime)).toEqual(['b', 'a']);
    expect(evictionsForBudget(leases, limits())).toEqual([]);
  });
});

describe('the line', () => {
  test('gets what is free, and idle ones are ended only as far as it needs', () => {
    const leases = [lease('a', { idleMs: 1 }), lease('b', { idleMs: 2 })];
    expect(grants({ leases: [busy('a')], waiting: 3 }, limits())).toBe(1);
    expect(evictionsForLine({ leases, waiting: 1 }, limits()).map((one) => one.runtime)).toEqual(['b']);
    expect(evictionsForLine({ leases, waiting: 0 }, limits())).toEqual([]);
    expect(evictionsForLine({ leases: [busy('a'), busy('b')], waiting: 4 }, limits())).toEqual([]);
  });
});

describe('a verdict', () => {
  test('says why in words', () => {
    expect(verdictOf(busy('a'), limits())).toEqual({ evictable: false, reason: 'a turn is open' });
    expect(verdictOf(lease('a', { idleMs: 60_000 }), limits())).toEqual({
      evictable: true,
      reason: 'idle for 60 s, ends in 240 s or when its slot is needed',
    });
  });

  test('background tasks hold, but not for ever', () => {
    const hold: Hold = { kind: 'background', words: '1 background task runs' };
    const young = lease('a', { hold, backgroundMs: 1_000 });
    const old = lease('b', { hold, backgroundMs: limits().backgroundMaxMs });
    expect(verdictOf(young, limits()).evictable).toBe(false);
    expect(verdictOf(old, limits())).toMatchObject({ evictable: true });
    expect(overdue([young, old], limits())).toEqual([old]);
  });

  test('idle for too long is overdue; held ones never are', () => {
    const idle = lease('a', { idleMs: 300_000 });
    expect(overdue([idle, lease('b', { idleMs: 299_999 }), busy('c')], limits())).toEqual([idle]);
  });

  test('a process wears out by memory and by turns', () => {
    expect(worn({ rssMb: 601, turns: 1 }, limits())).toContain('601 MB');
    expect(worn({ rssMb: undefined, turns: 500 }, limits())).toContain('500 turns');
    expect(worn({ rssMb: 600, turns: 499 }, limits())).toBeUndefined();
  });
});
