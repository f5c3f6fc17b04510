/** Tool output as events carry it: at most 256 KiB, with the bytes cut in `truncated`. */

const LIMIT = 256 * 1024;

/** Cuts at a character boundary; counts in UTF-8 bytes. */
export function cutOutput(output: string): { readonly output: string; readonly truncated?: number } {
  // A string of n UTF-16 units has at most 3n bytes: most outputs need no counting.
  if (output.length * 3 <= LIMIT) return { output };
  const bytes = Buffer.from(output, 'utf8');
  if (bytes.length <= LIMIT) return { output };
  let end = LIMIT;
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return { output: bytes.toString('utf8', 0, end), truncated: bytes.length - end };
}
