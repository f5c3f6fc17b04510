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

/** Credentials of the interface → the variable that carries them. Other names are variables themselves. */
const CREDENTIALS: Readonly<Record<string, readonly string[]>> = {
  anthropicApiKey: ['ANTHROPIC_API_KEY'],
  openaiApiKey: ['OPENAI_API_KEY'],
  githubToken: ['GH_TOKEN', 'GITHUB_TOKEN'],
};

export interface EnvironmentSources {
  readonly agent: string;
  /** The daemon's environment. */
  readonly base: Readonly<Record<string, string | undefined>>;
  readonly env: Readonly<Record<string, string>>;
  readonly credentials: Readonly<Record<string, string>>;
  /** Allow-listed whatever the agent (fake agents in tests read their own). */
  readonly extra?: readonly string[];
}

export function agentEnvironment(sources: EnvironmentSources): Record<string, string> {
  const own = OWN[sources.agent];
  const made: Record<string, string> = {};
  for (const [name, value] of Object.entries(sources.base)) {
    if (value === undefined) continue;
    const allowed =
      COMMON.test(name) ||
      QUIET.test(name) ||
      own?.test(name) === true ||
      sources.extra?.includes(name) === true;
    if (allowed) made[name] = value;
  }
  for (const [name, value] of Object.entries(sources.credentials))
    for (const variable of CREDENTIALS[name] ?? [name]) made[variable] = value;
  return { ...made, ...sources.env };
}
