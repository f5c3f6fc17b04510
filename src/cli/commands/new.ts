/** `new`: creates a session and prints its id. */
import type { Context } from '../context.ts';
import type { Options } from '../options.ts';
import { tellTrust } from '../trust.ts';
import { wishOf } from '../wish.ts';

export async function run(context: Context, _args: readonly unknown[], options: Options): Promise<number> {
  const wish = wishOf(context, options);
  const client = await context.client({ start: true });
  const session = await client.sessions.create(wish);
  if (context.output.json) context.output.object(await session.view());
  context.output.line(session.id);
  tellTrust(context, await session.view());
  return 0;
}
