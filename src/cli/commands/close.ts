/** `close`: closes a session; its running turn is interrupted, its process ends, its events stay. */
import type { Context } from '../context.ts';
import { required } from '../options.ts';

export async function run(context: Context, args: readonly (string | undefined)[]): Promise<number> {
  const client = await context.client();
  const view = await client.session(required(args, 0, 'the session id')).close();
  context.output.object(view);
  context.output.line(`Closed ${view.id}.`);
  return 0;
}
