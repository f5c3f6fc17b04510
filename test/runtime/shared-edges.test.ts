import { expect, test } from 'vitest';
import type { SessionHost } from '../../src/host/index.ts';
import type { SessionEvent } from '../../src/protocol/index.ts';
import type { Ownership } from '../../src/runtime/ports.ts';
import { seatsIn, type SeatRow } from '../../src/runtime/seat-row.ts';
import { MemoryJournal } from '../support/memory-journal.ts';
import { MemoryKeeper, type Brain } from '../support/memory-keeper.ts';
import { toyHost, type ToyHostOptions } from '../support/toy.ts';
import { sharedBy, sharedToyBrain, type ToySharingOptions } from '../support/toy-shared.ts';
import { until } from '../support/until.ts';

/** What goes wrong with one seat of a shared process while others have theirs: each turn ends once, and no neighbour pays for it (R9, P1, P5). */

const BY = { by: { kind: 'client' as const } };

interface Daemon {
  readonly host: SessionHost;
  readonly journal: MemoryJournal;
  readonly reported: unknown[];
}

async function daemon(
  keeper: MemoryKeeper,
  sharing: ToySharingOptions = {},
  more: ToyHostOptions & { readonly journal?: MemoryJournal } = {},
): Promise<Daemon> {
  const { journal = new MemoryJournal(), ...options } = more;
  const reported: unknown[] = [];
  const report = (error: unknown): void => void reported.push(error);
  const host = await toyHost(journal, keeper, { report, ...options, sharing: sharedBy(sharing) });
  return { host, journal, reported };
}

async function session({ host }: Daemon, domain?: string): Promise<string> {
  const label = domain === undefined ? {} : { domain };
  return (await host.create({ agent: 'toy', cwd: '/', ...label }, BY)).value.id;
}

function of({ journal }: Pick<Daemon, 'journal'>, id: string): SessionEvent[] {
  return journal.all.filter((event) => event.session === id);
}

function types(at: Pick<Daemon, 'journal'>, id: string): string[] {
  return of(at, id).map((event) => event.type);
}

async function ending(at: Daemon, id: string, turn: string): Promise<SessionEvent> {
  const ended = (event: SessionEvent): boolean =>
    event.turn === turn && /^turn\.(completed|failed|interrupted)$/.test(event.type);
  await until(() => of(at, id).some(ended));
  expect(of(at, id).filter(ended)).toHaveLength(1);
  return of(at, id).find(ended)!;
}

async function send({ host }: Daemon, id: string): Promise<string> {
  return (await host.send(id, { input: 'hi' }, BY)).value.id;
}

/** Its turn is complete: it has a seat, and rests. */
async function seated(at: Daemon, domain?: string): Promise<string> {
  const id = await session(at, domain);
  expect((await ending(at, id, await send(at, id))).type).toBe('turn.completed');
  return id;
}

/** Who has a seat by the rows in the journal. */
function seats(at: Pick<Daemon, 'journal'>): string[] {
  return seatRowsIn(at).map((seat) => `${seat.session} ${seat.phase}`);
}

function seatRowsIn({ journal }: Pick<Daemon, 'journal'>): readonly SeatRow[] {
  return journal.runtimes().flatMap(({ state }) => seatsIn(state).seats);
}

function seatOf(at: Daemon, id: string): string {
  return seatRowsIn(at).find((seat) => seat.session === id)?.id ?? '';
}

const calm = sharedToyBrain(['some']);

/** As it does usually, but for what `odd` says true to. */
function but(odd: (...said: Parameters<Brain>) => boolean): Brain {
  return (...said) => {
    if (!odd(...said)) calm(...said);
  };
}

test('two sessions share a process, one after the other, and the last one ends it', async () => {
  const keeper = new MemoryKeeper(calm);
  const at = await daemon(keeper);
  const [a, b] = [await seated(at), await seated(at)];
  expect(keeper.received.filter((line) => line === 'hello')).toHaveLength(1);
  await at.host.close(a, BY);
  await until(() => types(at, a).includes('runtime.ended'));
  await at.host.close(b, BY);
  await until(() => types(at, b).includes('runtime.ended'));
  await until(() => at.journal.runtimes().length === 0 && keeper.children.size === 0);
  expect(at.reported).toEqual([]);
});

test('a conversation that is never opened fails its session in time, and costs the neighbour nothing', async () => {
  let asked = 0;
  const keeper = new MemoryKeeper(but((line) => line.startsWith('j ') && (asked += 1) === 2));
  const at = await daemon(keeper, { threadTimeoutMs: 30 });
  const a = await seated(at);
  const late = await session(at);
  await until(() => types(at, late).includes('notice'));
  expect(of(at, late).find((event) => event.type === 'notice')?.data).toMatchObject({
    code: 'start_timeout',
  });
  expect(seats(at)).toEqual([`${a} in`]);
  expect((await ending(at, a, await send(at, a))).type).toBe('turn.completed');
  expect((await ending(at, late, await send(at, late))).type).toBe('turn.completed');
  expect(types(at, a)).not.toContain('runtime.ended');
  expect(at.reported).toEqual([]);
});

test('a conversation that is never closed lets its session go in time, and costs the neighbour nothing', async () => {
  const keeper = new MemoryKeeper(but((line) => line.startsWith('l ')));
  const at = await daemon(keeper, { threadTimeoutMs: 30 });
  const [a, b] = [await seated(at), await seated(at)];
  await at.host.close(a, BY);
  await until(() => types(at, a).includes('runtime.ended'));
  expect(seats(at)).toEqual([`${b} in`]);
  expect((await ending(at, b, await send(at, b))).type).toBe('turn.completed');
  expect(at.reported).toEqual([]);
});

test('a line of one session that is too long is shown to none of the others', async () => {
  const keeper = new MemoryKeeper(calm);
  const at = await daemon(keeper);
  const [a, b] = [await seated(at), await seated(at)];
  const [child = ''] = keeper.children.keys();
  keeper.print(child, `${seatOf(at, a)} d what a person wrote to A ${'x'.repeat(1 << 20)}\n`);
  const notice = (id: string): SessionEvent | undefined =>
    of(at, id).find((event) => event.type === 'notice' && event.data.code === 'line_too_long');
  await until(() => notice(a) !== undefined && notice(b) !== undefined);
  expect(JSON.stringify(of(at, b))).not.toContain('what a person wrote');
});

test('alone in its process, a session is shown what of the line there is', async () => {
  const keeper = new MemoryKeeper(calm);
  const at = await daemon(keeper);
  const a = await seated(at);
  const [child = ''] = keeper.children.keys();
  keeper.print(child, `${seatOf(at, a)} d what a person wrote to A ${'x'.repeat(1 << 20)}\n`);
  await until(() => types(at, a).includes('notice'));
  expect(JSON.stringify(of(at, a))).toContain('what a person wrote');
});

/** One claim a session: who has it now, and how often it was taken. */
class Claims {
  readonly held = new Set<string>();
  taken: string[] = [];
  /** Awaited before it is had. */
  starting: () => Promise<void> = () => Promise.resolve();

  readonly of = (session: string): Ownership => ({
    starting: async () => {
      await this.starting();
      this.held.add(session);
      this.taken.push(session);
    },
    adopted: () => void this.held.add(session),
    by: () => undefined,
    of: () => undefined,
    in: () => void this.held.add(session),
    release: () => void this.held.delete(session),
    leave: () => void this.held.delete(session),
  });
}

test('a session that is closed while it is read what it wants claims no conversation behind its end', async () => {
  const claims = new Claims();
  const gate = Promise.withResolvers<undefined>();
  let reading = 0;
  const member = (): Promise<undefined> => {
    reading += 1;
    return reading === 2 ? gate.promise : Promise.resolve(undefined);
  };
  const at = await daemon(new MemoryKeeper(calm), { member, ownership: claims.of });
  const a = await seated(at);
  const b = await session(at);
  await until(() => reading === 2);
  await at.host.close(b, BY);
  await until(() => seats(at).length === 1);
  gate.resolve(undefined);
  expect((await ending(at, a, await send(at, a))).type).toBe('turn.completed');
  expect([...claims.held]).toEqual([a]);
  expect(claims.taken).toEqual([a]);
});

test('a session that is closed while it waits for its conversation does not keep it behind its end', async () => {
  const claims = new Claims();
  const at = await daemon(new MemoryKeeper(calm), { ownership: claims.of });
  const a = await seated(at);
  const gate = Promise.withResolvers<void>();
  let waiting = false;
  claims.starting = () => {
    waiting = true;
    return gate.promise;
  };
  const b = await session(at);
  await until(() => waiting);
  await at.host.close(b, BY);
  await until(() => seats(at).length === 1);
  gate.resolve();
  expect((await ending(at, a, await send(at, a))).type).toBe('turn.completed');
  expect([...claims.held]).toEqual([a]);
});

test('a process that dies while a session is read what it wants leaves no claim of the seat that it was to have', async () => {
  const claims = new Claims();
  const gate = Promise.withResolvers<undefined>();
  let reading = 0;
  const member = (): Promise<undefined> => {
    reading += 1;
    return reading === 2 ? gate.promise : Promise.resolve(undefined);
  };
  const keeper = new MemoryKeeper(calm);
  const at = await daemon(keeper, { member, ownership: claims.of });
  const a = await seated(at);
  const b = await session(at);
  await until(() => reading === 2);
  for (const id of keeper.children.keys()) keeper.kill(id);
  await until(() => at.journal.runtimes().length === 0);
  gate.resolve(undefined);
  await at.host.close(b, BY);
  expect((await ending(at, a, await send(at, a))).type).toBe('turn.completed');
  expect([...claims.held]).toEqual([a]);
});

test('a seat whose session is never read what it wants fails that session alone', async () => {
  const silent: Brain = but((line, print) => {
    if (!line.startsWith('p ')) return false;
    const [, seat = '', turn = ''] = line.split(' ');
    print(`${seat} r ${turn}\n${seat} d working\n`);
    return true;
  });
  let reading = 0;
  const member = (): Promise<undefined> => {
    reading += 1;
    return reading === 2 ? Promise.withResolvers<undefined>().promise : Promise.resolve(undefined);
  };
  const limits = { startTimeoutMs: 100, endTimeoutMs: 50, handoverTimeoutMs: 50 };
  const at = await daemon(new MemoryKeeper(silent), { member }, { limits });
  const a = await session(at);
  const turn = await send(at, a);
  await until(() => types(at, a).includes('message.delta'));
  const b = await session(at);
  const failed = await ending(at, b, await send(at, b));
  expect(failed).toMatchObject({ type: 'turn.failed', data: { code: 'runtime_stuck', effects: 'none' } });
  await until(() => seats(at).length === 1);
  expect(types(at, a)).not.toContain('runtime.ended');
  expect(of(at, a).some((event) => event.turn === turn && event.type === 'turn.failed')).toBe(false);
});

test('a full disk that keeps an answer about a seat from being read does not count against its bound', async () => {
  let full = (): void => undefined;
  const keeper = new MemoryKeeper(
    but((line) => {
      if (line.startsWith('j ')) full();
      return false;
    }),
  );
  const at = await daemon(keeper, { threadTimeoutMs: 700 });
  const a = await seated(at);
  const { journal } = at;
  full = () => {
    for (let n = 1; n < 100; n += 1) journal.failing.add(journal.commits + n);
  };
  const b = await session(at);
  await until(() => journal.failing.size > 0);
  const before = journal.commits;
  await until(() => journal.commits >= before + 4);
  journal.failing.clear();
  await until(() => seats(at).includes(`${b} in`) || types(at, b).includes('notice'));
  expect(types(at, b)).not.toContain('notice');
  expect(seats(at)).toEqual([`${a} in`, `${b} in`]);
});
