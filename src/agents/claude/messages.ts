/**
 * The shapes of what Claude sends, read by hand and only as far as they are used: a field that is missing or new never breaks a line.
 * Guards and not schemas: deltas come by the ten thousand. Pure.
 */

/** One line: an object of any fields. */
export type Line = Readonly<Record<string, unknown>>;

export function isRecord(value: unknown): value is Line {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A line as an object; undefined when it is none. */
export function parseLine(line: string): Line | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  return isRecord(value) ? value : undefined;
}

export function stringOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

export function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

export function recordOf(value: unknown): Line {
  return isRecord(value) ? value : NOTHING;
}

const NOTHING: Line = {};

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** The blocks of a message: its `content` is text or a list. */
export function blocksOf(line: Line): readonly Line[] {
  const { content } = recordOf(line['message']);
  if (typeof content === 'string') return [{ type: 'text', text: content }];
  return listOf(content).filter(isRecord);
}

/** The texts of a value: text itself, blocks one after the other (others by their type), the message of an error. */
export function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (Array.isArray(value))
    return value
      .map(textOf)
      .filter((part) => part !== '')
      .join('\n');
  if (!isRecord(value)) return '';
  const { text, message, type } = value;
  if (typeof text === 'string') return text;
  if (typeof message === 'string') return message;
  return typeof type === 'string' ? `[${type}]` : '';
}

/** The tool call of the subagent that speaks; '' for the conversation itself. */
export function parentOf(line: Line): string {
  return stringOf(line['parent_tool_use_id']) ?? '';
}

/** The messages of ours that a line names, by uuid. */
export function namedIn(line: Line): readonly string[] {
  const many = line['user_message_uuids'];
  const named = Array.isArray(many) ? many.filter((uuid) => typeof uuid === 'string') : [];
  const one = stringOf(line['user_message_uuid']);
  return one === undefined || named.includes(one) ? named : [...named, one];
}
