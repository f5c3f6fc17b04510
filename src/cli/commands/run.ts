/** `run`: one turn. Creates a session (closed again unless --keep) or continues one; the answer goes to stdout. */
import type { SendOptions } from '../../protocol/index.ts';
import type { Context } from '../context.ts';
import { UsageError } from '../exit.ts';
import type { AskHow } from '../asker.ts';
import { choiceOf, flagOf, textOf, type Options } from '../options.ts';
import { promptOf, streamTurn } from '../stream.ts';
import { aboutTrust } from '../trust.ts';
import { wishOf } from '../wish.ts';

export async function run(
  context: Context,
  args: readonly (string | undefined)[],
  options: Options,
): Promise<number> {
  const session = textOf(options, 'session');
  if (session === '') throw new UsageError('--session wants the id of a session: `pilotlight ls` lists them');
  const wish = session === undefined ? wishOf(context, options) : undefined;
  if (session !== undefined) refuseForContinued(options);
  const prompt = await promptOf(args[0]);
  if (prompt === undefined || prompt === '')
    throw new UsageError('there is no prompt: give one, or pipe it in');
  const client = await context.client({ start: true });
  const opened = wish === undefined ? client.session(session ?? '') : await client.sessions.create(wish);
  const keep = session !== undefined || options['keep'] === true;
  let exists = wish !== undefined;
  try {
    if (wish !== undefined) await aboutTrust(context, client, opened);
    const readOnly = session === undefined ? undefined : options['readOnly'];
    const turn = await opened.send(prompt, asReadOnly(readOnly));
    exists = true;
    return await streamTurn(context, { session: opened, turn, ask: asking(options) });
  } finally {
    if (keep && exists) context.output.note(`  session ${opened.id}`, 'dim');
    if (!keep) await opened.close().catch(() => undefined);
    await client[Symbol.asyncDispose]();
  }
}

/** Without a terminal nobody is here to ask: what is asked is denied, unless it is to wait for other clients. */
function asking(options: Options): AskHow {
  const how = choiceOf(options, 'ask', ['wait']);
  if (how !== undefined) return how;
  return process.stdin.isTTY && process.stderr.isTTY ? 'terminal' : 'deny';
}

/** A session has its workspace and model; to leave such an option out without a word would surprise. */
function refuseForContinued(options: Options): void {
  for (const key of ['cwd', 'model', 'mode', 'name', 'mcpConfig', 'trust', 'env', 'resume'])
    if (options[key] !== undefined)
      throw new UsageError(`${flagOf(key)} is of a new session, not of --session`);
}

function asReadOnly(given: unknown): SendOptions {
  if (given === undefined) return {};
  return { readOnly: typeof given === 'string' ? { reason: given } : {} };
}
