/**
 * The agents that this version knows: their dialects, where they are on this machine, and what a session's agent is started with.
 */
import type { AgentView, McpServers } from '../protocol/index.ts';
import { claude } from './claude/index.ts';
import { codex } from './codex/index.ts';
import { sharedCodex } from './codex/shared/index.ts';
import type {
  AgentBinary,
  AgentSettings,
  Dialect,
  RuntimeLimits,
  SessionMcp,
  SharedDialect,
  WorkedOn,
  WorkspaceTrust,
} from './dialect.ts';
import { conversationKeyOf, readAtStart, startKeyOf, type StartKey } from './ahead.ts';
import { agentEnvironment, isForCommands, leadsElsewhere, mayHave, variablesOf } from './environment.ts';
import { findAgent, type Found } from './find.ts';
import { secretsOf } from './secrets.ts';

export type * from './dialect.ts';
export { inUse, Owners, type Conversation, type Held, type Holder } from './owners.ts';
export { secretsOf } from './secrets.ts';
export type { StartKey } from './ahead.ts';
export { spellingsOf } from './closed.ts';

/** A dialect whose state is its own business. */
export type AnyDialect = Dialect<unknown>;

function sealed<S>(dialect: Dialect<S>): AnyDialect {
  // The state that goes in is always one that this same dialect gave out or revived: the runtime keeps one dialect for life.
  return dialect;
}

const DIALECTS: ReadonlyMap<string, AnyDialect> = new Map([
  ['claude', sealed(claude)],
  ['codex', sealed(codex)],
]);

/** Agents that several sessions can share a process of. */
const SHARED: ReadonlyMap<string, SharedDialect<unknown>> = new Map([['codex', unsealed(sharedCodex)]]);

function unsealed<S>(dialect: SharedDialect<S>): SharedDialect<unknown> {
  return dialect;
}

/** Names of files and directories of a repository that this agent takes up by itself. */
export function ofRepository(agent: string): readonly string[] {
  return DIALECTS.get(agent)?.ofRepository ?? [];
}

/** Conversations that processes of this agent say they work on, by its own records in the directory `at`; dead processes among them. */
export function workedOn(agent: string, at: string): readonly WorkedOn[] {
  return DIALECTS.get(agent)?.conversations.workedOn?.(at) ?? [];
}

/** How long what was found is believed. */
const FOUND_FOR_MS = 30_000;

export interface AgentsOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Configured paths by agent. */
  readonly paths: Readonly<Record<string, string>>;
  readonly limits: RuntimeLimits;
  /** Variables that go to every agent besides the allow-list (`agents.env`). */
  readonly extraEnv?: readonly string[];
  /** Absolute paths that agents are to keep out of. */
  readonly closed?: readonly string[];
  /** Agents whose sandbox is to keep them out, too. */
  readonly closedInSandbox?: readonly string[];
}

/** What a session brings to the start of its agent. */
export interface StartFor {
  readonly session: string;
  readonly agent: string;
  readonly cwd: string;
  readonly model?: string;
  readonly mode: AgentSettings['mode'];
  readonly systemPrompt?: string;
  /** Every call of a tool is to be judged. */
  readonly judged: boolean;
  readonly resume?: string;
  readonly freshId: string;
  readonly agentOptions: Readonly<Record<string, unknown>>;
  readonly env: Readonly<Record<string, string>>;
  readonly credentials: Readonly<Record<string, string>>;
  readonly mcp?: SessionMcp;
  readonly trust: WorkspaceTrust;
}

export interface SplitEnvironment {
  readonly process: Readonly<Record<string, string>>;
  readonly commands: Readonly<Record<string, string>>;
}

export interface Agents {
  dialect(agent: string): AnyDialect | undefined;
  /** In a shared process: whether a credential is for commands alone, and so one session's. */
  isForCommands(agent: string, credential: string): boolean;
  /** What of a session's environment its share of a process is: the process's own variables, and those of its commands alone. */
  split(agent: string, env: Readonly<Record<string, string>>): SplitEnvironment;
  /** Undefined for an agent whose process serves one session. */
  shared(agent: string): SharedDialect<unknown> | undefined;
  /** Throws `bad_request` naming what of them the agent does not take. */
  checkOptions(agent: string, options: Readonly<Record<string, unknown>>): void;
  /** Undefined for an agent that this version does not know. Its version is not asked for. */
  find(agent: string): Promise<AgentView | undefined>;
  /** All of them, with versions (a process each, bounded; remembered for 30 s). */
  list(): Promise<readonly AgentView[]>;
  /** Whether a credential of the daemon's own may go to this agent of this session. */
  takes(name: string, start: Pick<StartFor, 'agent' | 'env' | 'agentOptions'>): boolean;
  /** Whether a session leads its agent to another server, account or authority than the daemon's. */
  leadsElsewhere(start: Pick<StartFor, 'env' | 'agentOptions'>): boolean;
  /** The agent's whole environment, with these credentials or none. */
  environment(
    start: Pick<StartFor, 'agent' | 'env' | 'agentOptions'> & Partial<Pick<StartFor, 'credentials'>>,
  ): Readonly<Record<string, string>>;
  /** Which other starts would be like this one; undefined: none may be made before there is a session for it. */
  keyOf(start: StartFor): Promise<StartKey | undefined>;
  /** What the start of a process that several sessions share would read now; undefined: none may be made before there is a session for it. */
  readsOf(
    agent: string,
    of: { readonly settings: AgentSettings; readonly binary: AgentBinary | undefined },
  ): Promise<Omit<StartKey, 'key'> | undefined>;
  /** What tells conversations in a shared process apart when they are opened; undefined: none is opened before there is a session for it. */
  conversationKeyOf(agent: string, settings: AgentSettings): Promise<string | undefined>;
  /** Whether what a session brings is secret and not the daemon's own already. */
  bringsSecrets(brought: Pick<StartFor, 'env' | 'credentials'> & { readonly servers: McpServers }): boolean;
  /** Settings and binary for a start; undefined binary path when it is not installed. */
  prepare(
    start: StartFor,
  ): Promise<{ readonly settings: AgentSettings; readonly binary: AgentBinary | undefined }>;
}

export function createAgents(options: AgentsOptions): Agents {
  const look = looking(options);
  const environment = environmentOf(options);
  const prepare: Agents['prepare'] = async (start) => {
    const { env: asked, credentials, agent, ...rest } = start;
    const env = environment({ agent, env: asked, agentOptions: rest.agentOptions, credentials });
    const servers = start.mcp?.servers;
    const secrets = secretsOf({ env, credentials, ...(servers === undefined ? {} : { servers }) });
    const { limits, closed = [] } = options;
    const closedInSandbox = options.closedInSandbox?.includes(agent) === true;
    const settings: AgentSettings = { ...rest, env, secrets, limits, closed, closedInSandbox };
    const { path, available } = await look(agent, false, env);
    return { settings, binary: available && path !== undefined ? { path } : undefined };
  };
  return {
    dialect: (agent) => DIALECTS.get(agent),
    shared: (agent) => SHARED.get(agent),
    isForCommands: (agent, credential) =>
      variablesOf(credential).every((name) => isForCommands(agent, name, options.extraEnv)),
    split(agent, env) {
      const entries = Object.entries(env);
      const forCommands = ([name]: readonly [string, string]): boolean =>
        isForCommands(agent, name, options.extraEnv);
      return {
        process: Object.fromEntries(entries.filter((entry) => !forCommands(entry))),
        commands: Object.fromEntries(entries.filter(forCommands)),
      };
    },
    checkOptions: (agent, options) => DIALECTS.get(agent)?.checkOptions(options),
    async find(agent) {
      if (!DIALECTS.has(agent)) return undefined;
      return { id: agent, kind: agent, ...(await look(agent, false)) };
    },
    list: () =>
      Promise.all(
        [...DIALECTS.keys()].map(async (agent) => ({ id: agent, kind: agent, ...(await look(agent, true)) })),
      ),
    takes: (name, { agent, env, agentOptions }) =>
      mayHave(agent, name) && !leadsElsewhere({ base: options.env, env, agentOptions }),
    leadsElsewhere: ({ env, agentOptions }) => leadsElsewhere({ base: options.env, env, agentOptions }),
    environment: ({ agent, env, agentOptions, credentials = {} }) =>
      environment({ agent, env, agentOptions, credentials }),
    prepare,
    async keyOf(start) {
      const dialect = DIALECTS.get(start.agent);
      if (dialect?.ahead === undefined) return undefined;
      const { settings, binary } = await prepare(start);
      return binary === undefined ? undefined : startKeyOf(dialect, { binary, settings });
    },
    ...AHEAD,
    bringsSecrets({ env, credentials, servers }) {
      const own = Object.entries(env).filter(([name, value]) => value !== options.env[name]);
      return secretsOf({ env: Object.fromEntries(own), credentials, servers }).length > 0;
    },
  };
}

/** What is read of shared processes that are started ahead. */
const AHEAD: Pick<Agents, 'readsOf' | 'conversationKeyOf'> = {
  async readsOf(agent, { settings, binary }) {
    const ahead = SHARED.get(agent)?.ahead;
    if (ahead === undefined || binary === undefined) return undefined;
    return readAtStart(ahead, { settings, binary });
  },
  async conversationKeyOf(agent, settings) {
    const ahead = SHARED.get(agent)?.ahead;
    return ahead === undefined ? undefined : conversationKeyOf(ahead, settings);
  },
};

type Look = (agent: string, withVersion: boolean, env?: AgentsOptions['env']) => Promise<Found>;

/** What was found is remembered for a while. */
function looking(options: AgentsOptions): Look {
  const found = new Map<string, { readonly at: number; readonly found: Promise<Found> }>();
  return async (agent, withVersion, env = options.env) => {
    const configured = options.paths[agent];
    const name = `${agent} ${String(withVersion)} ${env['PATH'] ?? ''}`;
    const known = found.get(name);
    if (known !== undefined && performance.now() - known.at < FOUND_FOR_MS) return known.found;
    const looked = findAgent({
      command: agent,
      withVersion,
      env,
      ...(configured === undefined ? {} : { configured }),
    });
    found.set(name, { at: performance.now(), found: looked });
    const result = await looked;
    if (!result.available) found.delete(name);
    return result;
  };
}

function environmentOf({
  env: base,
  extraEnv: extra,
}: AgentsOptions): (
  of: Pick<StartFor, 'agent' | 'env' | 'agentOptions' | 'credentials'>,
) => Record<string, string> {
  return (of) => agentEnvironment({ ...of, base, ...(extra === undefined ? {} : { extra }) });
}
