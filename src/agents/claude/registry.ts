/**
 * Claude Code's own list of its processes: `<config dir>/sessions/<pid>.json`, also of those that nobody but a person started. A killed one
 * leaves its file behind. Read only; whether the process lives is for the caller to see.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { WorkedOn } from '../dialect.ts';

/** `procStart` is the start time of /proc/PID/stat (2.1.330). */
const Entry = z.object({ pid: z.number().int().positive(), sessionId: z.string(), procStart: z.string() });

export function registered(configDir: string): readonly WorkedOn[] {
  const folder = join(configDir, 'sessions');
  let names: string[];
  try {
    names = readdirSync(folder).filter((name) => /^\d+\.json$/.test(name));
  } catch {
    return [];
  }
  return names.flatMap((name) => {
    const entry = read(join(folder, name));
    if (entry === undefined) return [];
    const { pid, sessionId, procStart } = entry;
    return [{ conversation: sessionId, process: { pid, startTime: procStart } }];
  });
}

function read(file: string): z.infer<typeof Entry> | undefined {
  try {
    return Entry.safeParse(JSON.parse(readFileSync(file, 'utf8'))).data;
  } catch {
    return undefined;
  }
}
