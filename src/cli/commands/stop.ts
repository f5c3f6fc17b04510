/** `stop`: ends turns, agents, keeper and daemon; also when only the keeper lives. */
import { connectHome } from '../../client/index.ts';
import { PilotlightError } from '../../protocol/index.ts';
import type { Context } from '../context.ts';
import { answers, ended, keeperLives, launch, ownCommand, recordedDaemon } from '../launch.ts';
import type { Options } from '../options.ts';

const STOP_MS = 60_000;

export async function run(context: Context, _args: readonly unknown[], options: Options): Promise<number> {
  const { output, home } = context;
  const now = options['now'] === true;
  const daemon = await answers(home);
  if (daemon === undefined) return withoutDaemon(context);
  if (!now) output.note('Stopping: running turns may take up to 30 s (--now does not wait).');
  const client = await connectHome({ home, retryMs: 0 });
  await client.stop({ now });
  if (!(await ended(daemon, STOP_MS)))
    throw new PilotlightError('internal', `The daemon ${String(daemon.pid)} did not end`, {
      fix: '`pilotlight logs` may say why.',
    });
  output.object({ stopped: true });
  output.line('Stopped.');
  return 0;
}

async function withoutDaemon({ output, home }: Context): Promise<number> {
  const hung = recordedDaemon(home);
  if (hung !== undefined)
    throw new PilotlightError('no_daemon', `The daemon ${String(hung.pid)} lives and does not answer`, {
      fix: '`pilotlight start --replace` ends it and takes over; then stop.',
      detail: { pid: hung.pid },
    });
  if (keeperLives(home)) {
    await launch(home, ownCommand(home, ['--stop-keeper', '--port', '0']));
    output.object({ stopped: true });
    output.line('No daemon ran; its keeper and the agents that it held are ended.');
    return 0;
  }
  throw new PilotlightError('no_daemon', `No daemon runs for ${home}`, { fix: 'There is nothing to stop.' });
}
