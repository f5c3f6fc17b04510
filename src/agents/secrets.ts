/**
 * What an agent is started with that is secret: credentials, values of MCP servers, and variables, but those whose name or value is plainly none. Pure.
 */
import type { McpServers } from '../protocol/index.ts';

/** Variables that say where or how, not who. */
const HARMLESS =
  /^(?:PATH|HOME|USER|LOGNAME|SHELL|PWD|LANG|LANGUAGE|LC_[A-Z]+|TERM|TZ|TMPDIR|XDG_[A-Z_]+|SSH_AUTH_SOCK|IS_SANDBOX|DISABLE_\w+|GIT_CONFIG_(?:COUNT|KEY_\d+|VALUE_\d+)|GIT_TERMINAL_PROMPT|PILOTLIGHT_RUNTIME|_RJEM_MALLOC_CONF)$|(?:^|_)(?:HOME|DIR|DIRS|DIRECTORIES|FILE|PATH|MODEL|REGION|PROFILE|HOST|PORT|MS|TIMEOUT|LEVEL)$/;

/** Names that say that the value is a secret, whatever it looks like. */
const TELLING =
  /KEY|TOKEN|SECRET|PASS|PWD|CREDENTIAL|AUTH|PRIVATE|COOKIE|SIGNATURE|SALT|DSN|CUSTOM_HEADERS|CONNECTION/;

/** Words, numbers, places: masking them would garble what an agent says and hide nothing. */
const PLAIN = /^(?:[A-Za-z]+|[\d.,:+-]+|(?:\.{0,2}|~)\/[^\s:]*(?::(?:\.{0,2}|~)\/[^\s:]*)*)$/;

export interface SecretSources {
  /** The agent's whole environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly credentials: Readonly<Record<string, string>>;
  readonly servers?: McpServers;
}

export function secretsOf({ env, credentials, servers = {} }: SecretSources): string[] {
  const found = new Set<string>(Object.values(credentials));
  for (const [name, value] of Object.entries(env))
    for (const secret of inVariable(name, value)) found.add(secret);
  for (const server of Object.values(servers))
    for (const value of Object.values((server.type === 'http' ? server.headers : server.env) ?? {}))
      for (const secret of withoutScheme(value)) found.add(secret);
  return [...found].toSorted();
}

function inVariable(name: string, value: string): readonly string[] {
  const inUrl = /^\w+:\/\/[^/@\s]*:([^/@\s]+)@/.exec(value)?.[1];
  if (inUrl !== undefined) return [value, inUrl, decoded(inUrl)];
  if (TELLING.test(name)) return HARMLESS.test(name) ? [] : [value];
  if (HARMLESS.test(name) || PLAIN.test(value) || /^\w+:\/\/\S*$/.test(value)) return [];
  return [value];
}

/** `Bearer x`: the x alone is as good. */
function withoutScheme(value: string): readonly string[] {
  const bare = /^[A-Za-z]+\s+(\S+)$/.exec(value)?.[1];
  return bare === undefined ? [value] : [value, bare];
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
