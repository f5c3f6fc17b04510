/**
 * A daemon from lock to last word: journal, keeper, host, listeners, in the order in which they can be had; ended in the reverse.
 * The journal's lock is the one owner: only its holder speaks to the keeper or touches a socket.
 */
import { rmSync } from 'node:fs';
import { ofRepository } from '../agents/index.ts';
import { createApi, type Api, type ApiLimits, type Listening } from '../api/index.ts';
import type { SecretStore, SessionHost } from '../host/index.ts';
import { openJournal, type OpenJournal } from '../journal/index.ts';
import { sweepSpool } from '../keeper/index.ts';
import { createDirectHost, processIdentity, socketPath, treeMemory } from '../process/index.ts';
import {
  messageOf,
  PilotlightError,
  VERSION,
  type CollectedView,
  type StatusView,
} from '../protocol/index.ts';
import { KnownSecrets } from '../redact/index.ts';
import { aboutThis } from './about.ts';
import { assembleHost } from './assemble.ts';
import type { Config } from './config.ts';
import { writeJson, type Home } from './home.ts';
import { KeeperLink } from './keeper-link.ts';
import { openLog, openTrace, type Log } from './log.ts';
import { openMetrics, type Metrics } from './metrics.ts';
import { notify } from './notify.ts';
import { listenFault } from './port-holder.ts';
import { openSecrets } from './secret-store.ts';
import { homeToken } from './token.ts';
import { openAudit } from './audit.ts';
import { openTokens, type Tokens } from './tokens.ts';
import { openWorkspaces, type Workspaces } from './workspaces.ts';

export interface DaemonOptions {
  readonly home: Home;
  readonly config: Config;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** How to start this daemon again: for the keeper (a daemon that vanished) and for `restart`. */
  readonly command: { readonly file: string; readonly args: readonly string[] };
  /** How long to wait for the lock of a daemon that is leaving. */
  readonly lockTimeoutMs: number;
}

export interface Daemon {
  readonly url: string;
  readonly socket: string;
  readonly generation: number;
  /** Leaves; agents go on. */
  detach(): Promise<void>;
  /** Lets turns finish for `graceMs`, ends agents and keeper, leaves. */
  stop(graceMs: number): Promise<void>;
  /** Settles when the daemon has left, whoever asked. */
  readonly left: Promise<void>;
}

export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  const { home, config } = options;
  const known = new KnownSecrets();
  const log = openLog(home.logs, known);
  const report = (error: unknown): void => {
    log.error({ err: error instanceof Error ? error : new Error(messageOf(error)) }, 'unexpected');
  };
  const tokens = openTokens(homeToken(home.token), home.tokens);
  const workspaces = openWorkspaces({
    file: home.trusted,
    trusted: config.workspace.trusted,
    reads: ofRepository,
  });
  const journal = await openJournal({
    path: home.journal,
    keepDays: config.journal.keepDays,
    maxMb: config.journal.maxMb,
    lockTimeoutMs: options.lockTimeoutMs,
    onError: report,
  });
  const undo: (() => unknown)[] = [() => journal.close()];
  try {
    const keeper = await KeeperLink.connect({ ...options, journal, log });
    undo.push(() => keeper.abandon());
    const helpers = createDirectHost({ homeId: journal.homeId, ladder: config.ladder });
    undo.push(() => helpers[Symbol.asyncDispose]());
    const secrets = await openSecrets({
      secrets: config.secrets,
      directory: home.secrets,
      homeId: journal.homeId,
      at: { children: helpers, cwd: home.path, env: options.env },
    });
    const running: Running = {
      options,
      journal,
      keeper,
      log,
      report,
      tokens,
      workspaces,
      helpers,
      known,
      secrets,
    };
    const host = hostOf(running);
    await host.recover();
    const runtimes = new Set(journal.runtimes().map((runtime) => runtime.id));
    sweepSpool(home.path, (id) => runtimes.has(id));
    undo.push(() => {
      host.detach();
    });
    return await serve(running, host);
  } catch (error) {
    for (const step of undo.toReversed()) await Promise.resolve(step()).catch(report);
    throw error;
  }
}

interface Running {
  readonly options: DaemonOptions;
  readonly journal: OpenJournal;
  readonly keeper: KeeperLink;
  readonly log: Log;
  readonly report: (error: unknown) => void;
  readonly tokens: Tokens;
  readonly workspaces: Workspaces;
  /** Holds commands that print credentials; they end with this process. */
  readonly helpers: ReturnType<typeof createDirectHost>;
  readonly known: KnownSecrets;
  readonly secrets: SecretStore;
}

function hostOf(running: Running): SessionHost {
  const { options, journal, keeper, report, helpers, known, secrets } = running;
  const { home, config, env } = options;
  const describe = async (): Promise<Pick<StatusView, 'daemon' | 'keeper'>> => {
    const daemon = aboutThis(home.path, journal.generation);
    const about = keeper.about();
    if (about === undefined) return { daemon };
    const keeperRss = await treeMemory(about.identity, { alone: true });
    const { version, children } = about;
    return {
      daemon,
      keeper: {
        pid: about.identity.pid,
        version,
        children,
        ...(keeperRss === undefined ? {} : { rssMb: keeperRss }),
      },
    };
  };
  return assembleHost({
    config,
    env,
    journal,
    children: keeper,
    helpers,
    known,
    cwd: home.path,
    home: home.path,
    workspaces: running.workspaces,
    secrets,
    key: homeToken(home.token),
    describe,
    report,
    ...(config.runtime.debug ? { trace: openTrace(home.logs, known) } : {}),
  });
}

async function serve(running: Running, host: SessionHost): Promise<Daemon> {
  const { options, journal, keeper, log, report, tokens } = running;
  const { home, config } = options;
  const audit = openAudit({ directory: home.logs, maxMb: config.audit.maxMb, report });
  const left = Promise.withResolvers<void>();
  const notifying = notifier(running, host);
  const metrics = counting(running, host);
  let leaving: Promise<void> | undefined;
  const listening: Listening[] = [];

  /** The one way out; a second call waits for the first. */
  function leave(before: () => Promise<void>): Promise<void> {
    leaving ??= (async () => {
      await before().catch(report);
      notifying?.[Symbol.dispose]();
      metrics[Symbol.dispose]();
      await closeAll(running, listening).catch(report);
      audit[Symbol.dispose]();
      // Before the lock goes: behind it the file may be the next daemon's.
      rmSync(home.daemonFile, { force: true });
      await journal.close().catch(report);
      left.resolve();
    })();
    return leaving;
  }

  const stop = (graceMs: number): Promise<void> =>
    leave(async () => {
      await host.drain(graceMs);
      await keeper.stop();
    });

  const api = createApi({
    host: () => host,
    tokens,
    tokenDesk: tokens,
    workspaceDesk: running.workspaces,
    version: VERSION,
    limits: limitsOf(config),
    log: (entry) => {
      log.info(entry);
    },
    audit: audit.write.bind(audit),
    stop: async ({ now }) => {
      await host.drain(now ? 0 : STOP_GRACE_MS);
      // The answer goes out before the listeners close.
      setImmediate(() => void stop(0));
    },
    gc: () => collect(journal),
    metrics,
  });
  const { url, socket, port, doors } = await openDoors(api, options);
  listening.push(...doors);
  await announce(options, { url, socket, doors });
  keeper.restartWith(port);
  log.info({ url, socket, generation: journal.generation, version: VERSION }, 'started');
  const detach = (): Promise<void> =>
    leave(async () => {
      host.detach();
      await keeper.detach();
    });
  return { url, socket, generation: journal.generation, detach, stop, left: left.promise };
}

/** Where clients find this daemon. Without it the doors are shut again. */
async function announce(
  { home, command }: DaemonOptions,
  { url, socket, doors }: Pick<Doors, 'url' | 'socket' | 'doors'>,
): Promise<void> {
  try {
    writeJson(home.daemonFile, { ...processIdentity(process.pid), url, socket, version: VERSION, command });
  } catch (error) {
    await Promise.all(doors.map((door) => door.close()));
    throw error;
  }
}

async function collect(journal: OpenJournal): Promise<CollectedView> {
  const { events, sessions, bytesBefore, bytesAfter } = await journal.retain();
  return { events, sessions, bytesBefore, bytesAfter };
}

function counting({ journal, report }: Running, host: SessionHost): Metrics {
  const from = journal.cursor;
  return openMetrics({
    follow: (types, signal) => journal.followTypes(types, from, signal),
    agentOf: (session) => host.get(session).agent,
    status: () => host.status(),
    report,
  });
}

function notifier({ options, journal, helpers, log }: Running, host: SessionHost): Disposable | undefined {
  const { config, env, home } = options;
  const { command, timeoutMs } = config.notify;
  if (command === undefined) return undefined;
  const from = journal.cursor;
  return notify({
    command,
    timeoutMs,
    follow: (types, signal) => journal.followTypes(types, from, signal),
    session: (id) => host.get(id),
    at: { children: helpers, cwd: home.path, env },
    log: (message) => {
      log.warn(message);
    },
  });
}

/** The doors, and what stands behind them. */
async function closeAll({ helpers, tokens }: Running, listening: readonly Listening[]): Promise<void> {
  await Promise.all([helpers[Symbol.asyncDispose](), ...listening.map((one) => one.close())]);
  tokens[Symbol.dispose]();
}

interface Doors {
  readonly url: string;
  readonly socket: string;
  readonly port: number;
  readonly doors: readonly Listening[];
}

/** The port and the socket, or neither. */
async function openDoors(api: Api, { home, config, env }: DaemonOptions): Promise<Doors> {
  const { host, port, names } = config.server;
  const bounds = { connections: config.limits.connections };
  const tcp = await api.listen({ host, port, names, bounds }).catch((error: unknown) => {
    throw listenFault(error, { host, port });
  });
  try {
    const socket = freeSocket(home, env['XDG_RUNTIME_DIR']);
    const unix = await api.listen({ socket, bounds });
    const had = tcp.port ?? port;
    const url = `http://${host.includes(':') ? `[${host}]` : host}:${String(had)}`;
    return { url, socket, port: had, doors: [tcp, unix] };
  } catch (error) {
    await tcp.close();
    throw error;
  }
}

function limitsOf({ limits }: Config): Partial<ApiLimits> {
  const { bodyMb, connections: _ofListeners, sessions: _ofTheHost, ...rest } = limits;
  return { ...rest, bodyBytes: Math.floor(bodyMb * 1024 * 1024) };
}

/** Where the socket goes, with what a daemon before left there out of the way: this one has the lock. */
function freeSocket(home: Home, runtimeDir: string | undefined): string {
  const socket = socketPath(home.socket, runtimeDir);
  try {
    rmSync(socket, { force: true });
  } catch (cause) {
    throw new PilotlightError('journal_unusable', `${socket} is in the way: ${messageOf(cause)}`, {
      fix: 'Move it away; the daemon makes its socket there.',
      detail: { path: socket },
      cause,
    });
  }
  return socket;
}

/** How long `stop` lets running turns go on. */
export const STOP_GRACE_MS = 30_000;
