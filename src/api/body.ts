/**
 * A request's body: its type, its size, its JSON, its shape. Reads no further than the limit.
 */
import type { z } from 'zod';
import { PilotlightError } from '../protocol/index.ts';
import { invalidRequest } from './invalid.ts';
import type { Call } from './route.ts';

/** Deeper than any request there is; bounds every recursion over a body. */
const MOST_DEPTH = 64;

export interface ReadBody<T> {
  readonly value: T;
  /** The parsed JSON before the schema: what the idempotency hash is made of. */
  readonly json: unknown;
}

/** The body as `schema` has it. A request without any body is `{}` to the schema. */
export async function readBody<T>(
  { request, arrived }: Pick<Call, 'request' | 'arrived'>,
  schema: z.ZodType<T>,
  mostBytes: number,
): Promise<ReadBody<T>> {
  checkLength(request, mostBytes);
  const declared = request.headers.get('content-type');
  if (declared !== null) checkType(request, declared);
  // In the next step the server has read on to the end of what came with the headers.
  await Promise.resolve();
  const bytes = arrived?.() ?? (await readBytes(request, mostBytes));
  if (bytes.length > 0 && declared === null) throw unsupportedType('The body has no Content-Type');
  const json = bytes.length === 0 ? {} : parseJson(bytes);
  const parsed = schema.safeParse(json);
  if (!parsed.success) throw invalidRequest(parsed.error.issues);
  return { value: parsed.data, json };
}

function checkLength(request: Request, mostBytes: number): void {
  if (Number(request.headers.get('content-length') ?? 0) > mostBytes) throw tooLarge(mostBytes);
}

function checkType(request: Request, declared: string): void {
  const [essence = '', ...parameters] = declared.split(';').map((part) => part.trim().toLowerCase());
  if (essence !== 'application/json')
    throw unsupportedType(`A body of type ${JSON.stringify(declared)} is not read`);
  if (parameters.some((parameter) => /^charset=(?!"?utf-8"?$)/.test(parameter)))
    throw unsupportedType('The body must be UTF-8');
  const encoding = request.headers.get('content-encoding') ?? 'identity';
  if (encoding !== 'identity') throw unsupportedType(`A body in Content-Encoding ${encoding} is not read`);
}

/** What is over the limit stays unread in the socket: the server drops it after the answer. */
async function readBytes(request: Request, mostBytes: number): Promise<Uint8Array> {
  // A body of a declared length is read whole, which spares the making of a stream; what is declared was checked.
  if (request.headers.has('content-length')) return whole(request, mostBytes);
  if (request.body === null) return new Uint8Array();
  const reader: ReadableStreamDefaultReader<Uint8Array> = request.body.getReader();
  const chunks: Uint8Array[] = [];
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read().catch(brokenOff);
    if (done) break;
    size += value.length;
    if (size > mostBytes) {
      reader.releaseLock();
      throw tooLarge(mostBytes);
    }
    chunks.push(value);
  }
  const [only] = chunks;
  return chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks, size);
}

async function whole(request: Request, mostBytes: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(await request.arrayBuffer().catch(brokenOff));
  if (bytes.length > mostBytes) throw tooLarge(mostBytes);
  return bytes;
}

function brokenOff(cause: unknown): never {
  throw new PilotlightError('bad_request', 'The body broke off', { cause });
}

function parseJson(bytes: Uint8Array): unknown {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new PilotlightError('bad_request', 'The body is not valid JSON in UTF-8', {
      fix: 'Send one JSON object in UTF-8.',
      cause,
    });
  }
  const lost = lostField(json, MOST_DEPTH);
  if (lost !== undefined) throw unknownField(lost.toReversed().join('.'));
  return json;
}

/**
 * Where in the body a field is named `__proto__`, innermost name first: it is lost wherever objects are copied, and whoever sends one hears that, instead of being
 * taken to have sent none. Throws for a body that is too deep, wherever that is.
 */
function lostField(value: unknown, left: number): readonly string[] | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if (left === 0)
    throw new PilotlightError('bad_request', `The body is nested deeper than ${String(MOST_DEPTH)} levels`);
  let lost: readonly string[] | undefined;
  for (const [key, inner] of Object.entries(value)) {
    const below = lostField(inner, left - 1);
    if (key === '__proto__') lost ??= [key];
    else if (below !== undefined) lost ??= [...below, key];
  }
  return lost;
}

function unknownField(path: string): PilotlightError {
  return new PilotlightError('unknown_field', `Not known: ${path}`, {
    fix: 'Leave it out: no field can have this name.',
    detail: { fields: [path] },
  });
}

function tooLarge(mostBytes: number): PilotlightError {
  return new PilotlightError('too_large', `The body is over ${String(mostBytes)} bytes`, {
    fix: 'Send less, or raise limits.bodyMb in config.toml.',
    detail: { mostBytes },
  });
}

function unsupportedType(message: string): PilotlightError {
  return new PilotlightError('unsupported_type', message, {
    fix: 'Send JSON with Content-Type: application/json.',
  });
}
