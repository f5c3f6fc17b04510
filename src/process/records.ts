/**
 * A file per process (R26): what a holder that died leaves for the next one to find. Written before the spawn (the mark alone finds
 * the process then) and again with its identity after it; removed when its whole tree is gone.
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { ProcessIdentity } from './ports.ts';

export interface ProcessRecord {
  readonly id: string;
  readonly mark: string;
  /** Absent while it is being started. */
  readonly identity?: ProcessIdentity;
  readonly command: string;
}

export function writeRecord(directory: string, record: ProcessRecord): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const file = join(directory, `${record.id}.json`);
  const { identity, ...rest } = record;
  const text = JSON.stringify({
    ...rest,
    command: basename(record.command),
    ...identity,
    at: new Date().toISOString(),
  });
  writeFileSync(`${file}.new`, `${text}\n`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

export function removeRecord(directory: string, id: string): void {
  rmSync(join(directory, `${id}.json`), { force: true });
}

/** Every record that can be read; a torn or foreign file is passed over (the mark still finds its process). */
export function readRecords(directory: string): ProcessRecord[] {
  let names: string[];
  try {
    names = readdirSync(directory).filter((name) => name.endsWith('.json'));
  } catch {
    return [];
  }
  return names.flatMap((name) => {
    const record = parse(join(directory, name));
    return record === undefined ? [] : [record];
  });
}

function parse(file: string): ProcessRecord | undefined {
  try {
    const read: unknown = JSON.parse(readFileSync(file, 'utf8'));
    if (typeof read !== 'object' || read === null || !('id' in read) || !('mark' in read)) return undefined;
    const { id, mark } = read;
    if (typeof id !== 'string' || typeof mark !== 'string' || basename(file) !== `${id}.json`)
      return undefined;
    const command = 'command' in read && typeof read.command === 'string' ? read.command : '';
    const identity =
      'pid' in read &&
      typeof read.pid === 'number' &&
      'startTime' in read &&
      typeof read.startTime === 'string'
        ? { pid: read.pid, startTime: read.startTime }
        : undefined;
    return { id, mark, command, ...(identity === undefined ? {} : { identity }) };
  } catch {
    return undefined;
  }
}
