/** stdout as a pipe that may be slow, or whose reader may leave (`| head`). Knows nothing of what is written. */

let onLeft: (() => void) | undefined;
let left = false;

/** A reader that left is no failure of ours: the command ends quietly, after what it must still put away. */
export function guardPipes(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE' || left) return;
    left = true;
    if (onLeft === undefined) process.exit(0);
    onLeft();
  });
  process.stderr.on('error', () => undefined);
}

/** Until disposed, `act` is called instead of ending the process at once. */
export function whenReaderLeaves(act: () => void): Disposable {
  onLeft = act;
  return {
    [Symbol.dispose]() {
      onLeft = undefined;
    },
  };
}

/** Resolves when stdout takes more, or never will again: a slow reader slows us down instead of filling our memory. */
export async function drained(): Promise<void> {
  const stdout = process.stdout;
  if (!stdout.writableNeedDrain || left) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  for (const event of ['drain', 'error', 'close']) stdout.once(event, resolve);
  await promise;
  for (const event of ['drain', 'error', 'close']) stdout.off(event, resolve);
}
