import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decideLease, evictionsForLine, grants } from './decide.ts';
import { evictable, verdictOf, type Hold, type Lease } from './lease.ts';
import { DEFAULT_POOL_LIMITS, type PoolLimits } from './limits.ts';

/**
 * A pool in the small: sessions that ask, work, go idle and end in any order, and the policy that is obeyed. What must always hold:
 * never more than maxWarm processes, nothing held is ended, whoever waits gets on once the others are done.
 */
type Step =
  | { readonly kind: 'ask' }
  | { readonly kind: 'busy' | 'idle' | 'gone'; readonly at: number }
  | { readonly kind: 'pass'; readonly ms: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('ask' as const) }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constantFrom('busy' as const, 'idle' as const, 'gone' as const),
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
  waiting = 0;
  perMessage = 0;
  refused = 0;
  #now = 0;
  #made = 0;

  constructor(limits: PoolLimits) {
    this.limits = limits;
  }

  get leases(): Lease[] {
    return this.processes.map(({ runtime, usedAt, state }) => {
      const hold: Hold | undefined =
        state === 'idle' ? undefined : { kind: state === 'busy' ? 'turn' : 'ending', words: state };
      const idleMs = state === 'idle' ? this.#now - usedAt : 0;
      const lease = { runtime, sessions: [], kind: 'warm' as const, idleMs, usedAt };
      return hold === undefined ? lease : { ...lease, hold };
    });
  }

  apply(given: Step): void {
    if (given.kind === 'pass') this.#now += given.ms;
    else if (given.kind === 'ask') this.#ask();
    else this.#change(given.kind, this.processes[given.at % Math.max(1, this.processes.length)]);
    this.#moveOn();
    expect(this.processes.length).toBeLessThanOrEqual(this.limits.maxWarm);
  }

  #ask(): void {
    const { leases, waiting } = this;
    const verdict = decideLease({}, { leases, waiting }, this.limits);
    switch (verdict.kind) {
      case 'start':
        expect(waiting).toBe(0);
        this.#start();
        break;
      case 'line':
        this.waiting += 1;
        this.#evict(verdict.evict);
        break;
      case 'per-message':
        expect(evictable(leases, this.limits).length).toBeLessThanOrEqual(waiting);
        this.perMessage += 1;
        break;
      case 'refuse':
        expect(waiting).toBeGreaterThanOrEqual(this.limits.maxWaiting);
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
    const { leases, waiting, limits } = this;
    const granted = grants({ leases, waiting }, limits);
    for (let at = 0; at < granted; at += 1) this.#start();
    this.waiting -= granted;
    this.#evict(evictionsForLine({ leases: this.leases, waiting: this.waiting }, limits));
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
});

test('any order of asking, working and ending: the bound holds, nothing held is ended, and the line empties', () => {
  fc.assert(
    fc.property(limits, fc.array(step, { maxLength: 60 }), (some, steps) => {
      const pool = new Small({ ...DEFAULT_POOL_LIMITS, ...some });
      for (const given of steps) pool.apply(given);
      // Everybody finishes: nobody is left waiting.
      const rounds = pool.waiting + 2;
      for (let round = 0; round < rounds; round += 1) {
        for (const at of pool.processes.keys()) pool.apply({ kind: 'idle', at });
        while (pool.processes.some((one) => one.state === 'ending'))
          pool.apply({ kind: 'gone', at: pool.processes.findIndex((one) => one.state === 'ending') });
      }
      expect(pool.waiting).toBe(0);
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
        waited += pool.waiting;
      }
      perMessage += pool.perMessage;
      refused += pool.refused;
    }),
    { numRuns: 200, seed: 3 },
  );
  expect(Math.min(waited, perMessage, refused)).toBeGreaterThan(0);
});
