/** Columns of a row, checked: what comes out of a file is not believed. */
import { PilotlightError } from '../protocol/index.ts';

export type Row = Readonly<Record<string, unknown>>;

export function text(row: Row, column: string): string {
  const value = row[column];
  if (typeof value !== 'string') throw unreadable(column);
  return value;
}

export function integer(row: Row, column: string): number {
  const value = row[column];
  if (typeof value !== 'number') throw unreadable(column);
  return value;
}

export function optionalText(row: Row, column: string): string | undefined {
  return row[column] === null ? undefined : text(row, column);
}

export function json(row: Row, column: string): unknown {
  try {
    return JSON.parse(text(row, column));
  } catch {
    throw unreadable(column);
  }
}

/** A JSON object; its fields are for the reader to check. */
export function object(row: Row, column: string): Readonly<Record<string, unknown>> {
  const value = json(row, column);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw unreadable(column);
  return { ...value };
}

export function unreadable(what: string): PilotlightError {
  return new PilotlightError('journal_unusable', `A row of the journal could not be read (${what})`, {
    fix: 'Start the version of Pilotlight that wrote it, or put back a copy of the journal.',
  });
}
