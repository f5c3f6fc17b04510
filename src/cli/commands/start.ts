/** `start`: a daemon for this home, or the news that one runs. Two at once both succeed. */
import { runDaemon } from '../../daemon/main.ts';
import { PilotlightError } from '../../protocol/index.ts';
import type { Context } from '../context.ts';
import { answers, launch, ownCommand, startOrFind, type Started } from '../launch.ts';
import { UsageError } from '../exit.ts';
import { numberOf, textOf, type Options } from '../options.ts';

const MOST_PORT = 65_535;

export async function run(context: Context, _args: readonly unknown[], options: Options): Promise<number> {
  const { home } = context;
  const replace = options['replace'] === true;
  if ((numberOf(options, 'port') ?? 0) > MOST_PORT)
    throw new UsageError(`--port is a number from 0 to ${String(MOST_PORT)}`);
  const flags = ['port', 'host'].flatMap((key) => {
    const value = textOf(options, key);
    // In one word: a value with a dash in front is a value, and refused as one.
    return value === undefined ? [] : [`--${key}=${value}`];
  });
  if (options['expose'] === true) flags.push('--expose');
  if (options['foreground'] === true) return foreground(context, flags, replace);
  if (!replace) {
    const { already, ...started } = await startOrFind(home, flags);
    return tell(context, started, already);
  }
  // What answers is not to be replaced: `restart` does that.
  const running = await answers(home);
  if (running !== undefined) return tell(context, running, true);
  return replaced(context, flags);
}

/** The keeper starts a daemon that vanished, too: whichever of the two has the home now is the one. */
async function replaced(context: Context, flags: readonly string[]): Promise<number> {
  const { home } = context;
  try {
    return tell(context, await launch(home, ownCommand(home, [...flags, '--replace'])), false);
  } catch (error) {
    if (!(error instanceof PilotlightError) || error.code !== 'journal_locked') throw error;
    const { already, ...started } = await startOrFind(home, flags);
    return tell(context, started, already);
  }
}

/** In this process, until Ctrl-C. The daemon itself says what keeps it from starting. */
async function foreground(context: Context, flags: readonly string[], replace: boolean): Promise<number> {
  const { home } = context;
  const running = await answers(home);
  if (running !== undefined) return tell(context, running, true);
  return runDaemon(['--home', home, ...flags, ...(replace ? ['--replace'] : [])], {
    // Said once the daemon listens for signals, which it does right behind this call: whoever reads it may press Ctrl-C at once.
    onUp: ({ url }) => queueMicrotask(() => tell(context, { url, pid: process.pid }, false)),
  });
}

function tell({ output }: Context, { url, pid }: Started, already: boolean): number {
  output.object({ url, pid, already });
  output.line(already ? `Already running: ${url}` : `Running: ${url}`);
  return 0;
}
