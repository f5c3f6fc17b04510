/** `trust [DIR]`: agents take up what a repository brings along; `--revoke`, `--list`. */
import { resolve } from 'node:path';
import type { Context } from '../context.ts';
import { UsageError } from '../exit.ts';
import type { Options } from '../options.ts';
import { table } from '../output.ts';

export async function run(
  context: Context,
  args: readonly (string | undefined)[],
  options: Options,
): Promise<number> {
  const { output } = context;
  const [revoke, list] = [options['revoke'] === true, options['list'] === true];
  if (list && (revoke || args[0] !== undefined)) throw new UsageError('--list goes with nothing else');
  const client = await context.client({ start: true });
  if (list) {
    const items = await client.workspaces.list();
    output.object({ items });
    const rows = items.map(({ path, trustedAt, by }) => [path, trustedAt, by]);
    output.line(
      rows.length === 0 ? 'No trusted workspaces.' : table([['WORKSPACE', 'SINCE', 'BY'], ...rows]),
    );
    return 0;
  }
  const path = resolve(args[0] ?? '.');
  const view = revoke ? await client.workspaces.distrust(path) : await client.workspaces.trust(path);
  output.object(view);
  output.line(
    revoke
      ? `${view.path} is not trusted any more, in sessions created from now on.`
      : `${view.path} is trusted: agents take up what it brings along, in sessions created from now on.`,
  );
  return 0;
}
