import fc from 'fast-check';
import { expect, test } from 'vitest';
import { TURN_ENDINGS, type SessionEvent } from '../../src/protocol/index.ts';
import type { PoolLimits } from '../../src/pool/index.ts';
import { MemoryJournal } from '../support/memory-journal.ts';
import { MemoryKeeper, type Brain } from '../support/memory-keeper.ts';
import { toyHost } from '../support/toy.ts';
import { until } from '../support/until.ts';

/**
 * P1 and P4 with a pool that is always too small: more sessions than slots, processes that die in turns, a daemon that dies after any
 * transaction. Every message has one ending and reaches an agent once at most; nobody waits for ever.
 */
const BY = { by: { kind: 'client' as const } };

interface Given {
  readonly sessions: number;
  readonly rounds: number;
  /** After how many commits the daemon dies, in turn. */
  readonly crashes: readonly number[];
  /** Prompts (counted over all) at which the process dies, before it shows that it took them in. */
  readonly deaths: readonly number[];
  /** Messages (counted in each session) that their client takes back at once. */
  readonly regrets: readonly number[];
  /** All messages of a session at once, in its queue; or each behind the ending of the one before. */
  readonly burst: boolean;
  readonly cuts: readonly number[];
  readonly pool: Partial<PoolLimits>;
  /** One session behind the other, each when the one before is done: there is time for a process ahead. */
  readonly apart: boolean;
}

interface Outcome {
  readonly events: readonly SessionEvent[];
  /** Turns whose prompt an agent received, in order. */
  readonly received: readonly string[];
  /** Most processes that were there at once. */
  readonly most: number;
}

async function run(given: Given): Promise<Outcome> {
  let prompts = 0;
  let most = 0;
  const brain: Brain = (line, print, exit) => {
    most = Math.max(most, alive());
    if (line === 'hello') print('ready\n');
    if (!line.startsWith('p ')) return;
    prompts += 1;
    if (given.deaths.includes(prompts)) return exit(3);
    print(`r ${line.slice(2)}\nd some\nw some\ne\n`);
  };
  const keeper = new MemoryKeeper(brain, given.cuts);
  const alive = (): number => [...keeper.children.values()].filter((one) => one.exit === undefined).length;
  const left = [...given.crashes];
  const born = (journal: MemoryJournal): MemoryJournal => {
    journal.crashAfter = left.shift() ?? Number.POSITIVE_INFINITY;
    journal.onCrash = () => keeper.cutOff();
    return journal;
  };
  let journal = born(new MemoryJournal());
  for (;;) {
    const current = journal;
    const living = live(current, keeper, given);
    await Promise.race([living, until(() => current.dead)]);
    if (!current.dead) break;
    living.catch(() => undefined);
    journal = born(current.reopen());
  }
  const received = keeper.received.filter((line) => line.startsWith('p ')).map((line) => line.slice(2));
  return { events: journal.all, received, most };
}

/** A daemon's life: all that a client wants, with keys, so that a client of the next daemon may want it again. */
async function live(journal: MemoryJournal, keeper: MemoryKeeper, given: Given): Promise<void> {
  const host = await toyHost(journal, keeper, { pool: given.pool });
  const client = async (at: number): Promise<void> => {
    const key = (name: string): { scope: string; key: string; bodyHash: string } => ({
      scope: name,
      key: String(at),
      bodyHash: 'h',
    });
    const { id } = (await host.create({ agent: 'toy', cwd: '/' }, { ...BY, idempotency: key('create') }))
      .value;
    const turns: string[] = [];
    for (let round = 0; round < given.rounds; round += 1) {
      const sent = await host.send(
        id,
        { input: 'hi', whenBusy: 'queue' },
        { ...BY, idempotency: key(`send ${String(round)}`) },
      );
      turns.push(sent.value.id);
      if (given.regrets.includes(round)) await host.interrupt(id, {}, BY).catch(() => undefined);
      const last = given.burst && round < given.rounds - 1 ? [] : turns;
      await until(() => journal.dead || last.every((turn) => ended(journal.all, turn)));
      if (journal.dead) return;
    }
  };
  const clients = Array.from({ length: given.sessions }, (_, at) => at);
  if (!given.apart) await Promise.all(clients.map(client));
  else for (const at of clients) await client(at).then(() => (journal.dead ? undefined : rested(given)));
}

/** Long enough for a process to be started ahead, in most runs. */
async function rested({ pool }: Given): Promise<void> {
  if ((pool.spares ?? 0) > 0) await new Promise((resolve) => setTimeout(resolve, 10));
}

function ended(events: readonly SessionEvent[], turn: string): boolean {
  return events.some((event) => event.turn === turn && TURN_ENDINGS.has(event.type));
}

function check({ events, received }: Outcome, given: Given): void {
  const endings = new Map<string, string[]>();
  for (const event of events) {
    if (event.type === 'turn.queued') endings.set(event.turn ?? '', []);
    if (TURN_ENDINGS.has(event.type)) endings.get(event.turn ?? '')?.push(event.type);
  }
  expect(endings.size).toBe(given.sessions * given.rounds);
  for (const [turn, how] of endings) {
    expect(how).toHaveLength(1);
    const times = received.filter((one) => one === turn).length;
    expect(times).toBeLessThanOrEqual(1);
    if (how[0] === 'turn.completed') expect(times).toBe(1);
  }
}

const given = fc.record({
  sessions: fc.integer({ min: 2, max: 5 }),
  rounds: fc.integer({ min: 1, max: 3 }),
  crashes: fc.array(fc.integer({ min: 1, max: 25 }), { maxLength: 4 }),
  deaths: fc.uniqueArray(fc.integer({ min: 1, max: 12 }), { maxLength: 2 }),
  regrets: fc.uniqueArray(fc.nat({ max: 2 }), { maxLength: 2 }),
  burst: fc.boolean(),
  cuts: fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 4 }),
  apart: fc.boolean(),
  pool: fc.record({
    spares: fc.integer({ min: 0, max: 2 }),
    spareRestMs: fc.constant(1),
    maxWarm: fc.integer({ min: 1, max: 2 }),
    whenFull: fc.constantFrom('wait' as const, 'per-message' as const),
    maxPerMessage: fc.integer({ min: 1, max: 2 }),
    warmOnCreate: fc.boolean(),
    recycleTurns: fc.constantFrom(1, 2, 500),
  }),
});

test('a daemon and processes that die at any moment: one ending each, no message twice, nobody waits for ever', async () => {
  let ahead = 0;
  await fc.assert(
    fc.asyncProperty(given, async (some) => {
      const outcome = await run(some);
      check(outcome, some);
      ahead += outcome.events.filter(({ data }) => 'spare' in data).length;
      expect(new Set(outcome.events.map((event) => event.session)).size).toBe(some.sessions);
    }),
    { numRuns: 200 },
  );
  // Some of them had a process that was started before them.
  expect(ahead).toBeGreaterThan(0);
}, 120_000);

test('who waits keeps within the slots: never more processes than maxWarm', async () => {
  await fc.assert(
    fc.asyncProperty(given, async (some) => {
      const calm = { ...some, crashes: [], deaths: [], pool: { ...some.pool, whenFull: 'wait' as const } };
      const outcome = await run(calm);
      check(outcome, calm);
      expect(outcome.most).toBeLessThanOrEqual(some.pool.maxWarm);
    }),
    { numRuns: 50 },
  );
}, 120_000);

test('who runs per message keeps within its bound, too: never more processes than both bounds allow', async () => {
  let most = 0;
  await fc.assert(
    fc.asyncProperty(given, async (some) => {
      const pool = { ...some.pool, whenFull: 'per-message' as const };
      const calm = { ...some, crashes: [], pool };
      const outcome = await run(calm);
      check(outcome, calm);
      most = Math.max(most, outcome.most - pool.maxWarm);
      expect(outcome.most).toBeLessThanOrEqual(pool.maxWarm + pool.maxPerMessage);
    }),
    { numRuns: 50 },
  );
  expect(most).toBeGreaterThan(0);
}, 120_000);
