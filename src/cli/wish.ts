/** A session as `run` and `new` ask for it. The caller's PATH and the variables that the agent's log-in reads go with it. */
import { resolve } from 'node:path';
import { SessionMode, type CreateSession } from '../protocol/index.ts';
import type { Context } from './context.ts';
import { UsageError } from './exit.ts';
import { mcpServersOf } from './mcp-config.ts';
import { choiceOf, listOf, textOf, type Options } from './options.ts';

const ANY = /^(?:PATH|IS_SANDBOX|DISABLE_[A-Z0-9_]+|CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC)$/;

const OWN: Readonly<Record<string, RegExp>> = {
  claude: /^(?:ANTHROPIC_[A-Z0-9_]+|CLAUDE_CONFIG_DIR|CLAUDE_CODE_OAUTH_TOKEN)$/,
  codex: /^(?:OPENAI_[A-Z0-9_]+|CODEX_HOME|CODEX_API_KEY)$/,
};

export function wishOf(context: Context, options: Options): CreateSession {
  const agent = textOf(options, 'agent');
  if (agent === undefined) throw new UsageError('--agent is missing: claude or codex');
  const mode = choiceOf(options, 'mode', SessionMode.options);
  const model = textOf(options, 'model');
  const name = textOf(options, 'name');
  const readOnly = options['readOnly'];
  const mcpConfig = textOf(options, 'mcpConfig');
  const resume = textOf(options, 'resume');
  // Another machine's daemon has its own PATH and keys.
  const env = {
    ...(context.remote ? {} : goesAlong(context.env, agent)),
    ...asked(listOf(options, 'env'), context.env),
  };
  const trust = options['trust'] === true ? { trust: true } : {};
  return {
    agent,
    cwd: resolve(textOf(options, 'cwd') ?? '.'),
    ...(mode === undefined ? {} : { mode }),
    ...(model === undefined ? {} : { model }),
    ...(name === undefined ? {} : { name }),
    ...trust,
    ...(readOnly === undefined ? {} : { readOnly: typeof readOnly === 'string' ? { reason: readOnly } : {} }),
    ...(mcpConfig === undefined ? {} : { mcpServers: mcpServersOf(mcpConfig, context.env) }),
    ...(resume === undefined ? {} : { resume }),
    ...(Object.keys(env).length === 0 ? {} : { env }),
  };
}

/** `NAME=VALUE`, or `NAME` alone: the caller's own, so that a secret need not stand on a command line. */
function asked(
  given: readonly string[],
  from: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const env: Record<string, string> = {};
  for (const one of given) {
    const at = one.indexOf('=');
    const name = at === -1 ? one : one.slice(0, at);
    const value = at === -1 ? from[name] : one.slice(at + 1);
    if (name === '') throw new UsageError('--env wants NAME=VALUE, or the NAME of a variable of yours');
    if (value === undefined)
      throw new UsageError(
        `--env ${name}: you have no variable of that name; set it, or give --env NAME=VALUE`,
      );
    env[name] = value;
  }
  return env;
}

/** The variables that go with a session of this agent; no others. */
export function goesAlong(
  from: Readonly<Record<string, string | undefined>>,
  agent: string,
): Record<string, string> {
  const env: Record<string, string> = {};
  for (const [name, value] of Object.entries(from))
    if (value !== undefined && (ANY.test(name) || OWN[agent]?.test(name) === true)) env[name] = value;
  return env;
}
