/** Options as they were given, read with care: what is wrong is a usage error that names the option. */
import { UsageError } from './exit.ts';

export type Options = Readonly<Record<string, unknown>>;

export function textOf(options: Options, key: string): string | undefined {
  const value = options[key];
  return typeof value === 'string' ? value : undefined;
}

export function numberOf(options: Options, key: string): number | undefined {
  const value = options[key];
  if (value === undefined) return undefined;
  const number = Number(value);
  if (!Number.isInteger(number) || number < 0)
    throw new UsageError(`--${key} wants a whole number, not ${JSON.stringify(value)}`);
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
    throw new UsageError(`--${key} is one of ${choices.join(', ')}, not ${JSON.stringify(value)}`);
  return found;
}

export function required(args: readonly (string | undefined)[], at: number, name: string): string {
  const value = args[at];
  if (value === undefined || value === '') throw new UsageError(`${name} is missing`);
  return value;
}
