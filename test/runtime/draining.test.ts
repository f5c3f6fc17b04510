import { setTimeout as taking } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { MemoryJournal } from '../support/memory-journal.ts';
import { MemoryKeeper } from '../support/memory-keeper.ts';
import { toyHost } from '../support/toy.ts';
import { until } from '../support/until.ts';

/** What stopping waits for. */

const BY = { by: { kind: 'client' as const } };

test('stop --now as an agent takes its time to leave: its end is in the journal as that shutdown, no crash that the next daemon finds', async () => {
  const journal = new MemoryJournal();
  const keeper = new MemoryKeeper((line, print) => {
    if (line === 'hello') print('ready\n');
    if (line.startsWith('p ')) print(`r ${line.slice(2)}\nd working\n`);
  });
  keeper.leaving = () => taking(50);
  const host = await toyHost(journal, keeper);
  const session = (await host.create({ agent: 'toy', cwd: '/' }, BY)).value.id;
  const turn = (await host.send(session, { input: 'one' }, BY)).value.id;
  await until(() => journal.all.some(({ type }) => type === 'message.delta'));
  await host.drain(0);
  expect(journal.all.slice(-2)).toMatchObject([
    { type: 'turn.interrupted', turn, data: { by: { kind: 'shutdown' } } },
    { type: 'runtime.ended', data: { reason: 'shutdown', code: 0 } },
  ]);
});
