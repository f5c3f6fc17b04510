import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decideLease, evictionsForLine, grantsInLine, type Takes } from './decide.ts';
import { evictable, verdictOf, type Hold, type Lease } from './lease.ts';
import { DEFAULT_POOL_LIMITS, type PoolLimits } from './limits.ts';

/**
 * A pool in the small: sessions that ask, work, go idle and end in any order, and the policy that is obeyed. What must always hold:
 * never more than maxWarm processes, never more than maxPerMessage besides, nothing held is ended, whoever waits gets on once the others are done.
 */
type Step =
  | { readonly kind: 'ask'; readonly degraded: boolean }
  | { readonly kind: 'busy' | 'idle' | 'gone' | 'own-gone'; readonly at: number }
  | { readonly kind: 'pass'; readonly ms: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('ask' as const), degraded: fc.boolean() }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constantFrom('busy' as const, 'idle' as const, 'gone' as const, 'own-gone' as const),
      at: fc.nat(),
    }),
  },
  fc.record({ kind: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 1000 }) }),
);

interface Process {
  readonly runtime: string;
  readonly usedAt: number;
  readonly state: 'busy' | 'idle' | 'ending';
}

class Small {
  readonly limits: PoolLimits;
  processes: Process[] = [];
  line: Takes[] = [];
  /** Processes for one message that run now, and how many there have been. */
  own = 0;
  perMessage = 0;
  refused = 0;
  #now = 0;
  #made = 0;

  constructor(limits: PoolLimits) {
    this.limits = limits;
  }

  get pool(): { readonly leases: Lease[]; readonly waiting: number; readonly waitingOwn: number } {
    const waitingOwn = this.line.filter((takes) => takes === 'own').length;
    return { leases: this.leases, waiting: this.line.length - waitingOwn, waitingOwn };
  }

  get leases(): Lease[] {
    const own = Array.from({ length: this.own }, (_, at): Lease => {
      const hold: Hold = { kind: 'turn', words: 'busy' };
      return { runtime: `own_${String(at)}`, sessions: [], kind: 'per-message', idleMs: 0, usedAt: 0, hold };
    });
    const warm = this.processes.map(({ runtime, usedAt, state }) => {
      const hold: Hold | undefined =
        state === 'idle' ? undefined : { kind: state === 'busy' ? 'turn' : 'ending', words: state };
      const idleMs = state === 'idle' ? this.#now - usedAt : 0;
      const lease = { runtime, sessions: [], kind: 'warm' as const, idleMs, usedAt };
      return hold === undefined ? lease : { ...lease, hold };
    });
    return [...warm, ...own];
  }

  apply(given: Step): void {
    if (given.kind === 'pass') this.#now += given.ms;
    else if (given.kind === 'ask') this.#ask(given.degraded);
    else if (given.kind === 'own-gone') this.own = Math.max(0, this.own - 1);
    else this.#change(given.kind, this.processes[given.at % Math.max(1, this.processes.length)]);
    this.#moveOn();
    expect(this.processes.length).toBeLessThanOrEqual(this.limits.maxWarm);
    expect(this.own).toBeLessThanOrEqual(this.limits.maxPerMessage);
  }

  #ask(degraded: boolean): void {
    const { leases, waiting, waitingOwn } = this.pool;
    const verdict = decideLease(
      degraded ? { degraded: 'it crashed' } : {},
      { leases, waiting, waitingOwn },
      this.limits,
    );
    switch (verdict.kind) {
      case 'join':
        throw new Error('nobody shares here');
      case 'start':
        expect(waiting).toBe(0);
        this.#start();
        break;
      case 'line':
        this.line.push(verdict.takes);
        this.#evict(verdict.evict);
        break;
      case 'per-message':
        if (!degraded) expect(evictable(leases, this.limits).length).toBeLessThanOrEqual(waiting);
        this.perMessage += 1;
        this.own += 1;
        break;
      case 'refuse':
        expect(waiting + waitingOwn).toBeGreaterThanOrEqual(this.limits.maxWaiting);
        this.refused += 1;
        break;
    }
  }

  #change(kind: 'busy' | 'idle' | 'gone', process: Process | undefined): void {
    if (process === undefined) return;
    if (kind === 'gone') this.processes = this.processes.filter((one) => one !== process);
    else if (process.state !== 'ending')
      this.processes = this.processes.map((one) =>
        one === process ? { ...one, state: kind, usedAt: this.#now } : one,
      );
  }

  #moveOn(): void {
    const { line, limits } = this;
    const granted = grantsInLine(line, this.pool, limits);
    for (const what of granted) if (what === 'slot') this.#start();
    this.own += granted.filter((what) => what === 'own').length;
    this.line = line.filter((_, at) => granted[at] === undefined);
    this.#evict(evictionsForLine(this.pool, limits));
  }

  #start(): void {
    this.#made += 1;
    this.processes.push({ runtime: `rt_${String(this.#made)}`, usedAt: this.#now, state: 'busy' });
  }

  #evict(chosen: readonly Lease[]): void {
    const free = evictable(this.leases, this.limits);
    chosen.forEach((lease, at) => {
      expect(verdictOf(lease, this.limits).evictable).toBe(true);
      // The least recently used go first.
      expect(lease.runtime).toBe(free[at]?.runtime);
    });
    const ended = new Set(chosen.map((lease) => lease.runtime));
    this.processes = this.processes.map((one) =>
      ended.has(one.runtime) ? { ...one, state: 'ending' } : one,
    );
  }
}

const limits = fc.record({
  maxWarm: fc.integer({ min: 1, max: 4 }),
  whenFull: fc.constantFrom('wait' as const, 'per-message' as const),
  maxWaiting: fc.integer({ min: 1, max: 5 }),
  maxPerMessage: fc.integer({ min: 1, max: 3 }),
});

test('any order of asking, working and ending: the bound holds, nothing held is ended, and the line empties', () => {
  fc.assert(
    fc.property(limits, fc.array(step, { maxLength: 60 }), (some, steps) => {
      const pool = new Small({ ...DEFAULT_POOL_LIMITS, ...some });
      for (const given of steps) pool.apply(given);
      // Everybody finishes: nobody is left waiting.
      const rounds = pool.line.length + 2;
      for (let round = 0; round < rounds; round += 1) {
        for (const at of pool.processes.keys()) pool.apply({ kind: 'idle', at });
        while (pool.own > 0 && pool.line.length > 0) pool.apply({ kind: 'own-gone', at: 0 });
        while (pool.processes.some((one) => one.state === 'ending'))
          pool.apply({ kind: 'gone', at: pool.processes.findIndex((one) => one.state === 'ending') });
      }
      expect(pool.line).toEqual([]);
    }),
    { numRuns: 500 },
  );
});

test('the generator reaches every verdict', () => {
  let [waited, perMessage, refused] = [0, 0, 0];
  fc.assert(
    fc.property(limits, fc.array(step, { maxLength: 60 }), (some, steps) => {
      const pool = new Small({ ...DEFAULT_POOL_LIMITS, ...some });
      for (const given of steps) {
        pool.apply(given);
        waited += pool.line.length;
      }
      perMessage += pool.perMessage;
      refused += pool.refused;
    }),
    { numRuns: 200, seed: 3 },
  );
  expect(Math.min(waited, perMessage, refused)).toBeGreaterThan(0);
});
