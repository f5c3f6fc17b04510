/** `ls`: open sessions; with --all closed ones too. */
import type { SessionView } from '../../protocol/index.ts';
import type { Context } from '../context.ts';
import { table } from '../output.ts';
import type { Options } from '../options.ts';

export async function run(context: Context, _args: readonly unknown[], options: Options): Promise<number> {
  const client = await context.client();
  const items: SessionView[] = [];
  let after: string | undefined;
  do {
    const page = await client.sessions.list({ limit: 1000, ...(after === undefined ? {} : { after }) });
    items.push(...page.items.filter((item) => options['all'] === true || item.state !== 'closed'));
    after = page.next;
  } while (after !== undefined);
  context.output.object({ items });
  if (items.length === 0) context.output.line('No sessions.');
  else
    context.output.line(
      table([['SESSION', 'AGENT', 'STATE', 'LAST ACTIVITY', 'WORKSPACE'], ...items.map(row)]),
    );
  return 0;
}

function row(item: SessionView): string[] {
  return [
    item.id,
    item.agent,
    item.state,
    item.lastActivityAt,
    `${item.cwd}${item.name === undefined ? '' : `  (${item.name})`}`,
  ];
}
