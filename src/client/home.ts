/** The daemon of a home, found by its files. Works under Node only, but loads anywhere: Node's parts are imported when it is called. */
import { z } from 'zod';
import { messageOf, PilotlightError } from '../protocol/index.ts';
import { addressOf, type Endpoint } from './wire.ts';

const DaemonFile = z.object({ url: z.string() });

/** `no_daemon` when the home has none, `bad_request` when others can read its token. */
export async function endpointOf(home: string): Promise<Endpoint> {
  try {
    const { readFile, stat } = await import('node:fs/promises');
    const { url } = DaemonFile.parse(JSON.parse(await readFile(`${home}/daemon.json`, 'utf8')));
    if (((await stat(`${home}/token`)).mode & 0o077) !== 0) throw openToken(`${home}/token`);
    const token = (await readFile(`${home}/token`, 'utf8')).trim();
    return { url: addressOf(url), token };
  } catch (cause) {
    if (cause instanceof PilotlightError) throw cause;
    throw new PilotlightError('no_daemon', `No daemon runs in ${home}: ${messageOf(cause)}`, {
      fix: '`pilotlight start` starts one.',
      detail: { home },
      cause,
    });
  }
}

function openToken(file: string): PilotlightError {
  return new PilotlightError('bad_request', `The token file ${file} can be read by others`, {
    fix: `Run: chmod 600 ${file}. Who may have read it has the token: delete the file and restart the daemon for a new one.`,
  });
}
