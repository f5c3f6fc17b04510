import { expect, test } from 'vitest';
import { HeldChild } from './child.ts';
import { isAlive } from './identity.ts';
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
