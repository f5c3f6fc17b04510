/** `interrupt`: asks the running turn to end. */
import type { Context } from '../context.ts';
import { required, type Options } from '../options.ts';

export async function run(
  context: Context,
  args: readonly (string | undefined)[],
  options: Options,
): Promise<number> {
  const client = await context.client();
  const turn = await client
    .session(required(args, 0, 'the session id'))
    .interrupt(options['clear'] === true ? { queue: 'clear' } : {});
  context.output.object(turn);
  context.output.line(`Interrupting ${turn.id}.`);
  return 0;
}
