/**
 * The daemon's log: JSON lines in logs/daemon.log, rotated by size; and, when debugging is on, one file a runtime with its protocol lines.
 * What looks like a secret is masked in every line.
 */
import { existsSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import pino, { type Logger } from 'pino';
import { KnownSecrets } from '../redact/index.ts';

const ROTATE_AT = 10 * 1024 * 1024;
const MAX_TRACE = 2000;
const SECRETS = /\b(?:sk-[\w-]{8,}|plt_[\w-]{20,}|gh[pousr]_\w{8,}|Bearer\s+[\w.~+/=-]{8,})/g;

/** What waits for room on the disk; beyond it lines are left out. */
const MAX_UNWRITTEN = 1024 * 1024;

export type Log = Logger;
type Destination = ReturnType<typeof pino.destination>;

/** `known`: what must never be written besides what looks like a secret. */
export function openLog(directory: string, known = new KnownSecrets()): Log {
  const file = join(directory, 'daemon.log');
  rotate(file);
  const destination = quiet(
    pino.destination({ dest: file, append: true, sync: true, mode: 0o600, maxLength: MAX_UNWRITTEN }),
  );
  return pino(
    { base: { pid: process.pid }, timestamp: pino.stdTimeFunctions.isoTime },
    { write: (line: string) => void destination.write(mask(known.mask(line))) },
  );
}

/** Protocol lines and stderr of a runtime into its own log (R31): redacted, cut at 2,000 characters a line. */
export function openTrace(
  directory: string,
  known = new KnownSecrets(),
): (runtime: string, way: 'in' | 'out' | 'err', text: string) => void {
  const files = new Map<string, Destination>();
  /** Chunks end anywhere, in a secret too. */
  const held = new Map<string, string>();
  return (runtime, way, text) => {
    let file = files.get(runtime);
    if (file === undefined) {
      file = quiet(
        pino.destination({
          dest: join(directory, `${runtime}.log`),
          append: true,
          sync: false,
          mode: 0o600,
          maxLength: MAX_UNWRITTEN,
        }),
      );
      files.set(runtime, file);
    }
    const time = new Date().toISOString();
    const stream = `${runtime} ${way}`;
    const whole = (held.get(stream) ?? '') + text;
    const cut = known.redaction?.split(whole) ?? { shown: whole, held: '' };
    if (cut.held === '') held.delete(stream);
    else held.set(stream, cut.held);
    for (const line of cut.shown.split('\n')) {
      const masked = mask(line);
      if (masked !== '')
        file.write(
          `${time} ${way} ${masked.length > MAX_TRACE ? `${masked.slice(0, MAX_TRACE)}…` : masked}\n`,
        );
    }
  };
}

/** A log that cannot be written (the disk is full) ends nobody: what is unwritten is tried again with the next line. */
function quiet(destination: Destination): Destination {
  return destination.on('error', () => undefined);
}

export function mask(line: string): string {
  return line.replace(SECRETS, '[masked]');
}

function rotate(file: string): void {
  if (existsSync(file) && statSync(file).size > ROTATE_AT) renameSync(file, `${file}.1`);
}
