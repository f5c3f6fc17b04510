/**
 * The configuration of a daemon: config.toml in its home, overlaid by environment variables (which win).
 * The only place that reads process.env. Unknown keys and wrong types are refused by name.
 */
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { parse as parseToml } from 'smol-toml';
import { z } from 'zod';
import { namesOf, unmarked } from '../process/index.ts';
import { McpServers, messageOf, PilotlightError, PolicyRule } from '../protocol/index.ts';

/** A wait of a month is none, and what a timer cannot hold would be over at once. */
const ms = (value: number): z.ZodDefault<z.ZodNumber> =>
  z.number().int().positive().max(2_147_483_647).default(value);
const count = (value: number): z.ZodDefault<z.ZodNumber> =>
  z.number().int().positive().max(1_000_000).default(value);
const absolute = z.string().startsWith('/', 'must be an absolute path');
const megabytes = z.number().int().positive().max(100_000_000);
const size = z.number().positive().max(100_000_000);

const Config = z.strictObject({
  server: z
    .strictObject({
      host: z.string().default('127.0.0.1'),
      port: z.number().int().min(0).max(65_535).default(7433),
      /** More names that it answers to, as a proxy in front of it is asked for: `box.example`, `box.example:8443`. */
      names: z
        .array(
          z.string().regex(/^[a-z0-9.-]+(?::\d{1,5})?$/, 'a host name in lower case, with a port or without'),
        )
        .default([]),
    })
    .prefault({}),
  runtime: z
    .strictObject({
      echoTimeoutMs: ms(10_000),
      firstTurnTimeoutMs: ms(60_000),
      startTimeoutMs: ms(60_000),
      inactivityTimeoutMs: ms(180_000),
      toolTimeoutMs: ms(30 * 60_000),
      interruptTimeoutMs: ms(5_000),
      handoverTimeoutMs: ms(30_000),
      stdinTimeoutMs: ms(10_000),
      requestTimeoutMs: ms(30_000),
      threadTimeoutMs: ms(10_000),
      debug: z.boolean().default(false),
    })
    .prefault({}),
  wire: z.strictObject({ maxLineMb: z.number().positive().max(512).default(16) }).prefault({}),
  ladder: z
    .strictObject({ termAfterMs: ms(2000), killAfterMs: ms(2000), stuckAfterMs: ms(2000) })
    .prefault({}),
  keeper: z.strictObject({ graceMs: ms(10 * 60_000) }).prefault({}),
  permissions: z
    .strictObject({
      timeoutMs: ms(10 * 60_000),
      /** Behind the rules of each session. */
      rules: z.array(PolicyRule).default([]),
    })
    .prefault({}),
  session: z.strictObject({ maxQueued: z.number().int().positive().max(10_000).default(100) }).prefault({}),
  pool: z
    .strictObject({
      /** The upper bounds are those of a machine, not of taste: beyond them a number is a mistake. */
      maxWarm: z.number().int().positive().max(10_000).default(5),
      idleTimeoutMs: ms(300_000),
      memoryBudgetMb: megabytes.exactOptional(),
      whenFull: z.enum(['per-message', 'wait']).default('per-message'),
      maxPerMessage: z.number().int().positive().max(10_000).default(10),
      maxWaiting: z.number().int().positive().max(100_000).default(100),
      maxWaitMs: ms(10 * 60_000),
      persistent: z.boolean().default(true),
      blockedModels: z.array(z.string().min(1)).default([]),
      recycleMb: megabytes.default(600),
      recycleTurns: z.number().int().positive().default(500),
      killMb: megabytes.exactOptional(),
      warmOnCreate: z.boolean().default(true),
      /** Of an agent whose process can have several (Codex); 1 for a process each. */
      sessionsPerProcess: z.number().int().positive().max(200).default(50),
      spares: z.number().int().nonnegative().max(10_000).default(0),
      spareForMs: ms(10 * 60_000),
      spareRestMs: ms(250),
      backgroundMaxMs: ms(6 * 60 * 60_000),
      backgroundRestMs: ms(30_000),
    })
    .prefault({}),
  /** At a time. */
  limits: z
    .strictObject({
      connections: count(2048),
      requests: count(1024),
      requestsPerToken: count(512),
      streams: count(1024),
      streamsPerToken: count(512),
      sessions: count(10_000),
      bodyMb: z.number().positive().max(512).default(10),
    })
    .prefault({}),
  workspace: z
    .strictObject({
      roots: z.array(absolute).default([]),
      /** Directories, or globs of them, in which what a repository brings along is taken up. */
      trusted: z.array(absolute).default([]),
    })
    .prefault({}),
  audit: z.strictObject({ maxMb: size.default(40) }).prefault({}),
  /** Name of a credential → the command that prints it: asked for when a session needs it and was given none. */
  credentials: z
    .record(
      z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/),
      z.strictObject({
        /** Words, or a line for `/bin/sh`. */
        command: z.union([z.string().min(1), z.array(z.string()).min(1)]),
        timeoutMs: ms(10_000),
        /** How long a value without an expiry of its own is believed. */
        ttlMs: ms(5 * 60_000),
      }),
    )
    .default({}),
  notify: z
    .strictObject({
      /** Run when an agent asks something and when a turn ends. Words, or a line for `/bin/sh`. */
      command: z.union([z.string().min(1), z.array(z.string()).min(1)]).exactOptional(),
      timeoutMs: ms(10_000),
    })
    .prefault({}),
  /** MCP servers of every session, besides its own; one of the same name is the session's. */
  mcpServers: McpServers.default({}),
  /** Whether values of `env`, `credentials` and MCP servers are written to `secrets/`; a session that needs them cannot be started by the next daemon otherwise. */
  secrets: z
    .strictObject({
      persist: z.boolean().default(true),
      /** `keyring`: what is written is sealed with a key that lies in the keyring of the system. */
      store: z.enum(['file', 'keyring']).default('file'),
      /** For each answer of the keyring, which may ask a person to unlock it. */
      keyringTimeoutMs: ms(10_000),
    })
    .prefault({}),
  journal: z
    .strictObject({ keepDays: z.number().positive().max(36_500).default(30), maxMb: size.default(2048) })
    .prefault({}),
  agents: z
    .strictObject({
      claude: z.strictObject({ path: z.string() }).exactOptional(),
      codex: z
        .strictObject({
          path: z.string().exactOptional(),
          /** Its sandbox keeps its commands out of the home of Pilotlight. */
          closeHome: z.boolean().exactOptional(),
        })
        .exactOptional(),
      /** Names of variables that go to every agent besides the allow-list. */
      env: z.array(z.string()).default([]),
    })
    .prefault({}),
});
export type Config = z.infer<typeof Config>;

/** Variable → key. Numbers and booleans are read as such. */
const VARIABLES: Readonly<Record<string, readonly [keyof Config, string]>> = {
  AGENT_ECHO_TIMEOUT_MS: ['runtime', 'echoTimeoutMs'],
  AGENT_STREAM_INACTIVITY_TIMEOUT_MS: ['runtime', 'inactivityTimeoutMs'],
  AGENT_RUNTIME_DEBUG: ['runtime', 'debug'],
  AGENT_MAX_PERSISTENT: ['pool', 'maxWarm'],
  AGENT_IDLE_TIMEOUT_MS: ['pool', 'idleTimeoutMs'],
  AGENT_DISABLE_PERSISTENT: ['pool', 'persistent'],
  PILOTLIGHT_PORT: ['server', 'port'],
};

/** This process's environment, without the mark that it has when an agent's command started it: a daemon is not of that agent's tree. */
export function processEnvironment(): Readonly<Record<string, string | undefined>> {
  return unmarked(process.env);
}

/** The home that is meant: the flag, PILOTLIGHT_HOME, ~/.pilotlight. */
export function homeOf(flag: string | undefined, env = processEnvironment()): string {
  return resolve(flag ?? env['PILOTLIGHT_HOME'] ?? join(env['HOME'] ?? homedir(), '.pilotlight'));
}

/** Reads the configuration of a home. Throws `bad_request` naming the file or variable, the key and what is wrong. */
export function readConfig(home: string, env = processEnvironment()): Config {
  const file = join(home, 'config.toml');
  const written = fromFile(file);
  const overlaid = overlay(written, env);
  const config = checked(overlaid, (path) => origin(path, env), `(${file} or the environment)`);
  checkClosable(config, home);
  return config;
}

/** Codex 0.169.0 takes such a path of a profile for a pattern, and then keeps nobody out of it. */
export function checkClosable({ agents }: Pick<Config, 'agents'>, home: string): void {
  const name =
    agents.codex?.closeHome === true ? namesOf(home).find((path) => /[*?[\]]/.test(path)) : undefined;
  if (name === undefined) return;
  const message = `agents.codex.closeHome cannot close ${name}: Codex takes * ? [ ] in its path for a pattern`;
  throw new PilotlightError('bad_request', message, {
    fix: 'Take a home whose path has none of them, or leave closeHome out.',
  });
}

/** A configuration that a program made: its values are held to the same bounds. */
export function checkConfig(config: unknown): Config {
  return checked(config, () => '', '(createHost)');
}

function checked(value: unknown, from: (path: readonly PropertyKey[]) => string, where: string): Config {
  const parsed = Config.safeParse(value);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map(
    (issue) => `${issue.path.join('.') || 'top level'}: ${issue.message}${from(issue.path)}`,
  );
  throw new PilotlightError('bad_request', `The configuration is not valid ${where}: ${issues.join('; ')}`, {
    fix: 'Mend the keys named.',
  });
}

/** The variable that a key is from, when it is. */
function origin(path: readonly PropertyKey[], env: Readonly<Record<string, string | undefined>>): string {
  const found = Object.entries(VARIABLES).find(
    ([name, [section, key]]) => section === path[0] && key === path[1] && (env[name] ?? '') !== '',
  );
  return found === undefined ? '' : ` (from ${found[0]})`;
}

function fromFile(file: string): Record<string, unknown> {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return {};
    throw new PilotlightError('bad_request', `${file} cannot be read: ${messageOf(error)}`, {
      fix: 'Let this user read it, or move it away.',
      cause: error,
    });
  }
  try {
    return parseToml(text);
  } catch (error) {
    throw new PilotlightError('bad_request', `${file} is not valid TOML: ${messageOf(error)}`, {
      fix: 'Mend the line that is named.',
      cause: error,
    });
  }
}

function overlay(
  written: Record<string, unknown>,
  env: Readonly<Record<string, string | undefined>>,
): Record<string, unknown> {
  const result: Record<string, unknown> = { ...written };
  for (const [name, [section, key]] of Object.entries(VARIABLES)) {
    const value = env[name];
    if (value === undefined || value === '') continue;
    const old = result[section];
    result[section] = {
      ...(typeof old === 'object' && old !== null ? old : {}),
      [key]: valueOf(name, value),
    };
  }
  return result;
}

/** Switches are on for anything but 0 and false; the one that says "disable" is the reverse of its key. */
function valueOf(name: string, text: string): unknown {
  const on = text !== '0' && text !== 'false';
  if (name === 'AGENT_RUNTIME_DEBUG') return on;
  if (name === 'AGENT_DISABLE_PERSISTENT') return !on;
  return scalar(text);
}

function scalar(text: string): unknown {
  if (/^-?\d+(?:\.\d+)?$/.test(text)) return Number(text);
  return text === 'true' ? true : text === 'false' ? false : text;
}

/** Configured binaries by agent. */
export function pathsOf(config: Config): Record<string, string> {
  const { claude, codex } = config.agents;
  return {
    ...(claude === undefined ? {} : { claude: claude.path }),
    ...(codex?.path === undefined ? {} : { codex: codex.path }),
  };
}
