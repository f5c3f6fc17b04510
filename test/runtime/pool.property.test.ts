import fc from 'fast-check';
import { expect, test } from 'vitest';
import { TURN_ENDINGS, type SessionEvent } from '../../src/protocol/index.ts';
import type { PoolLimits } from '../../src/pool/index.ts';
import { seatsIn } from '../../src/runtime/seat-row.ts';
import type { SessionSpec } from '../../src/session/ports.ts';
import type { SessionState } from '../../src/session/state.ts';
import { MemoryJournal } from '../support/memory-journal.ts';
import { MemoryKeeper, type Brain } from '../support/memory-keeper.ts';
import { toyHost } from '../support/toy.ts';
import { sharedBy, sharedToyBrain } from '../support/toy-shared.ts';
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
  /** Sessions share processes. */
  readonly shared?: Shared;
}

interface Shared {
  /** Labels that sessions have in turn: those of one share. */
  readonly labels: number;
  /** Conversations (counted over all) that are never opened. */
  readonly unopened: readonly number[];
  /** Conversations (counted over all) that are never closed. */
  readonly unclosed: readonly number[];
  /** A session is closed when it is done, and its seat is free. */
  readonly leaves: boolean;
  /** Conversations are opened ahead, in processes that are: for whoever comes, or each for nobody that ever comes. */
  readonly ahead: 'none' | 'alike' | 'apart';
}

interface Outcome {
  readonly journal: MemoryJournal;
  readonly events: readonly SessionEvent[];
  /** Turns whose prompt an agent received, in order. */
  readonly received: readonly string[];
  /** Most processes that were there at once. */
  readonly most: number;
  /** Messages into conversations that were opened ahead. */
  readonly taken: number;
}

const calm = sharedToyBrain(['some']);

async function run(given: Given): Promise<Outcome> {
  const counted = { p: 0, j: 0, l: 0 };
  const odd = { p: given.deaths, j: given.shared?.unopened ?? [], l: given.shared?.unclosed ?? [] };
  let most = 0;
  const brain: Brain = (line, print, exit, child) => {
    most = Math.max(most, alive());
    const kind = (['p', 'j', 'l'] as const).find((one) => line.startsWith(`${one} `));
    if (kind !== undefined) {
      counted[kind] += 1;
      const isOdd = odd[kind].includes(counted[kind]);
      if (isOdd && kind === 'p') exit(3);
      if (isOdd) return;
    }
    calm(line, print, exit, child);
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
  const prompts = keeper.received.filter((line) => line.startsWith('p '));
  const received = prompts.map((line) => line.split(' ').at(-1) ?? '');
  const opened = new Set(
    keeper.received.filter((line) => line.startsWith('j ')).map((line) => line.slice(2)),
  );
  const taken = prompts.filter((line) => !opened.has(line.split(' ')[1] ?? '')).length;
  return { journal, events: journal.all, received, most, taken };
}

/** A daemon's life: all that a client wants, with keys, so that a client of the next daemon may want it again. */
async function live(journal: MemoryJournal, keeper: MemoryKeeper, given: Given): Promise<void> {
  const sharing = given.shared === undefined ? {} : { sharing: sharedBy({ threadTimeoutMs: 20 }) };
  const ahead = given.shared?.ahead ?? 'none';
  const conversation = ({ id }: SessionSpec): string | undefined =>
    ahead === 'none' ? undefined : ahead === 'alike' ? 'all' : id;
  const host = await toyHost(journal, keeper, { pool: given.pool, ...sharing, conversation });
  const client = async (at: number): Promise<void> => {
    const key = (name: string): { scope: string; key: string; bodyHash: string } => ({
      scope: name,
      key: String(at),
      bodyHash: 'h',
    });
    const label = given.shared === undefined ? {} : { domain: String(at % given.shared.labels) };
    const request = { agent: 'toy', cwd: '/', ...label };
    const { id } = (await host.create(request, { ...BY, idempotency: key('create') })).value;
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
    if (given.shared?.leaves === true) await host.close(id, BY);
  };
  const clients = Array.from({ length: given.sessions }, (_, at) => at);
  if (!given.apart) await Promise.all(clients.map(client));
  else for (const at of clients) await client(at).then(() => (journal.dead ? undefined : rested(given)));
}

/** Long enough for a process to be started ahead, in most runs. */
async function rested({ pool }: Pick<Given, 'pool'>): Promise<void> {
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

const sharedGiven = fc
  .record({
    given,
    labels: fc.integer({ min: 1, max: 2 }),
    perProcess: fc.integer({ min: 1, max: 3 }),
    unopened: fc.uniqueArray(fc.integer({ min: 1, max: 8 }), { maxLength: 1 }),
    unclosed: fc.uniqueArray(fc.integer({ min: 1, max: 4 }), { maxLength: 1 }),
    leaves: fc.boolean(),
    ahead: fc.constantFrom('alike', 'alike', 'apart', 'none'),
    spares: fc.integer({ min: 1, max: 2 }),
    maxWarm: fc.integer({ min: 1, max: 4 }),
    // Most of the time there is time for a process ahead.
    sessions: fc.integer({ min: 3, max: 5 }),
    apart: fc.constantFrom(true, true, true, false),
  })
  .map(({ given: some, perProcess, spares, maxWarm, sessions, apart, ...shared }): Given => ({
    ...some,
    sessions,
    apart,
    shared,
    pool: { ...some.pool, spares, maxWarm, sessionsPerProcess: perProcess },
  }));

/** Each seat that is written down is its session's, and each session that has a process has a seat in it. */
function seatsAdd(journal: MemoryJournal): boolean {
  const rows = journal.runtimes().filter(({ kind }) => kind === 'shared');
  const seats = rows.flatMap(({ state }) =>
    seatsIn(state).seats.map(({ id, session }) => `${id} ${session}`),
  );
  const links = journal.sessions({}).flatMap(({ id, state }) => {
    const { runtime } = state as SessionState;
    if (runtime.kind === 'none' || journal.runtimes().some((row) => row.id === runtime.id)) return [];
    return [`${runtime.id} ${id}`];
  });
  return seats.toSorted().join() === links.toSorted().join();
}

test('processes that sessions share, started ahead too, under daemons that die at any moment: one ending each, no message twice, no seat left over', async () => {
  let several = 0;
  let taken = 0;
  await fc.assert(
    fc.asyncProperty(sharedGiven, async (some) => {
      const outcome = await run(some);
      check(outcome, some);
      await until(() => seatsAdd(outcome.journal));
      several += sharedSpares(outcome.events);
      taken += outcome.taken;
    }),
    { numRuns: 200 },
  );
  // Some that were started before any session had several in the end, and some conversations that were opened ahead were taken.
  expect(several).toBeGreaterThan(0);
  expect(taken).toBeGreaterThan(0);
}, 120_000);

/** How many processes that were started ahead have served more than one session. */
function sharedSpares(events: readonly SessionEvent[]): number {
  const started = events.flatMap((event) => (event.type === 'runtime.started' ? [event] : []));
  const ahead = new Set(started.filter(({ data }) => data.spare === true).map(({ data }) => data.pid));
  const served = (pid: number): number =>
    new Set(started.filter(({ data }) => data.pid === pid).map(({ session }) => session)).size;
  return [...ahead].filter((pid) => served(pid) > 1).length;
}
