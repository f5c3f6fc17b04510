/**
 * A command that prints a credential: bounded in time and output, its whole tree ended when it is not done in time.
 * Nothing that it printed is in an error: it may be half of a secret.
 */
import { z } from 'zod';
import { within } from '../async/awake.ts';
import type { Child, ChildHost } from '../process/ports.ts';
import { newId, PilotlightError } from '../protocol/index.ts';

export interface CredentialCommand {
  readonly command: string | readonly string[];
  readonly timeoutMs: number;
}

export interface Printed {
  readonly value: string;
  /** Milliseconds since 1970. */
  readonly expiresAt?: number;
}

export interface CommandSurroundings {
  readonly children: ChildHost;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
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
  return printed(await outputOf(command, at, failed), failed);
}

type Failed = (why: string) => PilotlightError;

async function outputOf(
  { command, timeoutMs }: CredentialCommand,
  at: CommandSurroundings,
  failed: Failed,
): Promise<string> {
  const [file = '/bin/sh', ...args] = typeof command === 'string' ? ['/bin/sh', '-c', command] : command;
  const env = Object.fromEntries(
    Object.entries(at.env).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
  const output = Promise.withResolvers<string>();
  const chunks: Buffer[] = [];
  let bytes = 0;
  let child: Child | undefined;
  const listener = {
    out: (_offset: number, chunk: Buffer): void => {
      bytes += chunk.length;
      // What is too much is read and dropped: a pipe that nobody reads keeps its process from ending.
      child?.received(bytes);
      if (bytes <= MOST_BYTES) chunks.push(chunk);
      else output.reject(failed(`printed more than ${String(MOST_BYTES / 1024)} KiB`));
    },
    stderr: () => undefined,
    wrote: () => undefined,
    refused: () => undefined,
    exit: ({
      code,
      signal,
    }: {
      readonly code: number | undefined;
      readonly signal: string | undefined;
    }): void => {
      if (code === 0) output.resolve(Buffer.concat(chunks).toString());
      else output.reject(failed(`ended with ${signal ?? `code ${String(code)}`}`));
    },
    lost: () => output.reject(failed('was lost')),
  };
  try {
    child = await at.children.spawn(
      { id: newId('rt'), file, args, cwd: at.cwd, env, goodbye: new Uint8Array() },
      listener,
    );
    child.received(bytes);
    return await within(output.promise, timeoutMs, () =>
      failed(`did not end within ${String(timeoutMs)} ms`),
    );
  } catch (error) {
    // Ended by its owner's ladder; nobody waits for it.
    output.promise.catch(() => undefined);
    child?.end();
    if (error instanceof PilotlightError && error.code === 'unauthorized') throw error;
    throw failed('could not be started');
  }
}

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
