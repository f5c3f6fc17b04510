/** `events`: the journal as JSON lines. */
import type { Context } from '../context.ts';
import { numberOf, required, type Options } from '../options.ts';
import { drained } from '../pipe.ts';
import { noSuchPlace } from '../place.ts';

export async function run(
  context: Context,
  args: readonly (string | undefined)[],
  options: Options,
): Promise<number> {
  const client = await context.client();
  const session = client.session(required(args, 0, 'the session id'));
  const leave = new AbortController();
  process.once('SIGINT', () => leave.abort());
  const after = numberOf(options, 'from') ?? 0;
  const stream = session.events({
    after,
    follow: options['follow'] === true,
    signal: leave.signal,
  });
  for await (const item of stream) {
    process.stdout.write(`${JSON.stringify(item)}\n`);
    await drained();
    if (item.type === 'stream.reset') throw noSuchPlace(after, item);
  }
  return leave.signal.aborted ? 130 : 0;
}
