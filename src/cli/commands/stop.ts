/** `stop`: ends turns, agents, keeper and daemon; also when only the keeper lives. */
import { sleep } from '../../async/after.ts';
import { connectHome } from '../../client/index.ts';
import { PilotlightError } from '../../protocol/index.ts';
import type { Context } from '../context.ts';
import { answers, ended, keeperLives, launch, ownCommand, recordedDaemon, silentDaemon } from '../launch.ts';
import type { Options } from '../options.ts';

const STOP_MS = 60_000;
/** For a daemon that does not answer any more to be gone. */
const LAST_MS = 3_000;

export async function run(context: Context, _args: readonly unknown[], options: Options): Promise<number> {
  const { output, home } = context;
  const now = options['now'] === true;
  if (context.remote) return stopOther(context, now);
  const daemon = await answers(home);
  if (daemon === undefined) return withoutDaemon(context);
  if (!now) output.note('Stopping: running turns may take up to 30 s (--now does not wait).');
  try {
    const client = await connectHome({ home, retryMs: 0 });
    await client.stop({ now });
  } catch (error) {
    // Somebody else may have stopped it meanwhile.
    const silent = error instanceof PilotlightError && error.code === 'no_daemon';
    if (!silent || !(await ended(daemon, LAST_MS))) throw error;
  }
  if (!(await ended(daemon, STOP_MS)))
    throw new PilotlightError('internal', `The daemon ${String(daemon.pid)} did not end`, {
      fix: '`pilotlight logs` may say why.',
    });
  output.object({ stopped: true });
  output.line('Stopped.');
  return 0;
}

/** The daemon of --url, and only that one. */
async function stopOther(context: Context, now: boolean): Promise<number> {
  const client = await context.client();
  await client.stop({ now });
  context.output.object({ stopped: true });
  context.output.line('Stopped.');
  return 0;
}

async function withoutDaemon({ output, home }: Context): Promise<number> {
  const hung = recordedDaemon(home);
  if (hung !== undefined) throw silentDaemon(home, hung.pid);
  if (keeperLives(home)) {
    const { left } = await launch(home, ownCommand(home, ['--stop-keeper', '--port', '0']));
    // It has said that everything is ended, and is about to end itself.
    const late = new AbortController();
    await Promise.race([left, sleep(STOP_MS, late.signal)]);
    late.abort();
    output.object({ stopped: true });
    output.line('No daemon ran; its keeper and the agents that it held are ended.');
    return 0;
  }
  throw new PilotlightError('no_daemon', `No daemon runs for ${home}`, { fix: 'There is nothing to stop.' });
}
