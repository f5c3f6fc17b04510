/**
 * From a request to what a session is: checks what only this machine can know (agent, directory) and refuses what is not built yet.
 */
import { realpath, stat } from 'node:fs/promises';
import { isAbsolute, resolve, sep } from 'node:path';
import {
  PilotlightError,
  newId,
  type CreateSession,
  type PolicyRule,
  type SendTurn,
  type UpdateSession,
} from '../protocol/index.ts';
import { compilePolicy } from '../policy/index.ts';
import type { ReadOnly, SessionSpec } from '../session/ports.ts';
import type { SessionInput } from '../session/inputs.ts';
import type { SessionState } from '../session/state.ts';
import { isReadOnly, modeOf } from '../session/tuning.ts';
import type { HostPorts, StartWish } from './ports.ts';
import { credentialsOf } from './credentials.ts';
import type { SessionSecrets } from './secrets.ts';

export interface Wished {
  readonly spec: SessionSpec;
  readonly secrets: SessionSecrets;
}

export async function wishOf(
  request: CreateSession,
  { roots, closed, agents, look }: Pick<HostPorts, 'roots' | 'closed' | 'agents' | 'look'>,
): Promise<Wished> {
  if (request.permissionPolicy !== undefined) checkedPolicy(request.permissionPolicy);
  const agent = await agents.find(request.agent);
  if (agent === undefined) {
    const known = (await agents.list()).map((one) => one.id).join(', ');
    throw new PilotlightError('unknown_agent', `There is no agent "${request.agent}"`, {
      fix: `Use one of: ${known}.`,
    });
  }
  if (!agent.available)
    throw new PilotlightError(
      'agent_unavailable',
      agent.problem ?? `The agent ${request.agent} cannot be used`,
      {
        fix: 'Run `pilotlight doctor`.',
      },
    );
  agents.checkOptions(request.agent, request.agentOptions ?? {});
  const cwd = await directoryOf(request.cwd, { roots, closed });
  const { trusted, leftOut } = await look(cwd, agent.id);
  const trust = { trusted: request.trust ?? trusted, ...(leftOut.length === 0 ? {} : { leftOut }) };
  return { spec: { ...specOf({ ...request, cwd }), ...trust }, secrets: secretsOf(request) };
}

function specOf(request: CreateSession): SessionSpec {
  const {
    agent,
    cwd,
    name,
    model,
    mode,
    systemPrompt,
    resume,
    domain,
    agentOptions,
    metadata,
    mcpServers,
    env,
    credentials,
    limits,
    readOnly,
    permissionPolicy,
  } = request;
  const { maxTurns, maxCostUsd } = limits ?? {};
  return {
    id: newId('ses'),
    agent,
    cwd: resolve(cwd),
    ...(name === undefined ? {} : { name }),
    ...(model === undefined ? {} : { model }),
    mode: mode ?? 'default',
    ...(systemPrompt === undefined ? {} : { systemPrompt }),
    ...(resume === undefined ? {} : { resume }),
    ...(readOnly === undefined ? {} : { readOnly }),
    ...(permissionPolicy === undefined ? {} : { permissionPolicy }),
    ...(domain === undefined ? {} : { domain }),
    agentOptions: agentOptions ?? {},
    metadata: metadata ?? {},
    mcpServers: Object.keys(mcpServers ?? {}),
    env: Object.keys(env ?? {}),
    credentials: Object.keys(credentials ?? {}),
    ...(limits === undefined
      ? {}
      : {
          limits: {
            ...(maxTurns === undefined ? {} : { maxTurns }),
            ...(maxCostUsd === undefined ? {} : { maxCostUsd }),
          },
        }),
    createdAt: new Date().toISOString(),
  };
}

function secretsOf(request: CreateSession): SessionSecrets {
  return {
    env: request.env ?? {},
    credentials: credentialsOf(request.credentials ?? {}),
    mcpServers: request.mcpServers ?? {},
  };
}

/** The directory as the agent is started in it. Where there are roots: its real path, so that no link leads out later. */
async function directoryOf(
  cwd: string,
  { roots, closed }: Pick<HostPorts, 'roots' | 'closed'>,
): Promise<string> {
  const fix = 'Give the absolute path of a directory that exists.';
  if (!isAbsolute(cwd)) throw new PilotlightError('bad_cwd', `cwd "${cwd}" is not an absolute path`, { fix });
  if (cwd.includes('\0')) throw new PilotlightError('bad_cwd', 'cwd has a NUL character', { fix });
  const found = await stat(cwd).catch(() => undefined);
  if (found === undefined) throw new PilotlightError('bad_cwd', `cwd ${cwd} does not exist`, { fix });
  if (!found.isDirectory()) throw new PilotlightError('bad_cwd', `cwd ${cwd} is not a directory`, { fix });
  const real = await realpath(cwd);
  if (await isWithinOne(real, closed))
    throw new PilotlightError(
      'bad_cwd',
      `cwd ${cwd} is in the home of Pilotlight, which is closed to agents`,
      {
        fix: 'Give another directory.',
      },
    );
  if (roots.length === 0) return resolve(cwd);
  if (await isWithinOne(real, roots)) return real;
  throw new PilotlightError('bad_cwd', `cwd ${cwd} is outside the directories that sessions may work in`, {
    fix: `Give one within ${roots.join(', ')}, or change workspace.roots in config.toml.`,
    detail: { roots },
  });
}

async function isWithinOne(real: string, roots: readonly string[]): Promise<boolean> {
  return (await Promise.all(roots.map((root) => isWithin(real, root)))).includes(true);
}

async function isWithin(real: string, root: string): Promise<boolean> {
  const top = await realpath(root).catch(() => undefined);
  return top !== undefined && (real === top || real.startsWith(top.endsWith(sep) ? top : top + sep));
}

/**
 * What a PATCH is for the session. A process that runs is told of another mode or model. Read-only, trust and whether there are rules are
 * chosen when it starts: it is replaced between turns.
 */
export function updateOf(
  spec: SessionSpec,
  request: UpdateSession,
): Extract<SessionInput, { kind: 'update' }> {
  const { name, metadata, model, mode, permissionPolicy, trust } = request;
  const changed = {
    ...(name === undefined ? {} : { name }),
    ...(metadata === undefined ? {} : { metadata }),
    ...(model === undefined || model === spec.model ? {} : { model }),
    ...(mode === undefined || mode === spec.mode ? {} : { mode }),
    ...(permissionPolicy === undefined ? {} : { permissionPolicy: checkedPolicy(permissionPolicy) }),
    ...(trust === undefined || trust === (spec.trusted === true) ? {} : { trusted: trust }),
  };
  const { spec: asked, changed: readOnly } = withReadOnly(spec, request.readOnly);
  const next = { ...asked, ...changed };
  const replace =
    'trusted' in changed ||
    isReadOnly(next) !== isReadOnly(spec) ||
    'readOnly' in readOnly ||
    ruled(next) !== ruled(spec);
  const tell = 'model' in changed || modeOf(next) !== modeOf(spec);
  return {
    kind: 'update',
    spec: next,
    changed: { ...changed, ...readOnly },
    ...(replace ? { process: 'replace' } : tell ? { process: 'tell' } : {}),
  };
}

/** What a message changes of its session before it is sent; undefined: nothing. */
export function updateWith(
  spec: SessionSpec,
  request: SendTurn,
): Extract<SessionInput, { kind: 'update' }> | undefined {
  const { spec: next, changed } = withReadOnly(spec, request.readOnly);
  return 'readOnly' in changed ? { kind: 'update', spec: next, changed, process: 'replace' } : undefined;
}

/** `null` lifts it. Nothing is changed by what is so already. */
function withReadOnly(
  spec: SessionSpec,
  wanted: ReadOnly | null | undefined,
): { readonly spec: SessionSpec; readonly changed: { readonly readOnly?: ReadOnly | null } } {
  const same =
    wanted === undefined ||
    (wanted === null
      ? spec.readOnly === undefined
      : spec.readOnly?.reason === wanted.reason && spec.readOnly);
  if (same) return { spec, changed: {} };
  const { readOnly: _, ...free } = spec;
  return wanted === null
    ? { spec: free, changed: { readOnly: null } }
    : { spec: { ...spec, readOnly: wanted }, changed: { readOnly: wanted } };
}

function ruled(spec: SessionSpec): boolean {
  return (spec.permissionPolicy ?? []).length > 0;
}

/** Throws `bad_request` for a rule that could never be understood, naming it. */
function checkedPolicy(rules: readonly PolicyRule[]): readonly PolicyRule[] {
  compilePolicy(rules);
  return rules;
}

/** What a runtime that starts now is started for. Nothing is resumed that the agent never took in. */
export function startWishOf(state: SessionState): StartWish {
  const { agentSessionId, conversed, spec } = state;
  return { spec, ...(conversed && agentSessionId !== undefined ? { resume: agentSessionId } : {}) };
}
