/**
 * Puts the parts together behind one host: the same for the daemon (kept children, a journal on disk) and the library (direct children).
 * Owns no state; everything it makes is handed back to be ended by its caller.
 */
import { createAgents, Owners, type RuntimeLimits } from '../agents/index.ts';
import { SessionHost, type HostPorts, type SecretStore } from '../host/index.ts';
import { namesOf } from '../process/index.ts';
import type { ChildHost } from '../process/ports.ts';
import type { KnownSecrets } from '../redact/index.ts';
import { PilotlightError } from '../protocol/index.ts';
import type { Journal } from '../session/ports.ts';
import { pathsOf, type Config } from './config.ts';
import { closedTo } from './closed.ts';
import { judgeOf } from './judge.ts';
import { runCredentialCommand } from './credential-command.ts';
import { CredentialSource } from './credential-source.ts';
import { conversationOf, ownersFolder, refuseInUse } from './ownership.ts';
import { ladderMs, runtimeFactory } from './runtimes.ts';
import { keyOf } from './sharing.ts';
import type { Workspaces } from './workspaces.ts';

export interface AssembleOptions {
  readonly config: Config;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly journal: Journal;
  readonly children: ChildHost;
  /** Holds short-lived helpers (commands that print credentials): they end with this process. */
  readonly helpers: ChildHost;
  /** Told of every secret in play; absent where there is no log to guard. */
  readonly known?: KnownSecrets;
  /** Where helpers run. */
  readonly cwd: string;
  /** Agents are kept out of it; absent for one in memory. */
  readonly home?: string;
  readonly secrets: SecretStore;
  /** What hashes of settings are keyed with, the same for every daemon of the home. */
  readonly key: string;
  readonly workspaces: Workspaces;
  readonly describe: HostPorts['describe'];
  readonly report: (error: unknown) => void;
  /** Protocol lines of a runtime, when debugging is on. */
  readonly trace?: (runtime: string, way: 'in' | 'out' | 'err', text: string) => void;
}

export function assembleHost(options: AssembleOptions): SessionHost {
  const { config, env, journal, children } = options;
  const closed = options.home === undefined ? [] : namesOf(options.home);
  const limits: RuntimeLimits = config.runtime;
  const agents = createAgents({
    env,
    paths: pathsOf(config),
    limits,
    extraEnv: config.agents.env,
    closed,
    closedInSandbox: config.agents.codex?.closeHome === true ? ['codex'] : [],
  });
  const credentials = credentialSource(options);
  const secrets = forgetting(options, credentials);
  const folder = ownersFolder(env);
  const owners = folder === undefined ? undefined : new Owners(folder);
  owners?.sweep();
  const hasRules = config.permissions.rules.length > 0;
  const { workspaces } = options;
  const sources = { agents, secrets, credentials, servers: config.mcpServers, workspaces, hasRules };
  return new SessionHost({
    journal,
    agents,
    secrets,
    limits: {
      ...config.runtime,
      endTimeoutMs: ladderMs(config.ladder),
      maxWaitMs: config.pool.maxWaitMs,
      permissionTimeoutMs: config.permissions.timeoutMs,
    },
    judge: judgeOf(config.permissions.rules, closedTo(closed, env['HOME'])),
    maxQueued: config.session.maxQueued,
    mostSessions: config.limits.sessions,
    roots: config.workspace.roots,
    closed,
    look: workspaces.look,
    pool: config.pool,
    runtimes: runtimeFactory(options, { ...sources, ...(owners === undefined ? {} : { owners }) }),
    keyOf: (wish) => keyOf(sources, wish, { key: options.key, shares: config.pool.sessionsPerProcess > 1 }),
    refuseInUse({ agent, resume, env = {}, agentOptions = {} }) {
      const dialect = agents.dialect(agent);
      if (resume === undefined || dialect === undefined || owners === undefined) return;
      const wanted = conversationOf(dialect, agents.environment({ agent, env, agentOptions }), resume);
      refuseInUse({ owners, dialect }, wanted);
    },
    credentials,
    endUnclaimed: () => {
      for (const id of children.unclaimed()) children.discard(id);
    },
    describe: options.describe,
    report: options.report,
  });
}

function credentialSource({ config, env, helpers, cwd }: AssembleOptions): CredentialSource {
  const commands = config.credentials;
  return new CredentialSource({
    names: new Map(Object.entries(commands).map(([name, { ttlMs }]) => [name, ttlMs])),
    run: (name) => {
      const command = commands[name];
      if (command === undefined) throw new PilotlightError('internal', `No command for credential ${name}`);
      return runCredentialCommand(name, command, { children: helpers, cwd, env });
    },
  });
}

/** What is removed is not known any more. */
function forgetting({ secrets, known }: AssembleOptions, credentials: CredentialSource): SecretStore {
  return {
    ...secrets,
    remove(session) {
      secrets.remove(session);
      known?.forget(session);
      credentials.forget(session);
    },
  };
}
