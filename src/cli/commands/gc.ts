/** `gc`: retention now. */
import type { Context } from '../context.ts';

export async function run(context: Context): Promise<number> {
  const client = await context.client();
  const removed = await client.gc();
  context.output.object(removed);
  const { events, sessions, bytesBefore, bytesAfter } = removed;
  context.output.line(
    events === 0
      ? `Nothing to remove. The journal has ${megabytes(bytesAfter)}.`
      : `Removed ${String(events)} events, all of ${String(sessions)} sessions. The journal has ${megabytes(bytesAfter)}, it had ${megabytes(bytesBefore)}.`,
  );
  return 0;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(1)} MB`;
}
