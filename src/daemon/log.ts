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
/** Of a line that has not ended. */
const MAX_LINE = 64 * 1024;
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
  const lines = new Lines();
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
    for (const line of lines.whole(`${runtime} ${way}`, way === 'in' ? `${text}\n` : text)) {
      const masked = mask(known.redaction?.maskCut(withoutPieces(line)) ?? line);
      const shown = masked.length > MAX_TRACE ? `${masked.slice(0, MAX_TRACE)}…` : masked;
      if (shown !== '') file.write(`${time} ${way} ${shown}\n`);
    }
  };
}

/** Chunks end anywhere, in a secret too: what is traced is whole lines, or the beginning of one that is too long. */
class Lines {
  readonly #begun = new Map<string, string>();

  whole(stream: string, text: string): readonly string[] {
    const begun = this.#begun.get(stream) ?? '';
    const lines = text.split('\n');
    const rest = lines.pop() ?? '';
    if (lines.length > 0) lines[0] = (begun + (lines[0] ?? '')).slice(0, MAX_LINE);
    this.#begun.set(stream, ((lines.length > 0 ? '' : begun) + rest).slice(0, MAX_LINE));
    return lines;
  }
}

const PIECE = /("(?:delta|text|thinking|partial_json)":")((?:[^"\\]|\\.)*)"/g;

/** A line that carries a piece of a text may carry a piece of a secret, which nothing could find: only its length is told. The whole text follows, masked. */
function withoutPieces(line: string): string {
  if (!/delta/i.test(line)) return line;
  return line.replace(
    PIECE,
    (_all, key: string, piece: string) => `${key}[${String(piece.length)} characters]"`,
  );
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
