/**
 * The few things that a bare HTTP server needs here: a whole body, plain headers, a JSON answer.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib';
import { PilotlightError } from '../protocol/errors.ts';

/** Above what any CLI sends; Claude Code's own limit is 32 MB. */
const MOST_BYTES = 128 * 1024 * 1024;

export async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MOST_BYTES) throw new PilotlightError('too_large', `The body is over ${MOST_BYTES} bytes`);
    chunks.push(chunk);
  }
  const [first] = chunks;
  return unpacked(
    chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks),
    request.headers['content-encoding'],
  );
}

function unpacked(body: Buffer, encoding: string | undefined): Buffer {
  const limit = { maxOutputLength: MOST_BYTES };
  if (encoding === 'zstd') return zstdDecompressSync(body, limit);
  if (encoding === 'gzip') return gunzipSync(body, limit);
  return encoding === 'br' ? brotliDecompressSync(body, limit) : body;
}

export function headersOf(request: IncomingMessage): { [name: string]: string } {
  const headers: { [name: string]: string } = {};
  for (const [name, value] of Object.entries(request.headers)) {
    if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return headers;
}

export function sendJson(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(value));
}
