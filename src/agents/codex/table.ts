/** Tables of Codex's configuration, as they go into a thread's `config`. */
import type { Json } from '../dialect.ts';

export type Table = Readonly<Record<string, Json>>;

export function isTable(value: Json | undefined): value is Table {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
