/**
 * `restart`: this version's daemon takes over; agents and running turns go on. First it is checked that it could (configuration), then the old
 * one detaches, then the new one starts on the same port: three attempts, then the old version is started again and says why.
 */
import { messageOf, PilotlightError } from '../../protocol/index.ts';
import { isAlive } from '../../daemon/index.ts';
import type { Context } from '../context.ts';
import { answers, ended, launch, ownCommand, type DaemonFile, type Started } from '../launch.ts';

const ATTEMPTS = 3;
const LEAVE_MS = 15_000;

export async function run(context: Context): Promise<number> {
  const { output, home } = context;
  const old = await answers(home);
  if (old === undefined)
    throw new PilotlightError('no_daemon', `No daemon runs for ${home}`, {
      fix: '`pilotlight start` starts one.',
    });
  await launch(home, ownCommand(home, ['--check']));
  // The check took a while: a pid is looked at again before it is signalled.
  if (isAlive(old)) process.kill(old.pid, 'SIGTERM');
  if (!(await ended(old, LEAVE_MS)))
    throw new PilotlightError('internal', `The daemon ${String(old.pid)} did not leave`, {
      fix: '`pilotlight start --replace` ends it.',
    });
  const started = await again(context, old);
  output.object({ url: started.url, pid: started.pid });
  output.line(`Running: ${started.url}`);
  return 0;
}

async function again({ home, output }: Context, old: DaemonFile): Promise<Started> {
  const place = listeningAt(old);
  let last: unknown;
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    try {
      return await launch(home, ownCommand(home, [...place, '--wait']));
    } catch (error) {
      last = error;
      output.note(`Attempt ${String(attempt)} failed: ${messageOf(error)}`);
    }
  }
  const { file, args } = old.command;
  const back = await launch(home, { file, args: [...args, ...place] });
  throw new PilotlightError(
    'internal',
    `The new daemon did not start (${messageOf(last)}); the old one (${old.version}) runs again at ${back.url}`,
    { cause: last },
  );
}

/** The same address as before, and the leave to listen there that the old one was given. */
function listeningAt({ url, command }: DaemonFile): string[] {
  const { port, hostname } = new URL(url);
  const host = hostname.replaceAll(/[[\]]/g, '');
  return [
    '--port',
    port === '' ? '80' : port,
    '--host',
    host,
    ...(command.args.includes('--expose') ? ['--expose'] : []),
  ];
}
