/** What every command has: its output, the home, a client of the daemon that is meant. */
import { readFileSync, statSync } from 'node:fs';
import { connect, connectHome, type PilotlightClient } from '../client/index.ts';
import { homeOf, processEnvironment } from '../daemon/index.ts';
import { messageOf, PilotlightError, VERSION } from '../protocol/index.ts';
import { ensureDaemon, recordedDaemon, silentDaemon } from './launch.ts';
import { createOutput, type Output } from './output.ts';

export interface GlobalOptions {
  readonly json?: boolean;
  readonly home?: string;
  readonly url?: string;
  readonly tokenFile?: string;
}

export interface Context {
  readonly output: Output;
  readonly home: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Whether another daemon than the home's is meant. */
  readonly remote: boolean;
  /** The daemon that is meant. `start`: the home's is started when none runs. */
  client(options?: { readonly start?: boolean }): Promise<PilotlightClient>;
}

export function contextOf(options: GlobalOptions): Context {
  const env = processEnvironment();
  const noColor = env['NO_COLOR'] !== undefined && env['NO_COLOR'] !== '';
  const output = createOutput({ json: options.json === true, streams: process, noColor });
  const home = homeOf(options.home, env);
  return {
    output,
    home,
    env,
    remote: options.url !== undefined,
    async client({ start = false } = {}) {
      if (options.url === undefined) return local(home, start, output);
      const client = connect({ url: options.url, token: tokenOf(options), retryMs: 2000 });
      sayVersion((await client.health({ timeoutMs: 5000 })).version, output, 'Use the same where you can.');
      return client;
    },
  };
}

async function local(home: string, start: boolean, output: Output): Promise<PilotlightClient> {
  if (start) await ensureDaemon(home, output);
  if (recordedDaemon(home) === undefined)
    throw new PilotlightError('no_daemon', `No daemon runs for ${home}`, {
      fix: '`pilotlight start` starts one.',
    });
  const client = await connectHome({ home, retryMs: 2000 });
  try {
    sayVersion((await client.health({ timeoutMs: 5000 })).version, output, '`pilotlight restart` moves it.');
    return client;
  } catch (cause) {
    const silent = recordedDaemon(home);
    throw silent === undefined
      ? new PilotlightError('no_daemon', `No daemon runs for ${home}`, {
          fix: '`pilotlight start` starts one.',
          cause,
        })
      : silentDaemon(home, silent.pid, cause);
  }
}

function sayVersion(version: string, output: Output, fix: string): void {
  if (version !== VERSION) output.note(`The daemon is version ${version}, this command ${VERSION}. ${fix}`);
}

/** As ssh does with keys; what is no file (a pipe) is nobody else's. */
class OpenToken extends Error {}

function tokenOf(options: GlobalOptions): string {
  const { tokenFile } = options;
  if (tokenFile === undefined)
    throw new PilotlightError('bad_request', '--url needs --token-file', {
      fix: 'Name the file that holds the token.',
    });
  try {
    const about = statSync(tokenFile);
    if (about.isFile() && (about.mode & 0o077) !== 0) throw new OpenToken(`others may read it`);
    return readFileSync(tokenFile, 'utf8').trim();
  } catch (cause) {
    if (cause instanceof OpenToken)
      throw new PilotlightError('bad_request', `The token file ${tokenFile} is refused: ${cause.message}`, {
        fix: `Run: chmod 600 ${tokenFile}`,
      });
    throw new PilotlightError(
      'bad_request',
      `The token file ${tokenFile} cannot be read: ${messageOf(cause)}`,
      { fix: 'Give the file that holds the token of that daemon, readable by you.', cause },
    );
  }
}
