/**
 * The environment of an agent (R24): an allow-list from the daemon's own, overlaid with what the session asks for.
 * Pure. Knows which variables each agent's CLI reads for its log-in; nothing of files.
 */

/** Variables that any program needs to run as its user. */
const COMMON =
  /^(?:PATH|HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|LC_[A-Z]+|TERM|TZ|TMPDIR|XDG_[A-Z_]+|SSL_CERT_(?:FILE|DIR)|NODE_EXTRA_CA_CERTS|(?:HTTPS?|NO|ALL)_PROXY|(?:https?|no|all)_proxy|SSH_AUTH_SOCK|IS_SANDBOX)$/;

const QUIET =
  /^(?:DISABLE_(?:TELEMETRY|ERROR_REPORTING|AUTOUPDATER)|CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC)$/;

const OWN: Readonly<Record<string, RegExp>> = {
  claude:
    /^(?:ANTHROPIC_[A-Z_]+|CLAUDE_CONFIG_DIR|CLAUDE_CODE_OAUTH_TOKEN|CLAUDE_CODE_USE_(?:BEDROCK|VERTEX)|CLAUDE_CODE_MAX_RETRIES|AWS_[A-Z_]+|CLOUD_ML_REGION)$/,
  codex: /^(?:OPENAI_[A-Z_]+|CODEX_HOME|CODEX_API_KEY)$/,
};

/**
 * What leads an agent to another server, another account or another authority. A session that sets one brings its own credentials: the daemon's would
 * be sent to whoever the session names. (A proxy alone is none: it sees no further than TLS lets it.)
 */
const REDIRECTS =
  /^(?:\w+_BASE_URL|CLAUDE_CODE_(?:USE|SKIP)_\w+|CLAUDE_CONFIG_DIR|CODEX_HOME|HOME|XDG_CONFIG_HOME|AWS_(?:ENDPOINT_URL\w*|CONFIG_FILE|SHARED_CREDENTIALS_FILE|PROFILE)|CLOUD_ML_REGION|NODE_EXTRA_CA_CERTS|SSL_CERT_(?:FILE|DIR)|CODEX_CA_CERTIFICATE|OPENAI_API_BASE)$/;

/** Keys of `agentOptions`, at any depth, that do the same: a provider defined or chosen, a base URL. */
const REDIRECTING_OPTION = /^model_?provider|base_?url$/i;

/** Variables that log in somewhere. */
const CREDENTIAL = /KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL|CUSTOM_HEADERS|^AWS_/;

/** A key of one agent's provider is no business of another's. */
const ONLY: ReadonlyMap<string, string> = new Map([
  ['anthropicApiKey', 'claude'],
  ['openaiApiKey', 'codex'],
]);

export function mayHave(agent: string, credential: string): boolean {
  return (ONLY.get(credential) ?? agent) === agent;
}

/** Credentials of the interface → the variable that carries them. Other names are variables themselves. */
const CREDENTIALS: ReadonlyMap<string, readonly string[]> = new Map([
  ['anthropicApiKey', ['ANTHROPIC_API_KEY']],
  ['openaiApiKey', ['OPENAI_API_KEY']],
  ['githubToken', ['GH_TOKEN', 'GITHUB_TOKEN']],
]);

export interface EnvironmentSources {
  readonly agent: string;
  /** The daemon's environment. */
  readonly base: Readonly<Record<string, string | undefined>>;
  readonly env: Readonly<Record<string, string>>;
  readonly credentials: Readonly<Record<string, string>>;
  readonly agentOptions: Readonly<Record<string, unknown>>;
  /** Allow-listed whatever the agent (fake agents in tests read their own). */
  readonly extra?: readonly string[];
}

export function agentEnvironment(sources: EnvironmentSources): Record<string, string> {
  const own = OWN[sources.agent];
  const made: Record<string, string> = {};
  const elsewhere = leadsElsewhere(sources);
  for (const [name, value] of Object.entries(sources.base)) {
    if (value === undefined || name.startsWith('PILOTLIGHT_')) continue;
    if (elsewhere && CREDENTIAL.test(name) && !COMMON.test(name)) continue;
    const allowed =
      COMMON.test(name) ||
      QUIET.test(name) ||
      own?.test(name) === true ||
      sources.extra?.includes(name) === true;
    if (allowed) made[name] = value;
  }
  for (const [name, value] of Object.entries(sources.credentials))
    for (const variable of variablesOf(name)) made[variable] = value;
  const token = sources.credentials['githubToken'];
  return { ...made, ...(token === undefined ? {} : gitHelper(made)), ...sources.env };
}

/**
 * git asks a helper that reads the variable: the token is in no file and in no argv. A helper of the user's configuration would be asked first and
 * might store what we gave, so there is none besides for this host. Never a prompt: nobody could answer it.
 */
function gitHelper(made: Readonly<Record<string, string>>): Record<string, string> {
  const count = Number(made['GIT_CONFIG_COUNT'] ?? 0);
  const helper = `!f() { test "$1" = get && printf 'username=x-access-token\npassword=%s\n' "$GH_TOKEN"; }; f`;
  const values = ['', helper].map((value, index): [string, string][] => [
    [`GIT_CONFIG_KEY_${String(count + index)}`, 'credential.https://github.com.helper'],
    [`GIT_CONFIG_VALUE_${String(count + index)}`, value],
  ]);
  return {
    ...Object.fromEntries(values.flat()),
    GIT_CONFIG_COUNT: String(count + values.length),
    GIT_TERMINAL_PROMPT: '0',
  };
}

/** What else a program reads for itself. Codex asks git about the workspace in every turn: where git may look is its affair, too. */
const FOR_ANY_PROGRAM =
  /^(?:LD_|RUST_|NODE_|SSL_|PILOTLIGHT_|GIT_(?:CEILING_DIRECTORIES|DISCOVERY_ACROSS_FILESYSTEM|DIR|WORK_TREE|INDEX_FILE)$)/;

/** Credentials that only commands read. */
const FOR_COMMANDS = /^(?:GH_TOKEN|GITHUB_TOKEN|GIT_CONFIG_\w+)$/;

/** A variable that a shared process gives to the commands of one session alone. Whatever the agent may read itself, or may log in with, is its process's. */
export function isForCommands(agent: string, name: string, extra: readonly string[] = []): boolean {
  if (FOR_COMMANDS.test(name)) return true;
  const own = COMMON.test(name) || QUIET.test(name) || OWN[agent]?.test(name) === true;
  const told = extra.includes(name) || FOR_ANY_PROGRAM.test(name) || REDIRECTS.test(name);
  return /^[A-Za-z_]\w*$/.test(name) && !own && !told && !CREDENTIAL.test(name);
}

/** Variables that carry a credential. */
export function variablesOf(credential: string): readonly string[] {
  return CREDENTIALS.get(credential) ?? [credential];
}

export function leadsElsewhere({
  base,
  env,
  agentOptions,
}: Pick<EnvironmentSources, 'base' | 'env' | 'agentOptions'>): boolean {
  return (
    Object.entries(env).some(([name, value]) => REDIRECTS.test(name) && value !== base[name]) ||
    names(agentOptions).some((name) => REDIRECTING_OPTION.test(name))
  );
}

/** Every key at every depth; a dotted one stands for several. */
function names(options: unknown): string[] {
  if (typeof options !== 'object' || options === null) return [];
  return Object.entries(options).flatMap(([key, value]) => [...key.split('.'), ...names(value)]);
}
