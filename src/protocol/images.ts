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

/** What is wrong with it, in words that follow its name; undefined for nothing. */
export function imageFault({ data, mediaType }: ImageBlock): string | undefined {
  if (data.length === 0 || data.length % 4 !== 0 || !/^[A-Za-z0-9+/]+={0,2}$/.test(data))
    return 'is not base64 (RFC 4648, with padding)';
  if ((data.length / 4) * 3 > MOST_IMAGE_BYTES + 2)
    return `is over ${String(MOST_IMAGE_BYTES / 1_000_000)} MB`;
  if (!BEGINNINGS[mediaType].test(atob(data.slice(0, 24)))) return `does not begin as ${mediaType} does`;
  return undefined;
}
