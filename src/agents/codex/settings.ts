/**
 * What a session's settings are in the words of `thread/start` and `thread/resume`.
 * Owns: modes → approval policy and sandbox, the stream's own idle bound. Knows nothing of the handshake. Pure.
 */
import type { SessionMode } from '../../protocol/index.ts';
import type { AgentSettings, Json } from '../dialect.ts';
import { guard } from './guard.ts';
import type { ConfigView } from './messages.ts';
import { mcpTables } from './mcp.ts';
import { codexOptions, type CodexOptions } from './plan.ts';
import { isTable, type Table } from './table.ts';

/** The settings that both `thread/start` and `thread/resume` take. All of them are given again on resume: a thread does not keep them. */
export function threadSettings(settings: AgentSettings, seen: ConfigView | undefined): Table {
  const options = codexOptions(settings.agentOptions);
  const config = threadConfig(settings, options, seen);
  return {
    cwd: settings.cwd,
    ...limitsOf(settings, seen),
    approvalPolicy: approvalPolicy(settings.mode, settings.judged === true),
    ...(settings.model === undefined ? {} : { model: settings.model }),
    ...(options.modelProvider === undefined ? {} : { modelProvider: options.modelProvider }),
    ...(settings.systemPrompt === undefined ? {} : { developerInstructions: settings.systemPrompt }),
    ...(Object.keys(config).length === 0 ? {} : { config }),
  };
}

/** In `plan` nothing may be asked for: an approval would be a way out of the read-only sandbox. Questions are still asked. */
const MODES: Readonly<Record<SessionMode, { readonly approvalPolicy: string; readonly sandbox: Sandbox }>> = {
  default: { approvalPolicy: 'untrusted', sandbox: 'workspace-write' },
  acceptEdits: { approvalPolicy: 'on-request', sandbox: 'workspace-write' },
  plan: { approvalPolicy: 'never', sandbox: 'read-only' },
  readOnly: { approvalPolicy: 'never', sandbox: 'read-only' },
  bypass: { approvalPolicy: 'never', sandbox: 'danger-full-access' },
};

type Sandbox = 'read-only' | 'workspace-write' | 'danger-full-access';

/**
 * What its commands may touch. Where there are paths to keep out of: a profile of permissions of ours, which is the sandbox of that name and does not read them (0.169.0);
 * not where a sandbox that may write is configured otherwise, which a profile would replace.
 */
function limitsOf(settings: AgentSettings, seen: ConfigView | undefined): Table {
  const { sandbox } = MODES[settings.mode];
  const profile = isClosing(settings, seen) ? PROFILES[sandbox] : undefined;
  return profile === undefined ? { sandbox } : { permissions: profile.name };
}

/** Whether profiles say what may not be read. */
export function isClosing(settings: AgentSettings, seen: ConfigView | undefined): boolean {
  return settings.closedInSandbox === true && isPlain(settings, seen);
}

const PROFILES: Readonly<Record<Sandbox, { readonly name: string; readonly base: string } | undefined>> = {
  'read-only': { name: 'pilotlight-read-only', base: ':read-only' },
  'workspace-write': { name: 'pilotlight-workspace', base: ':workspace' },
  // Nothing is kept from whoever has no sandbox.
  'danger-full-access': undefined,
};

/** All of them, whatever the mode is now: it may become another one. */
function profilesOf(settings: AgentSettings, seen: ConfigView | undefined): Table {
  if (!isClosing(settings, seen)) return {};
  const filesystem = Object.fromEntries((settings.closed ?? []).map((path) => [path, 'deny']));
  const known = Object.values(PROFILES).flatMap((profile) => profile ?? []);
  return {
    permissions: Object.fromEntries(known.map(({ name, base }) => [name, { extends: base, filesystem }])),
  };
}

/** The same in the words of `thread/settings/update`. */
export function turnSettings(
  mode: SessionMode,
  { judged, closing }: { readonly judged: boolean; readonly closing: boolean },
): Table {
  const { sandbox } = MODES[mode];
  const profile = closing ? PROFILES[sandbox] : undefined;
  return {
    approvalPolicy: approvalPolicy(mode, judged),
    ...(profile === undefined
      ? { sandboxPolicy: { type: POLICIES[sandbox] } }
      : { permissions: profile.name }),
  };
}

/** Whether a mode takes its sandbox from the user's configuration. */
export function isConfigured(mode: SessionMode): boolean {
  return MODES[mode].sandbox === 'workspace-write';
}

/** Whether nothing is said of what may be written to besides the workspace: not in `config.toml`, not by the session. */
export function isPlain(settings: AgentSettings, seen: ConfigView | undefined): boolean {
  const { config = {} } = codexOptions(settings.agentOptions);
  const own = Object.keys(config).some((key) =>
    /^(?:sandbox|permission|default_permission|profile)/.test(key),
  );
  return seen !== undefined && !own && isPlainlyConfigured(seen);
}

export function isPlainlyConfigured(seen: ConfigView): boolean {
  return (seen.sandbox_workspace_write ?? null) === null;
}

const POLICIES: Readonly<Record<Sandbox, string>> = {
  'read-only': 'readOnly',
  'workspace-write': 'workspaceWrite',
  'danger-full-access': 'dangerFullAccess',
};

function approvalPolicy(mode: SessionMode, judged: boolean): string {
  return judged && ASKS.has(mode) ? 'untrusted' : MODES[mode].approvalPolicy;
}

/** Modes in which rules may have something to say: in the others nothing is asked for because nothing may be done. */
const ASKS: ReadonlySet<SessionMode> = new Set(['default', 'acceptEdits', 'bypass']);

function threadConfig(settings: AgentSettings, options: CodexOptions, seen: ConfigView | undefined): Table {
  const given: Record<string, Json> = {
    ...options.config,
    ...guard(settings, options.config?.['hooks']),
    ...projects(settings.trust),
    ...profilesOf(settings, seen),
    ...mcpTables(settings.mcp?.servers ?? {}),
    ...toolVariables(settings.toolEnv ?? {}),
  };
  if (options.effort !== undefined) given['model_reasoning_effort'] = options.effort;
  const chosen = given['model_provider'];
  const provider =
    options.modelProvider ?? (typeof chosen === 'string' ? chosen : undefined) ?? seen?.model_provider;
  if (provider === undefined || provider === null) return given;
  return withIdleBound(given, provider, {
    ms: Math.floor((settings.limits.inactivityTimeoutMs * 2) / 3),
    configured: seen?.model_providers?.[provider],
  });
}

/** Each by its own key: variables that the user's configuration sets stay. They reach the commands of this thread alone (0.169.0). */
function toolVariables(variables: Readonly<Record<string, string>>): Record<string, Json> {
  return Object.fromEntries(
    Object.entries(variables).map(([name, value]) => [`shell_environment_policy.set.${name}`, value]),
  );
}

/**
 * Of an untrusted project Codex reads no `.codex/` (configuration, servers, hooks, rules) and no `AGENTS.md`. It must be told: where nothing is said, a
 * thread with a sandbox that may write makes the project a trusted one, in the user's own `config.toml`, for good (0.169.0). What is told here is of this
 * thread alone and wins over that file.
 */
function projects(trust: AgentSettings['trust']): Table {
  if (trust === undefined) return {};
  const level = { trust_level: trust.trusted ? 'trusted' : 'untrusted' };
  return { projects: Object.fromEntries(trust.roots.map((root) => [root, level])) };
}

interface IdleBound {
  readonly ms: number;
  /** The provider as `config.toml` has it. */
  readonly configured: { readonly stream_idle_timeout_ms?: number | null | undefined } | undefined;
}

/**
 * Codex gives a silent stream up after 300 s by default, and then tries again; two thirds of our own inactivity bound lets it recover before we
 * interrupt it. The key belongs to a provider, so it is set where the provider is defined: inline in the session's config, or in `config.toml`.
 * A built-in provider (`openai`) cannot be changed ("reserved built-in provider IDs") and keeps its 300 s. A shorter bound of the user stays.
 */
function withIdleBound(config: Table, provider: string, bound: IdleBound): Table {
  if (!/^[\w-]+$/.test(provider)) return config;
  const table = `model_providers.${provider}`;
  const key = `${table}.stream_idle_timeout_ms`;
  if (config[key] !== undefined) return config;
  const inline = config[table];
  if (isTable(inline)) return { ...config, [table]: { stream_idle_timeout_ms: bound.ms, ...inline } };
  const all = config['model_providers'];
  const nested = isTable(all) ? all[provider] : undefined;
  if (isTable(all) && isTable(nested))
    return {
      ...config,
      model_providers: { ...all, [provider]: { stream_idle_timeout_ms: bound.ms, ...nested } },
    };
  if (bound.configured === undefined) return config;
  const own = bound.configured.stream_idle_timeout_ms;
  return own !== undefined && own !== null && own <= bound.ms ? config : { ...config, [key]: bound.ms };
}
