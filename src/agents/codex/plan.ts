/**
 * How `codex app-server` is started: argv, environment, goodbye.
 * Owns: the options a session may pass on to Codex. Knows nothing of processes; what a person wrote goes by protocol, never into argv.
 */
import { join } from 'node:path';
import { z } from 'zod';
import { PilotlightError } from '../../protocol/index.ts';
import type { AgentBinary, AgentSettings, Conversations, StartPlan } from '../dialect.ts';

export const conversations: Conversations = {
  at: ({ CODEX_HOME, HOME = '' }) => CODEX_HOME ?? join(HOME, '.codex'),
};

/**
 * The binary is the native one: the Node wrapper would be one more process to signal. Analytics are off by default in app-server, but a
 * `config.toml` can turn them on; both keys were seen to arrive in `config/read`. A shell snapshot is the whole environment, keys and tokens too, in a
 * file below CODEX_HOME. Closing stdin is the goodbye: it exits in 9 to 34 ms, even in a turn.
 */
export function planCodex(binary: AgentBinary, settings: AgentSettings): StartPlan {
  codexOptions(settings.agentOptions);
  return {
    file: binary.path,
    args: ['app-server', ...OVERRIDES.flatMap((one) => ['-c', one])],
    env: settings.env,
    goodbye: '',
  };
}

/**
 * For several sessions: it stands in no directory of theirs. A thread that nobody listens to any more is closed at once, not after half an hour: only then are
 * its MCP servers gone, and it may be opened with other settings or by another process (3 ms, 0.169.0).
 */
export function planShared(binary: AgentBinary, settings: AgentSettings): StartPlan {
  const { file, args, env, goodbye } = planCodex(binary, settings);
  return {
    file,
    args: [...args, '-c', 'thread_unload_delay_secs=0'],
    env: { [ALLOCATOR]: 'tcache_max:1024,tcache_nslots_small_max:64', ...env },
    goodbye,
  };
}

/**
 * What its allocator (jemalloc) reads. It keeps freed memory for each of some thirty threads, much of it for every conversation: with less of it,
 * ten of them take 31 MB instead of 41, and their turns as long as before (0.169.0).
 */
const ALLOCATOR = '_RJEM_MALLOC_CONF';

const OVERRIDES = [
  'analytics.enabled=false',
  'check_for_update_on_startup=false',
  'features.shell_snapshot=false',
];

const CodexOptions = z.strictObject({
  /** Id of a provider of `config.toml`, or of one given inline in `config`. */
  modelProvider: z.string().min(1).max(200).optional(),
  /** `model_reasoning_effort`. */
  effort: z.string().min(1).max(50).optional(),
  /** Overrides of `config.toml` for this thread: dotted keys or nested tables. */
  config: z.record(z.string(), z.json()).optional(),
});
export type CodexOptions = z.infer<typeof CodexOptions>;

/** `agentOptions` of a Codex session: `{modelProvider?, effort?, config?}`. Throws `bad_request` naming the field that is not one of them. */
export function codexOptions(options: AgentSettings['agentOptions']): CodexOptions {
  const read = CodexOptions.safeParse(options);
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  const where = ['agentOptions', ...(issue?.path ?? [])].join('.');
  throw new PilotlightError('bad_request', `${where}: ${issue?.message ?? 'not valid'}`, {
    fix: 'Codex takes agentOptions.modelProvider, agentOptions.effort and agentOptions.config.',
  });
}
