/**
 * Where a command's words go: results to stdout, messages to stderr; with --json one object (or a line an event) on stdout.
 * Colours only on a terminal that wants them. Text of agents never controls the terminal.
 */
import { stripVTControlCharacters, styleText } from 'node:util';

export interface Output {
  readonly json: boolean;
  /** Whether stderr, where messages go, is a terminal. */
  readonly attended: boolean;
  /** Whether results and messages meet on one terminal. */
  readonly oneScreen: boolean;
  /** The result for people; nothing with --json. */
  line(text: string): void;
  /** The result for programs; nothing without --json. */
  object(value: unknown): void;
  /** Streamed text of an agent. */
  text(text: string): void;
  /** A message beside the result. */
  note(text: string, format?: Format): void;
  error(error: { readonly code: string; readonly message: string; readonly fix?: string }): void;
  /** Styles text for stdout. */
  style(format: Format, text: string): string;
}

export type Format = 'dim' | 'bold' | 'red' | 'green' | 'yellow' | 'cyan' | 'magenta';

/** What is needed of a stream. */
export interface Sink {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

export interface Streams {
  readonly stdout: Sink;
  readonly stderr: Sink;
}

export function createOutput(options: {
  readonly json: boolean;
  readonly streams: Streams;
  readonly noColor: boolean;
}): Output {
  const { json, noColor } = options;
  const { stdout, stderr } = options.streams;
  const [outTty, errTty] = [stdout.isTTY === true, stderr.isTTY === true];
  return {
    json,
    attended: errTty,
    oneScreen: outTty && errTty,
    style: (format, text) => (outTty && !noColor ? styled(format, text) : text),
    line: (text) => void (json || stdout.write(`${text}\n`)),
    object: (value) => void (json && stdout.write(`${JSON.stringify(value)}\n`)),
    text: (text) => void (json || stdout.write(outTty ? harmless(text) : text)),
    note(text, format) {
      const safe = harmless(text);
      stderr.write(`${format !== undefined && errTty && !noColor ? styled(format, safe) : safe}\n`);
    },
    error(error) {
      if (json) stdout.write(`${JSON.stringify({ error })}\n`);
      stderr.write(`pilotlight: ${harmless(error.message)}\n`);
      if (error.fix !== undefined) stderr.write(`  ${harmless(error.fix)}\n`);
    },
  };
}

function styled(format: Format, text: string): string {
  return styleText(format, text, { validateStream: false });
}

/** Text without what would move the cursor, set titles or ring the bell. */
export function harmless(text: string): string {
  // oxlint-disable-next-line eslint/no-control-regex -- control characters are what is removed
  return stripVTControlCharacters(text).replaceAll(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '');
}

/** Columns, two blanks apart. Cells are made harmless: names and paths in them are anybody's. */
export function table(rows: readonly (readonly string[])[]): string {
  const safe = rows.map((row) => row.map((cell) => harmless(cell).replaceAll('\n', ' ')));
  const widths: number[] = [];
  for (const row of safe) row.forEach((cell, at) => (widths[at] = Math.max(widths[at] ?? 0, cell.length)));
  return safe
    .map((row) =>
      row.map((cell, at) => (at === row.length - 1 ? cell : cell.padEnd(widths[at] ?? 0))).join('  '),
    )
    .join('\n');
}
