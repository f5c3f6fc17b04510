/** `interrupt`: asks the running turn to end. */
import type { Context } from '../context.ts';
import { required } from '../options.ts';

export async function run(context: Context, args: readonly (string | undefined)[]): Promise<number> {
  const client = await context.client();
  const turn = await client.session(required(args, 0, 'the session id')).interrupt();
  context.output.object(turn);
  context.output.line(`Interrupting ${turn.id}.`);
  return 0;
}
