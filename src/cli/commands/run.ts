/** `run`: one turn. Creates a session (closed again unless --keep) or continues one; the answer goes to stdout. */
import type { ClientSession } from '../../client/index.ts';
import type { Context } from '../context.ts';
import { UsageError } from '../exit.ts';
import { textOf, type Options } from '../options.ts';
import { readStdin, streamTurn } from '../stream.ts';
import { wishOf } from '../wish.ts';

export async function run(
  context: Context,
  args: readonly (string | undefined)[],
  options: Options,
): Promise<number> {
  const session = textOf(options, 'session');
  const wish = session === undefined ? wishOf(context, options) : undefined;
  const prompt = args[0] ?? (process.stdin.isTTY ? undefined : await readStdin());
  if (prompt === undefined || prompt === '')
    throw new UsageError('there is no prompt: give one, or pipe it in');
  const client = await context.client({ start: true });
  const opened = wish === undefined ? client.session(session ?? '') : await client.sessions.create(wish);
  const keep = session !== undefined || options['keep'] === true;
  try {
    return await oneTurn(context, opened, prompt);
  } finally {
    if (keep) context.output.note(context.output.style('dim', `  session ${opened.id}`));
    else await opened.close().catch(() => undefined);
    await client[Symbol.asyncDispose]();
  }
}

async function oneTurn(context: Context, session: ClientSession, prompt: string): Promise<number> {
  const turn = await session.send(prompt);
  return streamTurn(context, session, turn);
}
