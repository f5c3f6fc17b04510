/** `doctor` on what agents are given: log-ins, credentials, secrets, MCP servers. Present or not, good or not; never what they are. */
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { isAbsolute, join, relative, resolve } from 'node:path';
import {
  claudesSharing,
  probeMcpServer,
  readConfig,
  serversOfSessions,
  tryCredentials,
  tryKeyring,
  type Config,
} from '../../daemon/index.ts';
import { messageOf, PilotlightError } from '../../protocol/index.ts';
import type { Context } from '../context.ts';
import type { Finding } from './finding.ts';

/** Servers of sessions that are tried: each is a process. */
const MOST_SERVERS = 20;

export async function given(context: Context): Promise<Finding[]> {
  const { home, env } = context;
  let config: Config;
  try {
    config = readConfig(home, env);
  } catch {
    // Said with the agents.
    return logIns(context);
  }
  const [kept, commands, servers] = await Promise.all([
    secrets(home, config, env),
    credentials(config, env),
    mcpServers(home, config, env),
  ]);
  return [...logIns(context), kept, ...commands, ...servers];
}

function logIns({ env }: Context): Finding[] {
  const home = env['HOME'] ?? '';
  const claudeHome = env['CLAUDE_CONFIG_DIR'] ?? join(home, '.claude');
  const codexHome = env['CODEX_HOME'] ?? join(home, '.codex');
  const below = relative(resolve(tmpdir()), resolve(codexHome));
  const temporary = !below.startsWith('..') && !isAbsolute(below);
  return [
    present(env, 'claude log-in', {
      names: CLAUDE_KEYS,
      file: join(claudeHome, '.credentials.json'),
      fix: 'Run `claude` once and log in, or set ANTHROPIC_API_KEY.',
    }),
    ...sharedLogIn(claudeHome, env),
    present(env, 'codex log-in', {
      names: ['OPENAI_API_KEY', 'CODEX_API_KEY'],
      file: join(codexHome, 'auth.json'),
      fix: 'Run `codex login`, or set OPENAI_API_KEY.',
    }),
    ...(temporary
      ? [
          {
            what: 'CODEX_HOME',
            state: 'warning' as const,
            says: `${codexHome} is below the temporary directory`,
            fix: "Codex's sandboxed commands fail there without a word: move it.",
          },
        ]
      : []),
  ];
}

interface LogIn {
  readonly names: readonly string[];
  readonly file: string;
  readonly fix: string;
}

function present(env: Context['env'], what: string, { names, file, fix }: LogIn): Finding {
  const name = names.find((one) => env[one] !== undefined && env[one] !== '');
  if (name !== undefined) return { what, state: 'ok', says: `${name} is set` };
  if (existsSync(file)) return { what, state: 'ok', says: `${file} exists` };
  return { what, state: 'warning', says: 'none found', fix };
}

const CLAUDE_KEYS = ['ANTHROPIC_API_KEY', 'ANTHROPIC_AUTH_TOKEN', 'CLAUDE_CODE_OAUTH_TOKEN'];

/** A log-in is renewed by whichever process comes first; where two do at once, one of them may be logged out. */
function sharedLogIn(claudeHome: string, env: Context['env']): Finding[] {
  const own = CLAUDE_KEYS.some((name) => (env[name] ?? '') !== '');
  const sharing = own || !existsSync(join(claudeHome, '.credentials.json')) ? 0 : claudesSharing(claudeHome);
  if (sharing < 2) return [];
  const says = `${String(sharing)} processes of Claude share the log-in in ${claudeHome}: when they renew it at once, one may be logged out`;
  const fix =
    'Give them a token that none of them renews: `claude setup-token`, then CLAUDE_CODE_OAUTH_TOKEN; or an API key.';
  return [{ what: 'claude log-in, shared', state: 'warning', says, fix }];
}

/** Where values that are given as secrets would be kept. A keyring is tried. */
async function secrets(home: string, config: Config, env: Context['env']): Promise<Finding> {
  const what = 'secrets';
  const { persist, store, keyringTimeoutMs } = config.secrets;
  if (!persist)
    return {
      what,
      state: 'ok',
      says: 'in memory only: sessions that bring some need them again after a restart',
    };
  if (store === 'file')
    return { what, state: 'ok', says: `files that only this user reads, in ${join(home, 'secrets')}` };
  try {
    const tool = await tryKeyring(env, keyringTimeoutMs);
    return { what, state: 'ok', says: `sealed with a key in the keyring (${tool})` };
  } catch (error) {
    const fix = error instanceof PilotlightError ? error.fix : undefined;
    return { what, state: 'missing', says: messageOf(error), ...(fix === undefined ? {} : { fix }) };
  }
}

async function credentials(config: Config, env: Context['env']): Promise<Finding[]> {
  return (await tryCredentials(config, env)).map(({ name, ok, says }) => {
    const what = `credential ${name}`;
    if (ok) return { what, state: 'ok', says };
    return {
      what,
      state: 'warning',
      says,
      fix: `Run it by hand; it is credentials.${name}.command in config.toml.`,
    };
  });
}

/** Those of the configuration, and those that open sessions brought along. */
async function mcpServers(home: string, config: Config, env: Context['env']): Promise<Finding[]> {
  const common = Object.entries(config.mcpServers).map(([name, server]) => ({
    what: `MCP server ${name}`,
    server,
    fix: `Sessions go on without it: mend mcpServers.${name} in config.toml.`,
  }));
  const { servers, unread } = serversOfSessions(home);
  const own = servers.slice(0, MOST_SERVERS).map(({ session, name, server }) => ({
    what: `MCP server ${name} of ${session}`,
    server,
    fix: 'The session goes on without it: create it again with one that works.',
  }));
  const tried = await Promise.all(
    [...common, ...own].map(async ({ what, server, fix }): Promise<Finding> => {
      const { ok, says } = await probeMcpServer(server, env);
      return ok ? { what, state: 'ok', says } : { what, state: 'warning', says, fix };
    }),
  );
  const untried = [
    ...(servers.length > own.length ? [`${String(servers.length - own.length)} more were not tried`] : []),
    ...(unread > 0
      ? [`of ${String(unread)} sessions what they brought is sealed: whether there are any is not known here`]
      : []),
  ];
  return [
    ...tried,
    ...untried.map((says): Finding => ({ what: 'MCP servers of sessions', state: 'ok', says })),
  ];
}
