/** Options as they were given, read with care: what is wrong is a usage error that names the option. */
import { UsageError } from './exit.ts';

export type Options = Readonly<Record<string, unknown>>;

/** As it is typed: `whenBusy` is `--when-busy`. */
export function flagOf(key: string): string {
  return `--${key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

export function textOf(options: Options, key: string): string | undefined {
  const value = options[key];
  return typeof value === 'string' ? value : undefined;
}

export function numberOf(options: Options, key: string): number | undefined {
  const value = options[key];
  if (value === undefined) return undefined;
  const number = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : Number.NaN;
  if (!Number.isSafeInteger(number))
    throw new UsageError(`${flagOf(key)} wants a whole number, not ${JSON.stringify(value)}`);
  return number;
}

/** One of these words. */
export function choiceOf<T extends string>(
  options: Options,
  key: string,
  choices: readonly T[],
): T | undefined {
  const value = options[key];
  if (value === undefined) return undefined;
  const found = choices.find((choice) => choice === value);
  if (found === undefined)
    throw new UsageError(`${flagOf(key)} is one of ${choices.join(', ')}, not ${JSON.stringify(value)}`);
  return found;
}

/** Of an option that may be given several times. */
export function listOf(options: Options, key: string): readonly string[] {
  const value = options[key];
  return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : [];
}

export function required(args: readonly (string | undefined)[], at: number, name: string): string {
  const value = args[at];
  if (value === undefined || value === '') throw new UsageError(`${name} is missing`);
  return value;
}
