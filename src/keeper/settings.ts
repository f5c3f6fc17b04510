/** What a keeper can be told at its start: bounds, all with defaults. */
import { DEFAULT_LADDER, type LadderTimes } from '../process/ports.ts';

export interface KeeperSettings {
  readonly ladder: LadderTimes;
  readonly graceMs: number;
  readonly longestGraceMs: number;
  readonly idleMs: number;
  readonly attachedBytes: number;
  /** Of all children together; where there are many, each has its part of it. */
  readonly allAttachedBytes: number;
  readonly aloneBytes: number;
  readonly allAloneBytes: number;
  readonly runtimeDir?: string;
}

const MIB = 1024 * 1024;

export const DEFAULT_SETTINGS: KeeperSettings = {
  ladder: DEFAULT_LADDER,
  graceMs: 10 * 60_000,
  longestGraceMs: 6 * 60 * 60_000,
  idleMs: 2000,
  attachedBytes: MIB,
  allAttachedBytes: 8 * MIB,
  aloneBytes: 64 * MIB,
  allAloneBytes: 512 * MIB,
};

/** What is missing or of a wrong kind takes its default: a keeper of this version may be told more by a newer daemon. */
export function readSettings(json: string): KeeperSettings {
  const given: unknown = JSON.parse(json);
  if (typeof given !== 'object' || given === null) return DEFAULT_SETTINGS;
  const ladder: unknown = Reflect.get(given, 'ladder');
  const runtimeDir: unknown = Reflect.get(given, 'runtimeDir');
  return {
    ...DEFAULT_SETTINGS,
    ...numbersOf(given, [
      'graceMs',
      'longestGraceMs',
      'idleMs',
      'attachedBytes',
      'allAttachedBytes',
      'aloneBytes',
      'allAloneBytes',
    ]),
    ladder: {
      ...DEFAULT_LADDER,
      ...(typeof ladder === 'object' && ladder !== null
        ? numbersOf(ladder, ['termAfterMs', 'killAfterMs', 'stuckAfterMs'])
        : {}),
    },
    ...(typeof runtimeDir === 'string' ? { runtimeDir } : {}),
  };
}

function numbersOf(given: object, keys: readonly string[]): Record<string, number> {
  const found: Record<string, number> = {};
  for (const key of keys) {
    const value: unknown = Reflect.get(given, key);
    if (typeof value === 'number' && value > 0) found[key] = value;
  }
  return found;
}
