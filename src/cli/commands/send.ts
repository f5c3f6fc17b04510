/** `send`: one more turn, streamed unless --no-wait. */
import type { Context } from '../context.ts';
import { UsageError } from '../exit.ts';
import { choiceOf, required, type Options } from '../options.ts';
import { promptOf, streamTurn } from '../stream.ts';

export async function run(
  context: Context,
  args: readonly (string | undefined)[],
  options: Options,
): Promise<number> {
  const id = required(args, 0, 'the session id');
  const whenBusy = choiceOf(options, 'whenBusy', ['reject', 'queue', 'steer', 'interrupt']);
  const text = await promptOf(args[1]);
  if (text === undefined || text === '') throw new UsageError('there is no text: give one, or pipe it in');
  const client = await context.client();
  const session = client.session(id);
  const turn = await session.send(text, whenBusy === undefined ? {} : { whenBusy });
  if (options['wait'] === false) {
    context.output.object(turn.accepted);
    context.output.line(turn.id);
    return 0;
  }
  return streamTurn(context, { session, turn });
}
