/** stdout: a pipe that may be slow or whose reader may leave (`| head`), a file on a disk that is full. Knows nothing of what is written. */

let onLeft: (() => void) | undefined;
let left = false;
let failed = false;

/** A reader that left is no failure of ours: the command ends quietly, after what it must still put away. What could not be written is one. */
export function guardPipes(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (left) return;
    left = true;
    failed = error.code !== 'EPIPE';
    if (failed) process.stderr.write(`pilotlight: stdout cannot be written: ${error.message}\n`);
    if (onLeft === undefined) process.exit(failed ? 1 : 0);
    onLeft();
  });
  process.stderr.on('error', () => undefined);
}

/** The exit code of a command that did its work, when what it said could be written. */
export function written(code: number): number {
  return failed ? 1 : code;
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
