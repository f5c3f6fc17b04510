/** `logs`: the end of the daemon's log; with -f as it grows. */
import { createReadStream, existsSync, statSync, watch } from 'node:fs';
import { join } from 'node:path';
import { PilotlightError } from '../../protocol/index.ts';
import type { Context } from '../context.ts';
import type { Options } from '../options.ts';

const TAIL = 64 * 1024;

export async function run(context: Context, _args: readonly unknown[], options: Options): Promise<number> {
  const file = join(context.home, 'logs', 'daemon.log');
  if (!existsSync(file))
    throw new PilotlightError('not_found', `There is no log at ${file}`, {
      fix: 'It is written when a daemon runs.',
    });
  let at = await print(file, Math.max(0, statSync(file).size - TAIL), true);
  if (options['follow'] !== true) return 0;
  let busy = Promise.resolve();
  const watcher = watch(file, () => {
    busy = busy.then(async () => {
      const { size } = statSync(file);
      at = await print(file, size < at ? 0 : at, false);
    });
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  process.once('SIGINT', resolve);
  await promise;
  watcher.close();
  return 130;
}

/** Prints from an offset on (from the next line on, when it begins in the middle) and gives the offset reached. */
async function print(file: string, from: number, whole: boolean): Promise<number> {
  let at = from;
  let skip = whole && from > 0;
  for await (const chunk of createReadStream(file, { start: from })) {
    let bytes = Buffer.from(chunk);
    at += bytes.length;
    if (skip) {
      const newline = bytes.indexOf(10);
      if (newline === -1) continue;
      bytes = bytes.subarray(newline + 1);
      skip = false;
    }
    process.stdout.write(bytes);
  }
  return at;
}
