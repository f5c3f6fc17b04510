/** Whether an image of a message is one: what an agent cannot read would fail its turn, or every later one with it in the conversation. Pure. */
import type { ContentBlock } from './events.ts';

export type ImageBlock = Extract<ContentBlock, { type: 'image' }>;

/** Decoded; the smallest limit of the models behind the agents (Anthropic's, 5 MB an image). */
export const MOST_IMAGE_BYTES = 5_000_000;

/** The first bytes of each type, as Latin-1. */
const BEGINNINGS: Readonly<Record<ImageBlock['mediaType'], RegExp>> = {
  'image/png': /^\u0089PNG\r\n/,
  'image/jpeg': /^\u00FF\u00D8\u00FF/,
  'image/gif': /^GIF8[79]a/,
  'image/webp': /^RIFF[^]{4}WEBP/,
};

/** Whether its end is there, of which every type has a mark; behind it some programs leave words of their own. */
const ENDS: Readonly<Record<ImageBlock['mediaType'], (bytes: Buffer) => boolean>> = {
  'image/png': (bytes) => bytes.lastIndexOf('IEND', undefined, 'latin1') > 8,
  'image/jpeg': (bytes) => bytes.lastIndexOf(Uint8Array.of(0xff, 0xd9)) > 2,
  'image/gif': (bytes) => bytes.lastIndexOf(0x3b) > 12,
  'image/webp': (bytes) => bytes.length >= bytes.readUInt32LE(4) + 8,
};

/** What is wrong with it, in words that follow its name; undefined for nothing. */
export function imageFault({ data, mediaType }: ImageBlock): string | undefined {
  if (data.length === 0 || data.length % 4 !== 0 || !/^[A-Za-z0-9+/]+={0,2}$/.test(data))
    return 'is not base64 (RFC 4648, with padding)';
  if ((data.length / 4) * 3 > MOST_IMAGE_BYTES + 2)
    return `is over ${String(MOST_IMAGE_BYTES / 1_000_000)} MB`;
  if (!BEGINNINGS[mediaType].test(atob(data.slice(0, 24)))) return `does not begin as ${mediaType} does`;
  return ENDS[mediaType](Buffer.from(data, 'base64')) ? undefined : 'is cut off: its end is missing';
}
