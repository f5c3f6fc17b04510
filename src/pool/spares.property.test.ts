import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decideLease } from './decide.ts';
import { evictable, type Lease } from './lease.ts';
import { DEFAULT_POOL_LIMITS, type PoolLimits } from './limits.ts';
import {
  decideSpares,
  fitting,
  verdictOfSpare,
  type Spare,
  type SparesView,
  type SpareWant,
} from './spares.ts';

const key = fc.constantFrom('a', 'b', 'c', 'd');
const stamp = fc.constantFrom('old', 'new');
/** Two of the keys are domains: sessions share the process. */
const keyed = <T extends { readonly key: string }>(one: T): T & { readonly domain?: string } =>
  one.key === 'c' || one.key === 'd' ? { ...one, domain: one.key } : one;
const wants = fc
  .uniqueArray(fc.record({ key, stamp, usedAt: fc.nat({ max: 1000 }) }), {
    selector: (want) => want.key,
    maxLength: 4,
  })
  .map((some): SpareWant[] => some.map(keyed));
const spares = fc
  .array(
    fc.record({
      key,
      stamp,
      phase: fc.constantFrom('starting' as const, 'ready' as const, 'ending' as const),
    }),
    {
      maxLength: 5,
    },
  )
  .map((some): Spare[] => some.map((spare, at) => ({ ...keyed(spare), runtime: `rt_${String(at)}` })));
const limits = fc
  .record({
    spares: fc.integer({ min: 0, max: 3 }),
    maxWarm: fc.integer({ min: 1, max: 6 }),
    spareForMs: fc.integer({ min: 1, max: 1000 }),
    persistent: fc.boolean(),
  })
  .map((some): PoolLimits => ({ ...DEFAULT_POOL_LIMITS, sessionsPerProcess: 2, ...some }));

function leaseOf(spare: Spare): Lease {
  const hold = { kind: 'ending' as const, words: 'it ends' };
  const base = {
    runtime: spare.runtime,
    sessions: [],
    kind: 'warm' as const,
    idleMs: 0,
    usedAt: 0,
    spare: 'a spare',
    ...(spare.domain === undefined ? {} : { domain: spare.domain }),
  };
  return spare.phase === 'ending' ? { ...base, hold } : base;
}

const busy = (at: number): Lease => ({
  runtime: `rt_of_${String(at)}`,
  sessions: [`ses_${String(at)}`],
  kind: 'warm',
  idleMs: 0,
  usedAt: 0,
  hold: { kind: 'turn', words: 'a turn is open' },
});

/** Of a domain, with so many of two seats taken. */
const sharedBy = (domain: string, taken: number): Lease => ({
  ...busy(100 + taken),
  sessions: Array.from({ length: taken }, (_, at) => `ses_${domain}_${String(at)}`),
  domain,
});

const views = fc
  .record({
    wants,
    spares,
    sessions: fc.nat({ max: 5 }),
    shared: fc.array(fc.tuple(fc.constantFrom('c', 'd'), fc.integer({ min: 1, max: 2 })), { maxLength: 2 }),
    waiting: fc.nat({ max: 2 }),
    now: fc.nat({ max: 2000 }),
  })
  .map(({ sessions, shared, waiting, ...rest }): SparesView => {
    const leases = [
      ...Array.from({ length: sessions }, (_, at) => busy(at)),
      ...shared.map(([domain, taken]) => sharedBy(domain, taken)),
      ...rest.spares.map(leaseOf),
    ];
    return { ...rest, pool: { leases, waiting } };
  });

/** Sessions have a process of the domain with a free seat: whoever comes goes there. */
const served = ({ pool }: SparesView, { domain }: { readonly domain?: string }): boolean =>
  pool.leases.some((lease) => domain !== undefined && lease.domain === domain && lease.sessions.length === 1);

const recent = ({ now }: SparesView, { spareForMs }: PoolLimits, want: SpareWant | undefined): boolean =>
  want !== undefined && now - want.usedAt < spareForMs;

test('one is started only for what was used of late, where a slot is free, one at a time, within pool.spares; and never twice alike', () => {
  let started = 0;
  fc.assert(
    fc.property(views, limits, (view, some) => {
      const { start, end } = decideSpares(view, some);
      if (start === undefined) return;
      started += 1;
      expect(
        recent(
          view,
          some,
          view.wants.find((want) => want.key === start),
        ),
      ).toBe(true);
      expect(served(view, keyed({ key: start }))).toBe(false);
      expect(view.pool.leases.length).toBeLessThan(some.maxWarm);
      expect(view.pool.waiting).toBe(0);
      expect([some.persistent, end]).toEqual([true, []]);
      expect(view.spares.every(({ phase }) => phase === 'ready')).toBe(true);
      expect(view.spares.map((spare) => spare.key)).not.toContain(start);
      expect(view.spares.length).toBeLessThan(some.spares);
    }),
    { numRuns: 3000 },
  );
  expect(started).toBeGreaterThan(0);
});

test('what is kept is wanted, as it is now, and one of each; each that ends says why', () => {
  fc.assert(
    fc.property(views, limits, (view, some) => {
      const { end } = decideSpares(view, some);
      const ended = new Set(end.map(({ runtime }) => runtime));
      expect(end.every(({ why }) => why.length > 0)).toBe(true);
      const left = view.spares.filter(({ phase, runtime }) => phase !== 'ending' && !ended.has(runtime));
      for (const spare of left) {
        const want = view.wants.find((one) => one.key === spare.key);
        expect([recent(view, some, want), want?.stamp]).toEqual([true, spare.stamp]);
        expect(served(view, spare)).toBe(false);
      }
      expect(new Set(left.map((spare) => spare.key)).size).toBe(left.length);
      expect(left.length).toBeLessThanOrEqual(some.spares);
    }),
    { numRuns: 2000 },
  );
});

test('obeyed again and again it comes to rest: the last used have one each', () => {
  fc.assert(
    fc.property(views, limits, (given, some) => {
      const there = given.spares.slice(0, some.maxWarm);
      let view: SparesView = { ...given, spares: there, pool: { leases: there.map(leaseOf), waiting: 0 } };
      for (let step = 0; step < 20; step += 1) {
        const { end, start } = decideSpares(view, some);
        const ended = new Set(end.map(({ runtime }) => runtime));
        const left = view.spares
          .filter(({ phase, runtime }) => phase !== 'ending' && !ended.has(runtime))
          .map((spare): Spare => ({ ...spare, phase: 'ready' }));
        const want = view.wants.find((one) => one.key === start);
        const made: Spare[] =
          want === undefined ? [] : [{ ...want, runtime: `rt_new_${String(step)}`, phase: 'starting' }];
        const next = [...left, ...made];
        view = { ...view, spares: next, pool: { leases: next.map(leaseOf), waiting: 0 } };
      }
      const expected = some.persistent
        ? view.wants
            .filter((want) => recent(view, some, want))
            .toSorted((a, b) => b.usedAt - a.usedAt)
            .slice(0, Math.min(some.spares, some.maxWarm))
        : [];
      // Of two that were used at the same moment either may have it.
      expect(view.spares.length).toBe(expected.length);
    }),
    { numRuns: 500 },
  );
});

test('a session gets for itself only one that is ready and started alike, and none that can be shared', () => {
  fc.assert(
    fc.property(spares, fc.record({ key, stamp }).map(keyed), (some, asked) => {
      const found = fitting(some, asked);
      const any = some.some(
        (one) =>
          one.domain === undefined &&
          one.phase === 'ready' &&
          one.key === asked.key &&
          one.stamp === asked.stamp,
      );
      expect(found !== undefined).toBe(any);
      if (found !== undefined) expect(found).toMatchObject({ ...asked, phase: 'ready' });
    }),
  );
});

test('a session of a domain has a seat beside others before one in a spare, and one there before a slot, as long as it may be joined', () => {
  const joined = { others: 0, spare: 0 };
  fc.assert(
    fc.property(views, limits, fc.constantFrom('c', 'd'), ({ pool }, some, domain) => {
      const verdict = decideLease({ domain }, pool, some);
      const open = pool.leases.filter((one) => one.domain === domain && one.hold?.kind !== 'ending');
      const others = open.filter(({ sessions }) => sessions.length === 1);
      const spare = open.filter(({ sessions }) => sessions.length === 0);
      const [expected] = some.persistent ? [...others, ...spare] : [];
      if (expected !== undefined) joined[others.length > 0 ? 'others' : 'spare'] += 1;
      expect(verdict.kind === 'join' ? verdict.runtime : undefined).toBe(expected?.runtime);
    }),
    { numRuns: 1000 },
  );
  expect(Math.min(joined.others, joined.spare)).toBeGreaterThan(0);
});

test('for a slot the spares end before any process of a session, however long that was idle', () => {
  const idle: Lease = { ...busy(1), idleMs: 9_999_999, usedAt: -9_999_999 };
  const { hold: _, ...rested } = idle;
  fc.assert(
    fc.property(spares, (some) => {
      const order = evictable([rested, ...some.map(leaseOf)], DEFAULT_POOL_LIMITS).map(
        ({ runtime }) => runtime,
      );
      const free = some.filter(({ phase }) => phase !== 'ending').map(({ runtime }) => runtime);
      expect(order).toEqual([...free, rested.runtime]);
    }),
  );
});

test('a spare is explained in words', () => {
  const spare: Spare = { runtime: 'rt', key: 'a', stamp: 'new', phase: 'ready' };
  const want = { key: 'a', stamp: 'new', usedAt: 1000 };
  expect(verdictOfSpare(spare, want, 13_000)).toBe(
    'a spare process: no session has it yet, last wanted 12 s ago; it is the first to end when a slot is needed',
  );
  expect(verdictOfSpare({ ...spare, phase: 'starting' }, undefined, 0)).toContain('is being started');
  expect(verdictOfSpare({ ...spare, phase: 'ending' }, undefined, 0)).toContain('is being ended');
});
