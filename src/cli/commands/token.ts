/** `token new`, `token ls`, `token revoke ID`: scoped tokens. The text of a new one is all that stdout gets. */
import type { PilotlightClient } from '../../client/index.ts';
import { TokenScope, type TokenView } from '../../protocol/index.ts';
import type { Context } from '../context.ts';
import { UsageError } from '../exit.ts';
import { required, textOf, type Options } from '../options.ts';
import { table } from '../output.ts';

export async function run(
  context: Context,
  args: readonly (string | undefined)[],
  options: Options,
): Promise<number> {
  switch (args[0]) {
    case 'new':
      return make(context, options);
    case 'ls':
      return list(context, await context.client());
    case 'revoke':
      return revoke(context, required(args, 1, 'the id of the token'));
    default:
      throw new UsageError(`token takes new, ls or revoke, not ${JSON.stringify(args[0])}`);
  }
}

async function make(context: Context, options: Options): Promise<number> {
  const scopes = scopesOf(options['scope']);
  const expiresInMs = durationOf(textOf(options, 'expires'));
  const name = textOf(options, 'name');
  const { output } = context;
  const client = await context.client();
  const made = await client.tokens.create({
    scopes,
    ...(name === undefined ? {} : { name }),
    ...(expiresInMs === undefined ? {} : { expiresInMs }),
  });
  output.object(made);
  output.line(made.token);
  output.note(
    `${made.id} (${made.name}): ${made.scopes.join(', ')}, ${ending(made)}. Its text is shown this once.`,
  );
  return 0;
}

async function list({ output }: Context, client: PilotlightClient): Promise<number> {
  const items = await client.tokens.list();
  output.object({ items });
  if (items.length === 0) output.line('No scoped tokens.');
  else output.line(table([['TOKEN', 'NAME', 'SCOPES', 'CREATED', 'EXPIRES'], ...items.map(row)]));
  return 0;
}

async function revoke(context: Context, id: string): Promise<number> {
  const { output } = context;
  const client = await context.client();
  const revoked = await client.tokens.revoke(id);
  output.object(revoked);
  output.line(`Revoked ${revoked.id} (${revoked.name}).`);
  return 0;
}

function row(item: TokenView): string[] {
  return [item.id, item.name, item.scopes.join(','), item.createdAt, item.expiresAt ?? 'never'];
}

function ending({ expiresAt }: TokenView): string {
  return expiresAt === undefined ? 'does not expire' : `expires ${expiresAt}`;
}

/** `--scope send --scope approve`, `--scope send approve` and `--scope send,approve` are the same. */
function scopesOf(given: unknown): TokenScope[] {
  const words = (Array.isArray(given) ? given : []).flatMap((word) => String(word).split(','));
  if (words.length === 0)
    throw new UsageError(`--scope is missing: one or more of ${TokenScope.options.join(', ')}`);
  return words.map((word) => {
    const scope = TokenScope.safeParse(word);
    if (!scope.success)
      throw new UsageError(`--scope is one of ${TokenScope.options.join(', ')}, not ${JSON.stringify(word)}`);
    return scope.data;
  });
}

const UNIT_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

export function durationOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const [, count = '', unit = ''] = /^(\d{1,9})([smhd])$/.exec(text) ?? [];
  const ms = Number(count) * (UNIT_MS[unit] ?? NaN);
  if (!Number.isSafeInteger(ms) || ms === 0)
    throw new UsageError(`--expires is a time like 90m, 12h or 30d, not ${JSON.stringify(text)}`);
  return ms;
}
