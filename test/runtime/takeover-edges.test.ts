import { expect, test } from 'vitest';
import type { Dialect } from '../../src/agents/dialect.ts';
import type { SessionHost } from '../../src/host/index.ts';
import type { SessionEvent } from '../../src/protocol/index.ts';
import { MemoryJournal } from '../support/memory-journal.ts';
import { MemoryKeeper } from '../support/memory-keeper.ts';
import { toy, toyBrain, toyHost, type ToyHostOptions, type ToyState } from '../support/toy.ts';
import { until } from '../support/until.ts';

/** What happens between two daemons, or between a command and a process that is not there yet: every turn ends, once (P1, P5). */

const BY = { by: { kind: 'client' as const } };

/** Receipt and text, and then the turn goes on. */
const goesOn = new MemoryKeeper((line, print) => {
  if (line === 'hello') print('ready\n');
  if (line.startsWith('p ')) print(`r ${line.slice(2)}\nd working\n`);
});

function types(journal: MemoryJournal): string[] {
  return journal.all.map((event) => event.type);
}

function the(journal: MemoryJournal, type: SessionEvent['type']): unknown {
  return journal.all.find((event) => event.type === type)?.data;
}

/** A daemon with a turn under way dies; the next one's journal. */
async function interrupted(
  keeper: MemoryKeeper,
): Promise<{ readonly journal: MemoryJournal; readonly session: string }> {
  const first = new MemoryJournal();
  const host = await toyHost(first, keeper, { report: () => undefined });
  const session = (await host.create({ agent: 'toy', cwd: '/' }, BY)).value.id;
  await host.send(session, { input: 'hi' }, BY);
  await until(() => types(first).includes('message.delta'));
  host.detach();
  keeper.cutOff();
  return { journal: first.reopen(), session };
}

/** The next daemon, held where it wants the settings of its runtimes. */
function held(
  journal: MemoryJournal,
  keeper: MemoryKeeper,
  options: ToyHostOptions = {},
): { readonly host: Promise<SessionHost>; readonly waiting: Promise<void>; readonly go: () => void } {
  const waiting = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  const settled = (): Promise<void> => {
    waiting.resolve();
    return gate.promise;
  };
  const host = toyHost(journal, keeper, { ...options, settled });
  return { host, waiting: waiting.promise, go: gate.resolve };
}

test('a watch that fires while a process is taken over ends it when it can be told so', async () => {
  const keeper = goesOn;
  const { journal, session } = await interrupted(keeper);
  const reported: unknown[] = [];
  const next = held(journal, keeper, {
    limits: { inactivityTimeoutMs: 30, interruptTimeoutMs: 30 },
    report: (error) => reported.push(error),
  });
  await next.waiting;
  await until(() => reported.length > 0);
  next.go();
  const host = await next.host;
  await until(() => types(journal).includes('runtime.ended'));
  expect(the(journal, 'turn.failed')).toMatchObject({ code: 'inactivity_timeout' });
  const turn = await host.send(session, { input: 'again' }, BY);
  await until(() => journal.all.some((e) => e.type === 'turn.started' && e.turn === turn.value.id));
});

test('a row that cannot be read fails its turn, and a process that does not go keeps no daemon from coming up', async () => {
  const keeper = new MemoryKeeper(toyBrain(['one']));
  const silent = new MemoryKeeper((line, print) => {
    if (line === 'hello') print('ready\n');
    if (line.startsWith('p ')) print(`r ${line.slice(2)}\nd working\n`);
  });
  const { journal } = await interrupted(silent);
  const unreadable: Dialect<ToyState> = {
    ...toy,
    revive: () => {
      throw new Error('a newer state');
    },
  };
  const reported: unknown[] = [];
  await toyHost(journal, keeper, {
    dialect: unreadable,
    report: (error) => reported.push(error),
    // Holds it, and its exit never comes.
    children: (children) => ({
      ...children,
      attach: (id) => ({
        id,
        identity: { pid: 1, startTime: '1' },
        lastWrite: 0,
        write: () => undefined,
        received: () => undefined,
        acknowledge: () => undefined,
        markTurn: () => undefined,
        end: () => undefined,
        forget: () => undefined,
      }),
    }),
  });
  await until(() => types(journal).includes('turn.failed'));
  expect(the(journal, 'turn.failed')).toMatchObject({ code: 'takeover_failed', effects: 'possible' });
  expect(reported).toHaveLength(1);
});

test('a start that is never reported fails the turn that waits for it, and starts nothing beside it', async () => {
  const journal = new MemoryJournal();
  let spawned = 0;
  const host = await toyHost(journal, new MemoryKeeper(() => undefined), {
    limits: { startTimeoutMs: 20, endTimeoutMs: 10, handoverTimeoutMs: 10 },
    children: (children) => ({
      ...children,
      spawn: () => {
        spawned += 1;
        return Promise.withResolvers<never>().promise;
      },
    }),
  });
  const session = (await host.create({ agent: 'toy', cwd: '/' }, BY)).value.id;
  await host.send(session, { input: 'hi' }, BY);
  await until(() => types(journal).includes('turn.failed'));
  expect(the(journal, 'turn.failed')).toMatchObject({ code: 'runtime_stuck', effects: 'none' });
  const second = await host.send(session, { input: 'again' }, BY);
  await until(() => journal.all.some((e) => e.type === 'turn.failed' && e.turn === second.value.id));
  expect(spawned).toBe(1);
});

test('output that can never be kept is given up for the ending of its turn', async () => {
  const journal = new MemoryJournal();
  const poison: Dialect<ToyState> = {
    ...toy,
    // A word that no session knows: its decision throws, however often.
    translate: (state, line, ids) =>
      line === 'poison'
        ? { state, signals: [{ kind: 'no such signal' } as never], writes: [] }
        : toy.translate(state, line, ids),
  };
  const keeper = new MemoryKeeper((line, print, exit) => {
    if (line === 'hello') print('ready\n');
    if (!line.startsWith('p ')) return;
    print(`r ${line.slice(2)}\npoison\n`);
    exit(3);
  });
  const host = await toyHost(journal, keeper, { dialect: poison, report: () => undefined });
  const session = (await host.create({ agent: 'toy', cwd: '/' }, BY)).value.id;
  await host.send(session, { input: 'hi' }, BY);
  await until(() => types(journal).includes('runtime.ended'));
  expect(types(journal).filter((type) => type === 'turn.failed')).toHaveLength(1);
  expect(types(journal)).toContain('notice');
});

test('a full disk at the moment in which a process is ready delays the turn and does not fail it', async () => {
  const journal = new MemoryJournal();
  const host = await toyHost(journal, new MemoryKeeper(toyBrain(['one'])), { report: () => undefined });
  const session = (await host.create({ agent: 'toy', cwd: '/' }, BY)).value.id;
  journal.failing.add(journal.commits + 1);
  await until(() => types(journal).includes('runtime.started'));
  await host.send(session, { input: 'hi' }, BY);
  await until(() => types(journal).includes('turn.completed'));
  expect(types(journal)).not.toContain('turn.failed');
});

test('a reason to end outlives the daemon that had it', async () => {
  const keeper = new MemoryKeeper((line, print) => {
    if (line === 'hello') print('ready\n');
    if (line.startsWith('p ')) print(`r ${line.slice(2)}\nd working\n`);
  });
  const first = new MemoryJournal();
  // The first daemon dies in the commit that decides the end: nobody has asked the process to go yet.
  const host = await toyHost(first, keeper, { report: () => undefined });
  const session = (await host.create({ agent: 'toy', cwd: '/' }, BY)).value.id;
  await until(() => types(first).includes('runtime.started'));
  first.crashAfter = first.commits + 1;
  first.onCrash = () => keeper.cutOff();
  void host.close(session, BY).catch(() => undefined);
  await until(() => first.dead);
  const journal = first.reopen();
  await toyHost(journal, keeper);
  await until(() => types(journal).includes('runtime.ended'));
  expect(the(journal, 'runtime.ended')).toMatchObject({ reason: 'closed' });
});

test('a refused command between two others of a sleeping session does not make a second one of it: no seq comes twice', async () => {
  const journal = new MemoryJournal();
  const host = await toyHost(journal, new MemoryKeeper(toyBrain([])), { pool: { warmOnCreate: false } });
  const session = (await host.create({ agent: 'toy', cwd: '/' }, BY)).value.id;
  // In one turn of the event loop: one transaction.
  const commands = [
    host.update(session, { name: 'one' }, BY),
    host.interrupt(session, {}, BY),
    host.update(session, { name: 'two' }, BY),
  ];
  const settled = await Promise.allSettled(commands);
  expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  expect(journal.all.map(({ seq }) => seq)).toEqual([1, 2, 3]);
  expect(host.get(session)).toMatchObject({ name: 'two', lastSeq: 3 });
});

test('a full disk under a refused command and the end of a process: the session stays the one that its process speaks to', async () => {
  const journal = new MemoryJournal();
  const keeper = new MemoryKeeper(toyBrain(['one']));
  const host = await toyHost(journal, keeper);
  const session = (await host.create({ agent: 'toy', cwd: '/' }, BY)).value.id;
  await until(() => types(journal).includes('runtime.started'));
  // The end of the process and a refused command meet in a transaction that finds no room.
  for (const kept of keeper.children.values()) {
    kept.exit = { code: 0, signal: undefined, stderrTail: '', stuck: [] };
    kept.listener?.exit(kept.exit);
  }
  journal.failing.add(journal.commits + 1);
  await host.interrupt(session, {}, BY).catch(() => undefined);
  await host.update(session, { name: 'meanwhile' }, BY);
  await until(() => types(journal).includes('runtime.ended'));
  await host.send(session, { input: 'hi' }, BY);
  await until(() => types(journal).includes('turn.completed'));
  expect(journal.all.map(({ seq }) => seq)).toEqual(journal.all.map((_, index) => index + 1));
});
