/**
 * Where a command's words go: results to stdout, messages to stderr; with --json one object (or a line an event) on stdout.
 * Colours only on a terminal that wants them. Text of agents never controls the terminal.
 */
import { stripVTControlCharacters, styleText } from 'node:util';

export interface Output {
  readonly json: boolean;
  /** Whether stdout is a terminal. */
  readonly tty: boolean;
  /** The result for people; nothing with --json. */
  line(text: string): void;
  /** The result for programs; nothing without --json. */
  object(value: unknown): void;
  /** Streamed text of an agent. */
  text(text: string): void;
  /** A message beside the result. */
  note(text: string): void;
  error(error: { readonly code: string; readonly message: string; readonly fix?: string }): void;
  /** Styles text for stderr (`note`) or stdout. */
  style(format: Format, text: string): string;
}

export type Format = 'dim' | 'bold' | 'red' | 'green' | 'yellow' | 'cyan' | 'magenta';

export interface Streams {
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
}

export function createOutput(options: {
  readonly json: boolean;
  readonly streams: Streams;
  readonly noColor: boolean;
}): Output {
  const { json, noColor } = options;
  const { stdout, stderr } = options.streams;
  const colour = stdout.isTTY && !noColor;
  const style = (format: Format, text: string): string =>
    colour ? styleText(format, text, { validateStream: false }) : text;
  return {
    json,
    tty: stdout.isTTY,
    style,
    line: (text) => void (json || stdout.write(`${text}\n`)),
    object: (value) => void (json && stdout.write(`${JSON.stringify(value)}\n`)),
    text: (text) => void (json || stdout.write(stdout.isTTY ? harmless(text) : text)),
    note: (text) => void stderr.write(`${text}\n`),
    error(error) {
      if (json) stdout.write(`${JSON.stringify({ error })}\n`);
      stderr.write(`pilotlight: ${harmless(error.message)}\n`);
      if (error.fix !== undefined) stderr.write(`  ${error.fix}\n`);
    },
  };
}

/** Text without what would move the cursor, set titles or ring the bell. */
export function harmless(text: string): string {
  // oxlint-disable-next-line eslint/no-control-regex -- control characters are what is removed
  return stripVTControlCharacters(text).replaceAll(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '');
}

/** Columns, two blanks apart. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) row.forEach((cell, at) => (widths[at] = Math.max(widths[at] ?? 0, cell.length)));
  return rows
    .map((row) =>
      row.map((cell, at) => (at === row.length - 1 ? cell : cell.padEnd(widths[at] ?? 0))).join('  '),
    )
    .join('\n');
}
