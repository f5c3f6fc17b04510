/** `allow`: answers a permission request of an agent with yes. */
import type { Context } from '../context.ts';
import { required, type Options } from '../options.ts';

export async function run(
  context: Context,
  args: readonly (string | undefined)[],
  options: Options,
): Promise<number> {
  const id = required(args, 0, 'the session id');
  const request = required(args, 1, 'the id of the request');
  const client = await context.client();
  const decision = options['forSession'] === true ? 'allow_for_session' : 'allow';
  const answered = await client.session(id).answer(request, { decision });
  context.output.object(answered);
  context.output.line(decision === 'allow' ? 'Allowed.' : 'Allowed, and for the rest of the session.');
  return 0;
}
