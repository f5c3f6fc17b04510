/**
 * Short commands of the configuration, run by the daemon: bounded in time and output, their whole tree ended when they are not done in time.
 */
import { within } from '../async/awake.ts';
import type { Child, ChildHost } from '../process/ports.ts';
import { newId } from '../protocol/index.ts';

/** Words, or a line for `/bin/sh`. */
export type Command = string | readonly string[];

export interface CommandSurroundings {
  readonly children: ChildHost;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export interface CommandBounds {
  readonly timeoutMs: number;
  /** Of its stdout; more fails. Undefined: its output is read and dropped. */
  readonly mostBytes?: number;
  /** All of its stdin; without it that stays open and empty. */
  readonly input?: Uint8Array;
}

/** Makes the error from what went wrong, in words that follow "the command". */
export type CommandFailed = (why: string) => Error;

/** What it prints. Rejects with what `failed` makes when it does not start, does not end with 0, prints too much or takes too long. */
export async function runCommand(
  command: Command,
  { bounds, at, failed }: { bounds: CommandBounds; at: CommandSurroundings; failed: CommandFailed },
): Promise<string> {
  const [file = '/bin/sh', ...args] = typeof command === 'string' ? ['/bin/sh', '-c', command] : command;
  const env = Object.fromEntries(
    Object.entries(at.env).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
  const { mostBytes, timeoutMs, input } = bounds;
  const output = Promise.withResolvers<string>();
  const chunks: Buffer[] = [];
  let bytes = 0;
  let child: Child | undefined;
  const listener = {
    out: (_offset: number, chunk: Buffer): void => {
      bytes += chunk.length;
      // What is too much is read and dropped: a pipe that nobody reads keeps its process from ending.
      child?.received(bytes);
      if (mostBytes === undefined) return;
      if (bytes <= mostBytes) chunks.push(chunk);
      else output.reject(failed(`printed more than ${String(mostBytes / 1024)} KiB`));
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
  // Nobody may be waiting yet.
  output.promise.catch(() => undefined);
  const spec = { id: newId('rt'), file, args, cwd: at.cwd, env, goodbye: new Uint8Array() };
  try {
    child = await at.children.spawn({ ...spec, ...(input === undefined ? {} : { input }) }, listener);
  } catch {
    throw failed('could not be started');
  }
  child.received(bytes);
  try {
    return await within(output.promise, timeoutMs, () =>
      failed(`did not end within ${String(timeoutMs)} ms`),
    );
  } catch (error) {
    // Ended by its owner's ladder; nobody waits for it.
    child.end();
    throw error;
  }
}
