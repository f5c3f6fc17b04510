/**
 * Puts the parts together behind one host: the same for the daemon (kept children, a journal on disk) and the library (direct children).
 * Owns no state; everything it makes is handed back to be ended by its caller.
 */
import { randomUUID } from 'node:crypto';
import { createAgents, type Agents, type RuntimeLimits } from '../agents/index.ts';
import { SessionHost, type HostPorts, type RuntimeFactory, type SecretStore } from '../host/index.ts';
import { treeMemory } from '../process/index.ts';
import type { ChildHost } from '../process/ports.ts';
import { PilotlightError } from '../protocol/index.ts';
import { Lifetime } from '../runtime/lifetime.ts';
import type { RuntimePorts } from '../runtime/ports.ts';
import type { Journal } from '../session/ports.ts';
import { pathsOf, type Config } from './config.ts';

export interface AssembleOptions {
  readonly config: Config;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly journal: Journal;
  readonly children: ChildHost;
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
  const { secrets } = options;
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
    judge: () => undefined,
    maxQueued: config.session.maxQueued,
    mostSessions: config.limits.sessions,
    roots: config.workspace.roots,
    pool: config.pool,
    runtimes: runtimeFactory(options, agents, secrets),
    endUnclaimed: () => {
      for (const id of children.unclaimed()) children.discard(id);
    },
    describe: options.describe,
    report: options.report,
  });
}

function ladderMs(ladder: Config['ladder']): number {
  return ladder.termAfterMs + ladder.killAfterMs + ladder.stuckAfterMs;
}

function runtimeFactory(options: AssembleOptions, agents: Agents, secrets: SecretStore): RuntimeFactory {
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
        input: (turn) => {
          const input = journal.turn(turn)?.input;
          if (input === undefined)
            throw new PilotlightError('internal', `The message of turn ${turn} is not in the journal`);
          return input;
        },
        settings: () => settingsOf(agents, secrets, wish()),
        place: ({ path, text }) => secrets.place(path, text),
        ...(trace === undefined ? {} : { trace: (way, text) => trace(id, way, text) }),
      };
      return new Lifetime({ id, sessions: [session], slot, ports, onGone, onMeasured });
    },
  };
}

async function settingsOf(
  agents: Agents,
  secrets: SecretStore,
  wish: ReturnType<Parameters<RuntimeFactory['create']>[0]['wish']>,
): ReturnType<RuntimePorts['settings']> {
  const { spec, resume } = wish;
  const { model, systemPrompt } = spec;
  const had = secrets.get(spec.id);
  const servers = had.mcpServers;
  const { settings, binary } = await agents.prepare({
    session: spec.id,
    agent: spec.agent,
    cwd: spec.cwd,
    mode: spec.mode,
    ...(model === undefined ? {} : { model }),
    ...(systemPrompt === undefined ? {} : { systemPrompt }),
    ...(resume === undefined ? {} : { resume }),
    freshId: randomUUID(),
    agentOptions: spec.agentOptions,
    env: had.env,
    credentials: had.credentials,
    ...(Object.keys(servers).length === 0 ? {} : { mcp: { servers, filesAt: secrets.filesAt(spec.id) } }),
  });
  const missing = [
    ...spec.env.filter((name) => !(name in had.env)),
    ...spec.credentials.filter((name) => !(name in had.credentials)),
    ...(spec.mcpServers ?? []).filter((name) => !(name in servers)),
  ];
  return { settings, binary, missing };
}
