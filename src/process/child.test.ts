import { expect, test } from 'vitest';
import { HeldChild } from './child.ts';
import { isAlive, readStat } from './identity.ts';
import { DEFAULT_LADDER, type ChildExit } from './ports.ts';

test('a process that cannot be ended is told as stuck, and not waited for', async () => {
  const exited = Promise.withResolvers<ChildExit>();
  const held = await HeldChild.start({
    spec: {
      id: 'rt_1',
      file: process.execPath,
      args: ['-e', 'setInterval(()=>{},1000)'],
      cwd: process.cwd(),
      env: { PATH: process.env['PATH'] ?? '' },
      goodbye: new Uint8Array(),
    },
    mark: 'home_child_test/rt_1',
    ladder: DEFAULT_LADDER,
    // Nothing of it can be signalled, as in an uninterruptible wait.
    endTree: async (rungs) => rungs.find(),
    listener: {
      out: () => undefined,
      stderr: () => undefined,
      wrote: () => undefined,
      refused: () => undefined,
      exit: exited.resolve,
    },
  });
  try {
    held.end();
    const exit = await exited.promise;
    expect(exit.stuck).toMatchObject([held.identity]);
    expect(exit.code).toBeUndefined();
    expect(isAlive(held.identity)).toBe(true);
  } finally {
    process.kill(held.identity.pid, 'SIGKILL');
  }
});

test('what a process starts as it ends, without our mark and in a group of its own, goes with it', async () => {
  const exited = Promise.withResolvers<ChildExit>();
  const script = 'set -m; env -i /bin/sleep 1000 </dev/null >/dev/null 2>&1 & echo $!; disown; exit 0';
  let said = '';
  const held = await HeldChild.start({
    spec: {
      id: 'rt_2',
      file: '/bin/bash',
      args: ['-c', script],
      cwd: process.cwd(),
      env: { PATH: process.env['PATH'] ?? '' },
      goodbye: new Uint8Array(),
    },
    mark: 'home_child_test/rt_2',
    ladder: DEFAULT_LADDER,
    listener: {
      out: (bytes) => (said += bytes.toString()),
      stderr: () => undefined,
      wrote: () => undefined,
      refused: () => undefined,
      exit: exited.resolve,
    },
  });
  const { stuck } = await exited.promise;
  const left = Number(said.trim());
  expect(left).toBeGreaterThan(1);
  const stat = readStat(left);
  const lives = stat?.session === held.identity.pid && stat.state !== 'Z';
  if (lives) process.kill(left, 'SIGKILL');
  expect([lives, stuck]).toEqual([false, []]);
});
