/** `deny`: answers a permission request of an agent with no; the message is what the agent reads. */
import type { Context } from '../context.ts';
import { required, textOf, type Options } from '../options.ts';

export async function run(
  context: Context,
  args: readonly (string | undefined)[],
  options: Options,
): Promise<number> {
  const id = required(args, 0, 'the session id');
  const request = required(args, 1, 'the id of the request');
  const client = await context.client();
  const message = textOf(options, 'message') ?? 'The user denied this';
  const answered = await client.session(id).answer(request, { decision: 'deny', message });
  context.output.object(answered);
  context.output.line('Denied.');
  return 0;
}
