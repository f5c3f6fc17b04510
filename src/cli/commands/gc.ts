/** `gc`: retention now. */
import type { Context } from '../context.ts';

export async function run(context: Context): Promise<number> {
  const client = await context.client();
  await client.gc();
  context.output.object({ done: true });
  context.output.line('Done.');
  return 0;
}
