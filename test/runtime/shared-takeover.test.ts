import { expect, test } from 'vitest';
import type { SessionHost } from '../../src/host/index.ts';
import { TURN_ENDINGS, type SessionEvent } from '../../src/protocol/index.ts';
import { seatsIn, type SeatRow } from '../../src/runtime/seat-row.ts';
import { MemoryJournal } from '../support/memory-journal.ts';
import { MemoryKeeper, type Brain } from '../support/memory-keeper.ts';
import { toyHost } from '../support/toy.ts';
import { sharedBy, sharedToyBrain, type ToySharingOptions } from '../support/toy-shared.ts';
import { until } from '../support/until.ts';

/**
 * A seat of a shared process that is being taken or given back when the daemon dies, at each step of it: the next daemon goes on from there, and
 * whoever else has a seat notices nothing (P2, P3, R9). No bound helps: they are longer than any test.
 */

const BY = { by: { kind: 'client' as const } };
const calm = sharedToyBrain(['some']);

class Home {
  readonly keeper: MemoryKeeper;
  readonly reported: unknown[] = [];
  journal = new MemoryJournal();
  host!: SessionHost;
  /** What a session wants is being read. */
  reading: () => Promise<undefined> = () => Promise.resolve(undefined);

  constructor(brain: Brain = calm) {
    this.keeper = new MemoryKeeper(brain);
  }

  async start(sharing: ToySharingOptions = {}): Promise<void> {
    const { journal } = this;
    const report = (error: unknown): void => void (journal.dead || this.reported.push(error));
    this.host = await toyHost(journal, this.keeper, {
      report,
      sharing: sharedBy({ threadTimeoutMs: 600_000, member: async () => this.reading(), ...sharing }),
    });
  }

  /** The daemon is to die with the commit that is so many from now. */
  dieAfter(commits: number): void {
    this.journal.crashAfter = this.journal.commits + commits;
    this.journal.onCrash = () => this.keeper.cutOff();
  }

  /** It dies now, if it has not yet. */
  async again(sharing: ToySharingOptions = {}): Promise<void> {
    this.host.detach();
    this.keeper.cutOff();
    this.journal = this.journal.reopen();
    this.reading = () => Promise.resolve(undefined);
    await this.start(sharing);
  }

  /** `key`: whoever says it again says it once. */
  async session(key: string): Promise<string> {
    const idempotency = { scope: 'sessions', key, bodyHash: 'h' };
    return (await this.host.create({ agent: 'toy', cwd: '/' }, { ...BY, idempotency })).value.id;
  }

  async send(id: string, key: string): Promise<string> {
    const idempotency = { scope: id, key, bodyHash: 'h' };
    return (await this.host.send(id, { input: 'hi' }, { ...BY, idempotency })).value.id;
  }

  /** Its first turn is complete: it has a seat, and rests. */
  async seated(key: string): Promise<string> {
    const id = await this.session(key);
    const turn = await this.send(id, 'first');
    await until(() => this.ending(turn) !== undefined);
    expect(this.ending(turn)).toBe('turn.completed');
    return id;
  }

  async closed(id: string): Promise<void> {
    await this.host.close(id, BY);
    await until(
      () => this.journal.session(id)?.closed === true && !this.seats.some((seat) => seat.startsWith(id)),
    );
  }

  of(id: string): SessionEvent[] {
    return this.journal.all.filter((event) => event.session === id);
  }

  ending(turn: string): string | undefined {
    const all = this.journal.all.filter((event) => event.turn === turn && TURN_ENDINGS.has(event.type));
    expect(all.length).toBeLessThanOrEqual(1);
    return all[0]?.type;
  }

  get rows(): readonly SeatRow[] {
    return this.journal.runtimes().flatMap(({ state }) => seatsIn(state).seats);
  }

  get seats(): string[] {
    return this.rows.map(({ session, phase }) => `${session} ${phase}`);
  }

  heard(word: string): string[] {
    return this.keeper.received.filter((line) => line.startsWith(`${word} `)).map((line) => line.slice(2));
  }

  get started(): number {
    return this.keeper.received.filter((line) => line === 'hello').length;
  }
}

/** A run for each commit of `act` after which the daemon dies, and the last one with none. `act` says the same again to the next daemon. */
async function eachStep(
  prepare: (home: Home) => Promise<void>,
  act: (home: Home) => Promise<void>,
): Promise<{ readonly steps: number; readonly homes: readonly Home[] }> {
  const homes: Home[] = [];
  for (let after = 1; ; after += 1) {
    const home = new Home();
    homes.push(home);
    await home.start();
    await prepare(home);
    const { journal } = home;
    home.dieAfter(after);
    const acting = act(home).catch((error: unknown) => {
      if (!journal.dead) throw error;
    });
    await Promise.race([acting, until(() => journal.dead)]);
    journal.crashAfter = Number.POSITIVE_INFINITY;
    if (!journal.dead) return { steps: after, homes };
    await home.again();
    await act(home);
  }
}

test('a seat that is being taken when the daemon dies, at each step of it: the next one goes on, once', async () => {
  const a = new Map<Home, string>();
  const { steps, homes } = await eachStep(
    async (home) => void a.set(home, await home.seated('a')),
    async (home) => void (await home.seated('b')),
  );
  expect(steps).toBeGreaterThan(4);
  for (const home of homes) {
    const b = await home.session('b');
    const neighbour = a.get(home) ?? '';
    expect(home.seats.toSorted()).toEqual([`${neighbour} in`, `${b} in`].toSorted());
    expect(home.of(neighbour).map(({ type }) => type)).not.toContain('runtime.ended');
    expect(home.heard('p')).toHaveLength(2);
    expect(home.started).toBe(1);
    expect(home.reported).toEqual([]);
  }
});

test('a seat that is being given back when the daemon dies, at each step of it: its conversation is closed, once', async () => {
  const { steps, homes } = await eachStep(
    async (home) => {
      await home.seated('a');
      await home.seated('b');
    },
    async (home) => home.closed(await home.session('b')),
  );
  expect(steps).toBeGreaterThan(2);
  for (const home of homes) {
    const [a, b] = [await home.session('a'), await home.session('b')];
    await until(() => home.seats.length === 1);
    expect(home.seats).toEqual([`${a} in`]);
    expect(home.heard('l')).toHaveLength(1);
    expect(home.of(b).filter(({ type }) => type === 'runtime.ended')).toHaveLength(1);
    expect(home.of(a).map(({ type }) => type)).not.toContain('runtime.ended');
    expect(home.started).toBe(1);
    expect(home.reported).toEqual([]);
  }
});

test('a seat that is called off before anything was written for it, when the daemon dies, at each step of it', async () => {
  const never = Promise.withResolvers<undefined>().promise;
  const { steps, homes } = await eachStep(
    async (home) => {
      await home.seated('a');
      home.reading = () => never;
      await home.session('b');
    },
    async (home) => home.closed(await home.session('b')),
  );
  expect(steps).toBeGreaterThan(1);
  for (const home of homes) {
    const [a] = [await home.session('a'), await home.session('b')];
    await until(() => home.seats.length === 1);
    expect(home.seats).toEqual([`${a} in`]);
    expect(home.started).toBe(1);
    expect(home.reported).toEqual([]);
  }
});

test('the first seat of a process, when the daemon dies, at each step of it: no process is left without a session', async () => {
  const { steps, homes } = await eachStep(
    async () => undefined,
    async (home) => void (await home.seated('a')),
  );
  expect(steps).toBeGreaterThan(4);
  for (const home of homes) {
    const a = await home.session('a');
    expect(home.seats).toEqual([`${a} in`]);
    expect(home.heard('p')).toHaveLength(1);
    await home.closed(a);
    await until(() => home.journal.runtimes().length === 0);
    expect(home.reported).toEqual([]);
  }
});

/** As many runs as there are commits until `b` has its answer; at each of them something happens to the process or to who holds it. */
async function atEachStep(happens: (home: Home) => void): Promise<readonly Home[]> {
  const homes: Home[] = [];
  for (let step = 1; ; step += 1) {
    const home = new Home();
    homes.push(home);
    await home.start();
    await home.seated('a');
    const { journal } = home;
    const before = journal.commits;
    const b = await home.session('b');
    const turn = await home.send(b, 'first');
    const over = (): boolean => home.ending(turn) !== undefined;
    await until(() => over() || journal.commits >= before + step);
    if (over()) return homes;
    happens(home);
    await until(over);
  }
}

async function goesOn(homes: readonly Home[]): Promise<void> {
  for (const home of homes) {
    for (const id of [await home.session('a'), await home.session('b')]) {
      const turn = await home.send(id, 'and then');
      await until(() => home.ending(turn) !== undefined);
      expect(home.ending(turn)).toBe('turn.completed');
    }
    const prompts = home.heard('p').map((line) => line.split(' ').at(-1));
    expect(new Set(prompts).size).toBe(prompts.length);
    expect(home.reported).toEqual([]);
  }
}

test('the process dies while a seat in it is being taken, at each step of it: one ending each, and both come back', async () => {
  const homes = await atEachStep(({ keeper }) => {
    for (const id of keeper.children.keys()) keeper.kill(id);
  });
  expect(homes.length).toBeGreaterThan(3);
  await goesOn(homes);
});

test('the keeper dies while a seat is being taken, at each step of it: one ending each, and both come back', async () => {
  const homes = await atEachStep(({ keeper }) => keeper.die());
  expect(homes.length).toBeGreaterThan(3);
  await goesOn(homes);
});

test('a seat that was being taken, and what its session wants cannot be had any more: neither the next daemon nor its neighbour waits for it', async () => {
  const home = new Home((line, print, exit, child) => {
    if (!line.startsWith('j ') || home.heard('j').length === 1) calm(line, print, exit, child);
  });
  await home.start();
  const a = await home.seated('a');
  const b = await home.session('b');
  await until(() => home.seats.includes(`${b} joining`));
  const never = Promise.withResolvers<undefined>().promise;
  const member: ToySharingOptions['member'] = (id) => (id === b ? never : Promise.resolve(undefined));
  await home.again({ member, threadTimeoutMs: 30 });
  const turn = await home.send(a, 'and then');
  await until(() => home.ending(turn) !== undefined);
  expect(home.ending(turn)).toBe('turn.completed');
  await until(() => home.seats.length === 1);
  expect(home.seats).toEqual([`${a} in`]);
});
