/** `start`: a daemon for this home, or the news that one runs. Two at once both succeed. */
import { runDaemon } from '../../daemon/main.ts';
import type { Context } from '../context.ts';
import { launch, ownCommand, startOrFind } from '../launch.ts';
import { textOf, type Options } from '../options.ts';

export async function run(context: Context, _args: readonly unknown[], options: Options): Promise<number> {
  const { output, home } = context;
  const flags = ['port', 'host'].flatMap((key) => {
    const value = textOf(options, key);
    return value === undefined ? [] : [`--${key}`, value];
  });
  if (options['expose'] === true) flags.push('--expose');
  if (options['foreground'] === true)
    return runDaemon(['--home', home, ...flags, ...(options['replace'] === true ? ['--replace'] : [])], {
      onUp: ({ url }) => output.line(`pilotlight: ${url}`),
    });
  const started =
    options['replace'] === true
      ? { ...(await launch(home, ownCommand(home, [...flags, '--replace']))), already: false }
      : await startOrFind(home, flags);
  output.object({ url: started.url, pid: started.pid, already: started.already });
  output.line(started.already ? `Already running: ${started.url}` : `Running: ${started.url}`);
  return 0;
}
