/** `show`: one session. */
import type { Context } from '../context.ts';
import { table } from '../output.ts';
import { required } from '../options.ts';

export async function run(context: Context, args: readonly (string | undefined)[]): Promise<number> {
  const client = await context.client();
  const view = await client.session(required(args, 0, 'the session id')).view();
  context.output.object(view);
  const rows = Object.entries(view).map(([key, value]) => [
    key,
    typeof value === 'string' ? value : JSON.stringify(value),
  ]);
  context.output.line(table(rows));
  return 0;
}
