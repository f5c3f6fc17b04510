/**
 * A command that prints a credential.
 * Nothing that it printed is in an error: it may be half of a secret.
 */
import { z } from 'zod';
import { PilotlightError } from '../protocol/index.ts';
import { runCommand, type Command, type CommandSurroundings } from './command.ts';

export interface CredentialCommand {
  readonly command: Command;
  readonly timeoutMs: number;
}

export interface Printed {
  readonly value: string;
  /** Milliseconds since 1970. */
  readonly expiresAt?: number;
}

const MOST_BYTES = 64 * 1024;

/** Rejects with `unauthorized` that names the credential and says what went wrong with its command. */
export async function runCredentialCommand(
  name: string,
  command: CredentialCommand,
  at: CommandSurroundings,
): Promise<Printed> {
  const failed = (why: string): PilotlightError =>
    new PilotlightError('unauthorized', `The command of credential ${name} ${why}`, {
      fix: `Run it by hand; it is credentials.${name}.command in config.toml.`,
    });
  const bounds = { timeoutMs: command.timeoutMs, mostBytes: MOST_BYTES };
  return printed(await runCommand(command.command, { bounds, at, failed }), failed);
}

type Failed = (why: string) => PilotlightError;

const WithExpiry = z.object({
  value: z.string().min(1),
  expiresAt: z.iso.datetime({ offset: true }).optional(),
});

/** One line, or an object `{value, expiresAt?}`. */
function printed(text: string, failed: Failed): Printed {
  const trimmed = text.trim();
  if (trimmed === '') throw failed('printed nothing');
  if (trimmed.startsWith('{')) {
    const read = WithExpiry.safeParse(parsed(trimmed));
    if (!read.success) throw failed('printed an object that is not {"value": …, "expiresAt"?: …}');
    const { value, expiresAt } = read.data;
    return { value, ...(expiresAt === undefined ? {} : { expiresAt: Date.parse(expiresAt) }) };
  }
  if (/[\r\n\0]/.test(trimmed)) throw failed('printed more than one line');
  return { value: trimmed };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
