/**
 * How `claude` is started: argv, environment, goodbye.
 * Owns which settings are flags. Knows nothing of processes; what a person wrote goes by protocol, never into argv.
 */
import { PilotlightError, type SessionMode } from '../../protocol/index.ts';
import type { AgentBinary, AgentSettings, StartPlan } from '../dialect.ts';
import { mcpConfig } from './mcp.ts';
import { optionArgs } from './options.ts';
import { PERMISSION_MODES } from './settings.ts';

export function planClaude(binary: AgentBinary, settings: AgentSettings): StartPlan {
  const mcp = mcpConfig(settings.mcp);
  return {
    file: binary.path,
    args: [
      ...SPEAK,
      ...conversation(settings),
      ...model(settings.model),
      ...permissionMode(settings.mode),
      ...sources(settings.trust),
      ...denials(settings.closed),
      ...optionArgs(settings),
      ...mcp.args,
    ],
    env: { ...environment(settings), ...mcp.env },
    files: mcp.files,
    goodbye: GOODBYE,
  };
}

/** `--verbose` is required with stream-json output; without a permission tool on stdio whatever would ask is denied at once. */
const SPEAK: readonly string[] = [
  '-p',
  '--output-format',
  'stream-json',
  '--input-format',
  'stream-json',
  '--replay-user-messages',
  '--include-partial-messages',
  '--verbose',
  '--permission-prompt-tool',
  'stdio',
];

/** `--session-id` works once for an id, even after exit: whoever continues must resume. */
function conversation({ resume, freshId }: AgentSettings): string[] {
  if (resume === undefined) return ['--session-id', argument('The session id', freshId)];
  return ['--resume', argument('The conversation to resume', resume)];
}

function model(name: string | undefined): string[] {
  return name === undefined ? [] : ['--model', argument('The model', name)];
}

/** Resuming keeps the model but not the mode, so the mode is always said. */
function permissionMode(mode: SessionMode): string[] {
  return mode === 'bypass'
    ? ['--dangerously-skip-permissions']
    : ['--permission-mode', PERMISSION_MODES[mode]];
}

/**
 * Of an untrusted repository nothing counts: without `project` and `local` Claude reads neither its settings (hooks, permissions, variables, helpers that
 * are run), nor `.mcp.json`, commands, agents, skills and `CLAUDE.md` (2.1.330). The user's own settings and servers stay.
 */
function sources(trust: AgentSettings['trust']): string[] {
  return trust?.trusted === false ? ['--setting-sources', 'user'] : [];
}

/**
 * A denial holds in every mode, and against every allowance: for the file tools, and for commands that Claude sees to read files (`cat`, not `sh -c`).
 * `//` is an absolute path. A letter that means something in a pattern stands for any letter: with a backslash before it, `?` and `\` themselves would fit nothing (2.1.330).
 */
function denials(closed: AgentSettings['closed'] = []): string[] {
  const deny = closed.flatMap((path) => {
    const below = `/${path.replaceAll(/[\\*?[\]!#]/g, '?')}/**`;
    return [`Read(${below})`, `Edit(${below})`];
  });
  return deny.length === 0 ? [] : ['--settings', JSON.stringify({ permissions: { deny } })];
}

/** A leading dash would be another flag. */
function argument(what: string, value: string): string {
  if (value !== '' && !value.startsWith('-') && !value.includes('\0')) return value;
  throw new PilotlightError('bad_request', `${what} may neither be empty nor begin with a dash`);
}

/** A Claude inside a Claude would take itself for part of the outer one. As root it bypasses permissions only where it is told that it is in a sandbox. */
function environment({ env, mode }: AgentSettings): Record<string, string> {
  const own = Object.entries(env).filter(([name]) => !INHERITED.test(name));
  return {
    ...Object.fromEntries(own),
    ...(mode === 'bypass' && process.getuid?.() === 0 ? { IS_SANDBOX: '1' } : {}),
    CLAUDE_CODE_DISABLE_PLUGIN_CACHE: '1',
    DISABLE_AUTOUPDATER: '1',
  };
}

const INHERITED = /^(?:CLAUDECODE|CLAUDE_CODE_(?:SSE_PORT|ENTRYPOINT))$/;

/** EOF alone lets a turn finish, and never ends a Claude with a background task; `end_session` ends both (exit 0 in 138 ms). */
const GOODBYE = ['interrupt', 'end_session']
  .map((subtype) =>
    JSON.stringify({ type: 'control_request', request_id: `goodbye-${subtype}`, request: { subtype } }),
  )
  .map((line) => `${line}\n`)
  .join('');
