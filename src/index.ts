/**
 * Pilotlight as a library.
 *
 * `createHost` runs agents inside this process: no daemon, no keeper; they end with it. Without `home` the journal is in memory.
 * `connect` talks to a daemon (or hub) and gives the same verbs.
 *
 * Kept by `createHost`: P1 (endings are written at the next `createHost` of that home), P2, P4, P5, P7–P12, P6 at dispose and at the next start. Not P3.
 */
import { randomUUID } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ofRepository } from './agents/index.ts';
import { aboutThis } from './daemon/about.ts';
import { checkClosable, checkConfig, processEnvironment, readConfig, type Config } from './daemon/config.ts';
import { assembleHost } from './daemon/assemble.ts';
import { openHome, type Home } from './daemon/home.ts';
import { openSecrets } from './daemon/secret-store.ts';
import { openWorkspaces } from './daemon/workspaces.ts';
import { localHost, type LocalHost } from './daemon/local.ts';
import type { SecretStore } from './host/index.ts';
import { openJournal } from './journal/index.ts';
import { createDirectHost, reapDead } from './process/index.ts';

export {
  connect,
  connectHome,
  PilotlightClient,
  type ClientBounds,
  type ConnectHomeOptions,
  type ConnectOptions,
} from './client/index.ts';
export * from './protocol/index.ts';
export type { LocalHost } from './daemon/local.ts';

export interface HostOptions {
  /** Directory of journal and secrets, made when missing. Without it everything is in memory. */
  readonly home?: string;
  /** Overrides of the configuration, section by section (`{pool: {warmOnCreate: false}}`). */
  readonly config?: { readonly [S in keyof Config]?: Partial<Config[S]> };
  /** The environment that agents' allow-lists read. Default: this process's. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Hears of errors that no caller can be told. Default: nobody. */
  readonly onError?: (error: unknown) => void;
}

/** How long `Symbol.asyncDispose` lets running turns go on, ms. */
const DISPOSE_GRACE_MS = 10_000;

/**
 * A host in this process. Throws PilotlightError `journal_locked` when another process has the home, `journal_unusable` when it cannot be read.
 */
export async function createHost(options: HostOptions = {}): Promise<LocalHost> {
  const env = options.env ?? processEnvironment();
  const home = options.home === undefined ? undefined : openHome(options.home);
  const config = configOf(options, home);
  const report = options.onError ?? ((): void => undefined);
  await using owned = new AsyncDisposableStack();
  // Last of all: what the journal and the processes still say is redacted by them.
  let secrets: SecretStore | undefined;
  owned.defer(() => {
    secrets?.dispose();
  });
  const journal = await openJournal({
    path: home?.journal,
    ...config.journal,
    lockTimeoutMs: 300,
    onError: report,
  });
  owned.defer(() => journal.close());
  const { homeId } = journal;
  if (home !== undefined) await reapDead({ recordDir: home.processes, homeId, keepIds: [], home: home.path });
  const children = owned.use(
    createDirectHost({
      homeId,
      ladder: config.ladder,
      ...(home === undefined ? {} : { recordDir: home.processes }),
    }),
  );
  const cwd = home?.path ?? tmpdir();
  secrets = await openSecrets({
    secrets: config.secrets,
    ...(home === undefined ? {} : { directory: home.secrets }),
    homeId,
    at: { children, cwd, env },
  });
  const host = assembleHost({
    config,
    env,
    journal,
    children,
    helpers: children,
    cwd,
    ...(home === undefined ? {} : { home: home.path }),
    report,
    secrets,
    key: randomUUID(),
    workspaces: openWorkspaces({
      ...(home === undefined ? {} : { file: home.trusted }),
      trusted: config.workspace.trusted,
      reads: ofRepository,
    }),
    describe: async () => ({ daemon: aboutThis(home?.path ?? 'memory', journal.generation) }),
  });
  await host.recover();
  const kept = owned.move();
  return localHost(host, async () => {
    await host.drain(DISPOSE_GRACE_MS);
    await kept.disposeAsync();
  });
}

function configOf(options: HostOptions, home: Home | undefined): Config {
  const read = readConfig(
    home?.path ?? join('/nonexistent', 'pilotlight'),
    options.env ?? processEnvironment(),
  );
  const over = options.config ?? {};
  const config = checkConfig({
    ...read,
    server: { ...read.server, ...over.server },
    runtime: { ...read.runtime, ...over.runtime },
    wire: { ...read.wire, ...over.wire },
    ladder: { ...read.ladder, ...over.ladder },
    keeper: { ...read.keeper, ...over.keeper },
    pool: { ...read.pool, ...over.pool },
    limits: { ...read.limits, ...over.limits },
    workspace: { ...read.workspace, ...over.workspace },
    audit: { ...read.audit, ...over.audit },
    mcpServers: { ...read.mcpServers, ...over.mcpServers },
    credentials: { ...read.credentials, ...over.credentials },
    secrets: { ...read.secrets, ...over.secrets },
    journal: { ...read.journal, ...over.journal },
    agents: { ...read.agents, ...over.agents },
  });
  if (home !== undefined) checkClosable(config, home.path);
  return config;
}
