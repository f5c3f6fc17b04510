/** What a session may pass on to Claude: an allow-list of its flags, each checked. Pure. */
import { z } from 'zod';
import { PilotlightError } from '../../protocol/index.ts';
import type { AgentSettings } from '../dialect.ts';

/** One argument: neither another flag nor something that ends the string. */
const Word = z
  .string()
  .min(1)
  .max(500)
  .refine(
    (text) => !text.startsWith('-') && !/[\0\n\r]/.test(text),
    'begins with a dash or holds a line break',
  );
const Words = z.array(Word).min(1).max(100);

const ClaudeOptions = z.strictObject({
  /** `--effort`. */
  effort: z.enum(['low', 'medium', 'high', 'xhigh', 'max']).exactOptional(),
  /** `--add-dir`: absolute paths. */
  additionalDirectories: z
    .array(Word.refine((path) => path.startsWith('/'), 'is not an absolute path'))
    .min(1)
    .max(100)
    .exactOptional(),
  /** `--allowedTools`: rules in Claude's own words, like `Bash(git log:*)`. */
  allowedTools: Words.exactOptional(),
  disallowedTools: Words.exactOptional(),
  /** `--fallback-model`. */
  fallbackModel: Word.exactOptional(),
});

/** Throws `bad_request` naming the field. */
export function claudeOptions(options: AgentSettings['agentOptions']): z.infer<typeof ClaudeOptions> {
  const read = ClaudeOptions.safeParse(options);
  if (!read.success) {
    const [issue] = read.error.issues;
    const where = ['agentOptions', ...(issue?.path ?? [])].join('.');
    throw new PilotlightError('bad_request', `${where}: ${issue?.message ?? 'not valid'}`, {
      fix: `Claude takes agentOptions.${Object.keys(ClaudeOptions.shape).join(', agentOptions.')}.`,
    });
  }
  return read.data;
}

/** Throws as {@link claudeOptions}. */
export function optionArgs(settings: AgentSettings): string[] {
  const { effort, additionalDirectories, allowedTools, disallowedTools, fallbackModel } = claudeOptions(
    settings.agentOptions,
  );
  return [
    ...(effort === undefined ? [] : ['--effort', effort]),
    ...(fallbackModel === undefined ? [] : ['--fallback-model', fallbackModel]),
    ...list('--add-dir', additionalDirectories),
    ...list('--allowedTools', allowedTools),
    ...list('--disallowedTools', disallowedTools),
  ];
}

/** A flag each: what takes many words would take the next flag's, too. */
function list(flag: string, words: readonly string[] = []): string[] {
  return words.flatMap((word) => [flag, word]);
}
