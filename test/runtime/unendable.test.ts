import { expect, test } from 'vitest';
import { MemoryJournal } from '../support/memory-journal.ts';
import { MemoryKeeper } from '../support/memory-keeper.ts';
import { toyHost } from '../support/toy.ts';
import { until } from '../support/until.ts';

/** A process that no signal ends (an uninterruptible wait, another user's): nobody waits for it, and a person is told which it is. */

const BY = { by: { kind: 'client' as const } };

/** The first process hears nothing any more; those behind it answer. */
function deafFirst(): MemoryKeeper {
  let first: string | undefined;
  return new MemoryKeeper((line, print, _exit, child) => {
    if (line === 'hello') print('ready\n');
    if (!line.startsWith('p ')) return;
    first ??= child;
    print(`r ${line.slice(2)}\nd working\n${child === first ? '' : 'w done\ne\n'}`);
  });
}

test('a process that cannot be ended: its turn ends once, who it is and what to do is told, the next message has another process', async () => {
  const journal = new MemoryJournal();
  const keeper = deafFirst();
  const host = await toyHost(journal, keeper, {
    limits: { inactivityTimeoutMs: 30, interruptTimeoutMs: 30 },
  });
  keeper.unendable = true;
  const session = (await host.create({ agent: 'toy', cwd: '/' }, BY)).value.id;
  const turn = (await host.send(session, { input: 'one' }, BY)).value.id;
  await until(() => journal.all.some(({ type }) => type === 'runtime.ended'));
  const pid = journal.all.find(({ type }) => type === 'runtime.started')?.data;
  const ended = journal.all.filter(
    (event) => event.turn === turn && /^turn\.(comp|fail|int)/.test(event.type),
  );
  expect(ended.map(({ type, data }) => [type, data])).toMatchObject([
    ['turn.failed', { code: 'inactivity_timeout' }],
  ]);
  const told = journal.all.find(
    ({ type, data }) => type === 'notice' && 'code' in data && data.code === 'process_stuck',
  );
  const { pid: number } = Object(pid);
  expect(told?.data).toMatchObject({
    level: 'error',
    message: `Process ${String(number)} of toy could not be ended and lives on in /. End by hand: kill -9 ${String(number)}.`,
  });
  const next = (await host.send(session, { input: 'two' }, BY)).value.id;
  await until(() => journal.all.some((event) => event.turn === next && event.type === 'turn.completed'));
});
