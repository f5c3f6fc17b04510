/**
 * Reading JSON that came from outside: a wrong type reads as empty, never as an exception.
 * A fake model must answer strange requests too; what they lack is simply not there.
 */

export type JsonObject = Readonly<Record<string, unknown>>;

const NOTHING: JsonObject = {};

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function objectOf(value: unknown): JsonObject {
  return isObject(value) ? value : NOTHING;
}

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** Parsed JSON, or undefined for text that is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** The smallest value that a JSON schema takes: answers side requests that ask for structured output. */
export function instanceOf(schema: unknown): unknown {
  const shape = objectOf(schema);
  const choices = listOf(shape['enum']);
  if (choices.length > 0) return choices[0];
  if ('const' in shape) return shape['const'];
  const branch = listOf(shape['anyOf'])[0] ?? listOf(shape['oneOf'])[0];
  if (branch !== undefined) return instanceOf(branch);
  switch (Array.isArray(shape['type']) ? shape['type'][0] : shape['type']) {
    case 'string':
      return 'fake';
    case 'number':
    case 'integer':
      return 0;
    case 'boolean':
      return false;
    case 'array':
      return [];
    case 'null':
      return null;
    default:
      return Object.fromEntries(
        Object.entries(objectOf(shape['properties'])).map(([key, value]) => [key, instanceOf(value)]),
      );
  }
}
