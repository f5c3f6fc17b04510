/**
 * What a process that several sessions share is started with, and what each of them has of it (R9).
 * Owns the domain: who may share. Knows no agent's protocol.
 */
import { createHmac } from 'node:crypto';
import type { AgentSettings } from '../agents/index.ts';
import type { StartWish, WishKey } from '../host/index.ts';
import { isDirectory, mustBeDirectory, SESSION_MARK } from '../process/index.ts';
import type { RuntimePorts } from '../runtime/ports.ts';
import type { SeatPorts } from '../runtime/seat-wishes.ts';
import type { SessionSpec } from '../session/ports.ts';
import { askedOf, missingOf, settingsOf, startKeyOf, valuesOf, type SettingsSources } from './settings.ts';

/**
 * What sessions have in common that may share a process (R9): all that the process itself is started with, and the label that they were given.
 * Undefined where it cannot be said before the start, because a command is to be asked for a key of the process.
 */
export function domainOf(sources: SettingsSources, spec: SessionSpec, key: string): string | undefined {
  const { agents, secrets } = sources;
  const { agent, agentOptions, domain = null } = spec;
  if (agents.shared(agent) === undefined) return undefined;
  const had = secrets.get(spec.id);
  if (askedOf(sources, spec, had).some((name) => !agents.isForCommands(agent, name))) return undefined;
  const env = agents.environment({ agent, agentOptions, env: had.env, credentials: valuesOf(had) });
  const variables = Object.entries(agents.split(agent, env).process).toSorted(([a], [b]) => (a < b ? -1 : 1));
  // The row of the process has it: values that were given as secrets are in no hash that could be guessed at.
  return createHmac('sha256', key)
    .update(JSON.stringify([agent, domain, variables]))
    .digest('hex');
}

/** Of a process that several share: no session's directory, and its own variables only. */
export async function processSettingsOf(
  sources: SettingsSources,
  wish: StartWish,
): ReturnType<RuntimePorts['settings']> {
  return ofProcess(sources, await settingsOf(sources, wish, 'takeover'), wish);
}

type Prepared = Awaited<ReturnType<typeof settingsOf>>;

function ofProcess(
  { agents }: SettingsSources,
  { settings, binary }: Prepared,
  { spec }: StartWish,
): Prepared {
  const { resume: _, model: __, systemPrompt: ___, mcp: ____, ...rest } = settings;
  const { process: env } = agents.split(spec.agent, settings.env);
  return { settings: { ...rest, cwd: '/', agentOptions: {}, env }, binary };
}

/**
 * What other starts would be like the one that this session needs: of a shared process, those of its domain, whatever else the sessions are. Undefined where the
 * process would be started with what only this session has.
 */
export async function keyOf(
  sources: SettingsSources,
  wish: StartWish,
  { key, shares }: { readonly key: string; readonly shares: boolean },
): Promise<WishKey | undefined> {
  const { agents, secrets } = sources;
  const { spec } = wish;
  const domain = shares ? domainOf(sources, spec, key) : undefined;
  if (domain === undefined) return startKeyOf(sources, wish);
  const had = secrets.get(spec.id);
  const { process: env } = agents.split(spec.agent, had.env);
  const own = Object.entries(valuesOf(had)).filter(([name]) => !agents.isForCommands(spec.agent, name));
  const brought = { env, credentials: Object.fromEntries(own), servers: {} };
  if (missingOf(spec, had).length > 0 || agents.bringsSecrets(brought)) return undefined;
  const prepared = await settingsOf(sources, wish, 'takeover');
  const [read, conversation] = await Promise.all([
    agents.readsOf(spec.agent, ofProcess(sources, prepared, wish)),
    conversationKeyOf(sources, wish, prepared),
  ]);
  if (read === undefined) return undefined;
  return { key: domain, domain, env, ...read, ...(conversation === undefined ? {} : { conversation }) };
}

/** Undefined where no other session's conversation may stand in: one goes on, the session brings secrets, a command is asked for some, or its directory is gone. */
async function conversationKeyOf(
  sources: SettingsSources,
  { spec, resume }: StartWish,
  prepared: Prepared,
): Promise<string | undefined> {
  const { agents, secrets } = sources;
  const had = secrets.get(spec.id);
  const brought = { env: had.env, credentials: valuesOf(had), servers: had.mcpServers };
  if (resume !== undefined || agents.bringsSecrets(brought) || askedOf(sources, spec, had).length > 0)
    return undefined;
  if (!isDirectory(spec.cwd)) return undefined;
  return agents.conversationKeyOf(spec.agent, ofSeat(sources, prepared, spec));
}

/** Of one session in it. */
export async function seatSettingsOf(
  sources: SettingsSources,
  wish: StartWish,
  why: 'start' | 'takeover',
): ReturnType<SeatPorts['settings']> {
  const prepared = await settingsOf(sources, wish, why);
  const { binary, missing = [] } = prepared;
  const settings = ofSeat(sources, prepared, wish.spec);
  // The process has another one: it would take the conversation, and then fail each command with words about something else (Codex 0.169.0).
  if (why === 'start') mustBeDirectory(settings.cwd, 'No conversation was opened');
  const file = binary?.path;
  return {
    settings: { ...settings, toolEnv: { ...settings.toolEnv, [SESSION_MARK]: wish.spec.id } },
    missing,
    ...(file === undefined ? {} : { file }),
  };
}

/** With nothing in it that stands for this session only. */
function ofSeat({ agents }: SettingsSources, { settings }: Prepared, { agent }: SessionSpec): AgentSettings {
  const { process: env, commands } = agents.split(agent, settings.env);
  return { ...settings, env, toolEnv: commands };
}
