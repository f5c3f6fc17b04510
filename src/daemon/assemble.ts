/**
 * Puts the parts together behind one host: the same for the daemon (kept children, a journal on disk) and the library (direct children).
 * Owns no state; everything it makes is handed back to be ended by its caller.
 */
import { readFileSync } from 'node:fs';
import { createAgents, Owners, secretsOf, type RuntimeLimits } from '../agents/index.ts';
import { SessionHost, type HostPorts, type RuntimeFactory, type SecretStore } from '../host/index.ts';
import { processIdentity, treeMemory } from '../process/index.ts';
import type { ChildHost } from '../process/ports.ts';
import type { KnownSecrets } from '../redact/index.ts';
import { PilotlightError, type TurnInput } from '../protocol/index.ts';
import { Lifetime } from '../runtime/lifetime.ts';
import type { RuntimePorts } from '../runtime/ports.ts';
import type { Journal } from '../session/ports.ts';
import { pathsOf, type Config } from './config.ts';
import { judgeOf, withReminder } from './judge.ts';
import { runCredentialCommand } from './credential-command.ts';
import { CredentialSource } from './credential-source.ts';
import { conversationOf, ownersFolder, ownershipOf, refuseInUse } from './ownership.ts';
import { settingsOf, startKeyOf, type SettingsSources } from './settings.ts';

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
  readonly secrets: SecretStore;
  readonly describe: HostPorts['describe'];
  readonly report: (error: unknown) => void;
  /** Protocol lines of a runtime, when debugging is on. */
  readonly trace?: (runtime: string, way: 'in' | 'out' | 'err', text: string) => void;
}

export function assembleHost(options: AssembleOptions): SessionHost {
  const { config, env, journal, children } = options;
  const limits: RuntimeLimits = config.runtime;
  const agents = createAgents({ env, paths: pathsOf(config), limits, extraEnv: config.agents.env });
  const credentials = credentialSource(options);
  const secrets = forgetting(options, credentials);
  const folder = ownersFolder(env);
  const owners = folder === undefined ? undefined : new Owners(folder);
  owners?.sweep();
  const hasRules = config.permissions.rules.length > 0;
  const sources = { agents, secrets, credentials, servers: config.mcpServers, hasRules };
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
    judge: judgeOf(config.permissions.rules),
    maxQueued: config.session.maxQueued,
    mostSessions: config.limits.sessions,
    roots: config.workspace.roots,
    pool: config.pool,
    runtimes: runtimeFactory(options, { ...sources, ...(owners === undefined ? {} : { owners }) }),
    keyOf: (wish) => startKeyOf(sources, wish),
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

/** Empty where it cannot be read: another system, or the process is gone. */
function environmentOf(pid: number): Record<string, string> {
  try {
    const entries = readFileSync(`/proc/${String(pid)}/environ`, 'utf8').split('\0');
    return Object.fromEntries(
      entries.map((entry) => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)]),
    );
  } catch {
    return {};
  }
}

function ladderMs(ladder: Config['ladder']): number {
  return ladder.termAfterMs + ladder.killAfterMs + ladder.stuckAfterMs;
}

function inputOf(journal: Journal, turn: string): TurnInput {
  const input = journal.turn(turn)?.input;
  if (input === undefined)
    throw new PilotlightError('internal', `The message of turn ${turn} is not in the journal`);
  return input;
}

function runtimeFactory(
  options: AssembleOptions,
  sources: SettingsSources & { readonly owners?: Owners },
): RuntimeFactory {
  const { agents, secrets, owners } = sources;
  const own = processIdentity(process.pid);
  const { config, journal, children, report, trace } = options;
  const bounds = { ...config.runtime, maxLine: config.wire.maxLineMb * 1024 * 1024 };
  return {
    create({ id, agent, session, slot, wish, onGone, onMeasured }) {
      const dialect = agents.dialect(agent);
      if (dialect === undefined) throw new PilotlightError('unknown_agent', `There is no agent "${agent}"`);
      const ports: RuntimePorts = {
        children,
        committer: journal,
        dialect,
        generation: journal.generation,
        bounds,
        memory: treeMemory,
        report,
        input: (turn) => withReminder(inputOf(journal, turn), wish().spec.readOnly),
        settings: async (why) => {
          const had = await settingsOf(sources, wish(), why);
          options.known?.know(had.settings.session, had.settings.secrets ?? []);
          return had;
        },
        secretsIn: (pid) => {
          const secrets = secretsOf({ env: environmentOf(pid), credentials: {} });
          options.known?.know(id, secrets);
          return secrets;
        },
        ...(owners === undefined || own === undefined
          ? {}
          : {
              ownership: ownershipOf({
                owners,
                dialect,
                session: session?.id ?? id,
                home: options.cwd,
                own,
                formerMs: 2 * ladderMs(config.ladder),
                report,
              }),
            }),
        place: ({ path, text }) => secrets.place(path, text),
        ...(trace === undefined ? {} : { trace: (way, text) => trace(id, way, text) }),
      };
      const gone = (runtime: string): void => {
        options.known?.forget(runtime);
        onGone(runtime);
      };
      const sessions = session === undefined ? [] : [session];
      const place = slot === undefined ? {} : { slot };
      return new Lifetime({ id, sessions, ...place, ports, onGone: gone, onMeasured });
    },
  };
}
