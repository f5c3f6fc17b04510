/**
 * What a session's agent is started with: its spec, the values that were given for it, and what commands of the configuration print.
 * Owns which of them wins: the session's own value while it is good, then a command, then the daemon's environment.
 */
import { randomUUID } from 'node:crypto';
import type { Agents } from '../agents/index.ts';
import type { McpServers } from '../protocol/index.ts';
import type { SecretStore, SessionSecrets, StartWish } from '../host/index.ts';
import type { RuntimePorts } from '../runtime/ports.ts';
import type { SessionSpec } from '../session/ports.ts';
import type { CredentialSource } from './credential-source.ts';
import { isJudged } from './judge.ts';

export interface SettingsSources {
  readonly agents: Agents;
  readonly secrets: SecretStore;
  readonly credentials: CredentialSource;
  /** MCP servers of the configuration. */
  readonly servers: McpServers;
  /** The configuration has rules for what agents do. */
  readonly hasRules: boolean;
}

/** `why`: for a process that runs already no command is asked. */
export async function settingsOf(
  sources: SettingsSources,
  wish: StartWish,
  why: 'start' | 'takeover',
): ReturnType<RuntimePorts['settings']> {
  const { agents, secrets } = sources;
  const { spec, resume } = wish;
  const { model, systemPrompt } = spec;
  const had = secrets.get(spec.id);
  const servers = { ...commonServers(sources, spec, had), ...had.mcpServers };
  const { settings, binary } = await agents.prepare({
    session: spec.id,
    agent: spec.agent,
    cwd: spec.cwd,
    mode: spec.readOnly === undefined ? spec.mode : 'readOnly',
    judged: isJudged(spec, sources.hasRules),
    ...(model === undefined ? {} : { model }),
    ...(systemPrompt === undefined ? {} : { systemPrompt }),
    ...(resume === undefined ? {} : { resume }),
    freshId: randomUUID(),
    agentOptions: spec.agentOptions,
    env: had.env,
    credentials: {
      ...valuesOf(had),
      ...(why === 'start' ? await asked(sources, spec, had) : {}),
    },
    ...(Object.keys(servers).length === 0 ? {} : { mcp: { servers, filesAt: secrets.filesAt(spec.id) } }),
  });
  return { settings, binary, missing: missingOf(spec, had) };
}

/** Their values are the daemon's own: not for an agent that the session leads to another server. */
function commonServers(
  { agents, servers }: SettingsSources,
  { agentOptions }: SessionSpec,
  { env }: SessionSecrets,
): McpServers {
  return agents.leadsElsewhere({ env, agentOptions }) ? {} : servers;
}

function valuesOf({ credentials }: SessionSecrets): Record<string, string> {
  return Object.fromEntries(Object.entries(credentials).map(([name, { value }]) => [name, value]));
}

/** Names that the session has no good value for and that may go to this agent. */
function asked(
  { agents, credentials }: SettingsSources,
  spec: SessionSpec,
  { credentials: given, env }: SessionSecrets,
): Promise<Record<string, string>> {
  const { agent, agentOptions } = spec;
  const names = credentials.names.filter((name) => {
    const own = given[name];
    const good = own !== undefined && (own.expiresAt === undefined || Date.parse(own.expiresAt) > Date.now());
    return !good && agents.takes(name, { agent, env, agentOptions });
  });
  return credentials.start(spec.id, names);
}

function missingOf(spec: SessionSpec, had: SessionSecrets): string[] {
  return [
    ...spec.env.filter((name) => !(name in had.env)),
    ...spec.credentials.filter((name) => !(name in had.credentials)),
    ...(spec.mcpServers ?? []).filter((name) => !(name in had.mcpServers)),
  ];
}
