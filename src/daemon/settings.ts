/**
 * What a session's agent is started with: its spec, the values that were given for it, and what commands of the configuration print.
 * Owns which of them wins: the session's own value while it is good, then a command, then the daemon's environment.
 */
import { randomUUID } from 'node:crypto';
import type { Agents, StartFor, StartKey } from '../agents/index.ts';
import type { McpServers } from '../protocol/index.ts';
import type { SecretStore, SessionSecrets, StartWish } from '../host/index.ts';
import type { RuntimePorts } from '../runtime/ports.ts';
import type { SessionSpec } from '../session/ports.ts';
import { modeOf } from '../session/tuning.ts';
import type { CredentialSource } from './credential-source.ts';
import { isJudged } from './judge.ts';
import type { Workspaces } from './workspaces.ts';

export interface SettingsSources {
  readonly agents: Agents;
  readonly secrets: SecretStore;
  readonly credentials: CredentialSource;
  /** MCP servers of the configuration. */
  readonly servers: McpServers;
  readonly workspaces: Pick<Workspaces, 'roots'>;
  /** The configuration has rules for what agents do. */
  readonly hasRules: boolean;
}

/** `why`: for a process that runs already no command is asked. */
export async function settingsOf(
  sources: SettingsSources,
  wish: StartWish,
  why: 'start' | 'takeover',
): ReturnType<RuntimePorts['settings']> {
  const { spec } = wish;
  const had = sources.secrets.get(spec.id);
  const printed = why === 'start' ? await asked(sources, spec, had) : {};
  const { settings, binary } = await sources.agents.prepare(
    await startOf(sources, wish, { ...had, printed }),
  );
  return { settings, binary, missing: missingOf(spec, had) };
}

/**
 * What other starts would be like this one. Undefined where a process that another session's start led to may not serve: a conversation goes on,
 * or the session brings secrets of its own (or had some that nobody has any more).
 */
export async function startKeyOf(sources: SettingsSources, wish: StartWish): Promise<StartKey | undefined> {
  const { spec, resume } = wish;
  const had = sources.secrets.get(spec.id);
  const { env, mcpServers } = had;
  const own = spec.credentials.length > 0 || missingOf(spec, had).length > 0;
  if (
    resume !== undefined ||
    own ||
    sources.agents.bringsSecrets({ env, credentials: {}, servers: mcpServers })
  )
    return undefined;
  // Which commands are asked counts; what they print is the daemon's own, and has an end of its own.
  const named = Object.fromEntries(askedOf(sources, spec, had).map((name) => [name, '']));
  return sources.agents.keyOf(await startOf(sources, wish, { ...had, printed: named }));
}

interface Had extends SessionSecrets {
  /** By commands of the configuration. */
  readonly printed: Readonly<Record<string, string>>;
}

async function startOf(sources: SettingsSources, { spec, resume }: StartWish, had: Had): Promise<StartFor> {
  const { model, systemPrompt } = spec;
  const servers = { ...commonServers(sources, spec, had), ...had.mcpServers };
  const filesAt = (): string => sources.secrets.filesAt(spec.id);
  return {
    session: spec.id,
    agent: spec.agent,
    cwd: spec.cwd,
    mode: modeOf(spec),
    judged: isJudged(spec, sources.hasRules),
    ...(model === undefined ? {} : { model }),
    ...(systemPrompt === undefined ? {} : { systemPrompt }),
    ...(resume === undefined ? {} : { resume }),
    freshId: randomUUID(),
    trust: { trusted: spec.trusted === true, roots: await sources.workspaces.roots(spec.cwd) },
    agentOptions: spec.agentOptions,
    env: had.env,
    credentials: { ...valuesOf(had), ...had.printed },
    ...(Object.keys(servers).length === 0 ? {} : { mcp: { servers, filesAt: filesAt() } }),
  };
}

/** Their values are the daemon's own: not for an agent that the session leads to another server. */
function commonServers(
  { agents, servers }: SettingsSources,
  { agentOptions }: SessionSpec,
  { env }: SessionSecrets,
): McpServers {
  return agents.leadsElsewhere({ env, agentOptions }) ? {} : servers;
}

export function valuesOf({ credentials }: SessionSecrets): Record<string, string> {
  return Object.fromEntries(Object.entries(credentials).map(([name, { value }]) => [name, value]));
}

function asked(
  sources: SettingsSources,
  spec: SessionSpec,
  had: SessionSecrets,
): Promise<Record<string, string>> {
  return sources.credentials.start(spec.id, askedOf(sources, spec, had));
}

/** Names that the session has no good value for and that may go to this agent. */
export function askedOf(
  { agents, credentials }: SettingsSources,
  spec: SessionSpec,
  { credentials: given, env }: SessionSecrets,
): string[] {
  const { agent, agentOptions } = spec;
  return credentials.names.filter((name) => {
    const own = given[name];
    const good = own !== undefined && (own.expiresAt === undefined || Date.parse(own.expiresAt) > Date.now());
    return !good && agents.takes(name, { agent, env, agentOptions });
  });
}

export function missingOf(spec: SessionSpec, had: SessionSecrets): string[] {
  return [
    ...spec.env.filter((name) => !(name in had.env)),
    ...spec.credentials.filter((name) => !(name in had.credentials)),
    ...(spec.mcpServers ?? []).filter((name) => !(name in had.mcpServers)),
  ];
}
