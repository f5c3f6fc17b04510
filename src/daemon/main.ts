/**
 * The daemon's entry: arguments, signals, the one line that says that it is up (on file descriptor 3 when that is open).
 * SIGTERM detaches (agents go on); SIGINT in the foreground stops.
 */
import { fstatSync, writeSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { messageOf, PilotlightError, VERSION } from '../protocol/index.ts';
import { homeOf, processEnvironment, readConfig, type Config } from './config.ts';
import { startDaemon, STOP_GRACE_MS, type Daemon } from './daemon.ts';
import { homeFault, openHome, type Home } from './home.ts';
import { tryKeyring } from './keyring.ts';
import { replaceDaemon } from './replace.ts';

const READY_FD = 3;

interface Arguments {
  readonly home: string;
  readonly config: Config;
  readonly replace: boolean;
  readonly check: boolean;
  readonly stopKeeper: boolean;
  /** Waiting for a daemon that is leaving. */
  readonly wait: boolean;
}

/** Runs a daemon in this process until it has left. Resolves with the exit code. */
export async function runDaemon(
  argv: readonly string[],
  hooks: { readonly onUp?: (daemon: Daemon) => void } = {},
): Promise<number> {
  try {
    const given = readArguments(argv);
    if (given.check) {
      await checkKeyring(given.config);
      return say({ ok: true, version: VERSION });
    }
    const daemon = await begin(given, argv);
    if (given.stopKeeper) {
      await daemon.stop(0);
      return say({ ok: true, stopped: true });
    }
    say({
      ok: true,
      pid: process.pid,
      url: daemon.url,
      socket: daemon.socket,
      version: VERSION,
      generation: daemon.generation,
    });
    hooks.onUp?.(daemon);
    onSignals(daemon);
    await daemon.left;
    return 0;
  } catch (error) {
    const known = error instanceof PilotlightError;
    say({
      ok: false,
      error: {
        code: known ? error.code : 'internal',
        message: messageOf(error),
        ...(known && error.fix !== undefined ? { fix: error.fix } : {}),
        ...(known && error.detail !== undefined ? { detail: error.detail } : {}),
      },
    });
    process.stderr.write(
      `${known ? messageOf(error) : error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
    );
    return known ? error.exitCode : 1;
  }
}

/** What a daemon would need of the keyring, before the one that runs makes room for it. */
async function checkKeyring({ secrets }: Config): Promise<void> {
  if (secrets.persist && secrets.store === 'keyring')
    await tryKeyring(processEnvironment(), secrets.keyringTimeoutMs);
}

async function begin(given: Arguments, argv: readonly string[]): Promise<Daemon> {
  try {
    return await beginIn(openHome(given.home), given, argv);
  } catch (error) {
    throw homeFault(error, given.home);
  }
}

async function beginIn(home: Home, given: Arguments, argv: readonly string[]): Promise<Daemon> {
  if (given.replace) await replaceDaemon(home);
  const command = {
    file: process.execPath,
    args: [...process.execArgv, fileURLToPath(import.meta.url), ...argv.filter((one) => one !== '--replace')],
  };
  return startDaemon({
    home,
    config: given.config,
    env: processEnvironment(),
    command,
    lockTimeoutMs: given.wait ? 10_000 : given.replace ? 5_000 : 300,
  });
}

function readArguments(argv: readonly string[]): Arguments {
  const { values } = parse(argv);
  const home = homeOf(values.home);
  const config = readConfig(home);
  const port = values.port === undefined ? config.server.port : Number(values.port);
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new PilotlightError('bad_request', `--port ${String(values.port)} is not a port`, {
      fix: 'Give a number from 0 to 65535.',
    });
  const host = values.host ?? config.server.host;
  if (!isLoopback(host) && values.expose !== true)
    throw new PilotlightError('bad_request', `${host} is not a loopback address`, {
      fix: 'Agents run commands: whoever reaches this address can, with the token. Add --expose if that is meant.',
    });
  return {
    home,
    config: { ...config, server: { ...config.server, host, port } },
    replace: values.replace === true,
    check: values.check === true,
    stopKeeper: values['stop-keeper'] === true,
    wait: values.wait === true,
  };
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      options: {
        home: { type: 'string' },
        port: { type: 'string' },
        host: { type: 'string' },
        expose: { type: 'boolean' },
        replace: { type: 'boolean' },
        check: { type: 'boolean' },
        wait: { type: 'boolean' },
        'stop-keeper': { type: 'boolean' },
      },
    });
  } catch (error) {
    throw new PilotlightError('bad_request', messageOf(error), {
      fix: '`pilotlight start --help` shows what it takes.',
      cause: error,
    });
  }
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(?:\.\d{1,3}){3}$/.test(host);
}

function onSignals(daemon: Daemon): void {
  process.on('SIGTERM', () => void daemon.detach());
  process.on('SIGHUP', () => void daemon.detach());
  process.once('SIGINT', () => {
    void daemon.stop(STOP_GRACE_MS);
    process.on('SIGINT', () => void daemon.stop(0));
  });
}

/** One line on fd 3, when whoever started us left it open as a pipe. */
function say(line: Readonly<Record<string, unknown>>): number {
  try {
    const stat = fstatSync(READY_FD);
    if (stat.isFIFO() || stat.isSocket()) writeSync(READY_FD, `${JSON.stringify(line)}\n`);
  } catch {
    // Nobody listens there.
  }
  return 0;
}

/** Whether this file is what node was started with. */
function isEntry(): boolean {
  const started = process.argv[1];
  return started !== undefined && realName(started) === realName(fileURLToPath(import.meta.url));
}

function realName(path: string): string {
  return path.replace(/\.(?:ts|js)$/, '');
}

if (isEntry()) {
  const code = await runDaemon(process.argv.slice(2));
  process.exit(code);
}
