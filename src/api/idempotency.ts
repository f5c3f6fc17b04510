/**
 * The caller's side of "sent twice, done once": reads the key, names its scope, hashes the body, and lets the second of two wait for the first.
 * The answers themselves are kept by the host, in the transaction that accepted.
 */
import { createHash } from 'node:crypto';
import type { Idempotency } from '../host/index.ts';
import { PilotlightError } from '../protocol/index.ts';

const KEY = /^[\x20-\x7e]{1,128}$/;

export interface Keyed {
  readonly asker: string;
  readonly method: string;
  /** The route's pattern, not the path. */
  readonly route: string;
  readonly session: string | undefined;
  readonly body: unknown;
}

/** The command's idempotency, or undefined when no key was sent. */
export function idempotencyOf(header: string | null, keyed: Keyed): Idempotency | undefined {
  if (header === null) return undefined;
  if (!KEY.test(header))
    throw new PilotlightError('bad_request', 'Idempotency-Key must be 1 to 128 printable ASCII characters');
  const { asker, method, route, session, body } = keyed;
  // JSON keeps the parts apart whatever is in them.
  const scope = JSON.stringify([asker, method, route, session ?? null]);
  const bodyHash = createHash('sha256').update(canonicalJson(body)).digest('hex');
  return { scope, key: header, bodyHash };
}

/** JSON with sorted keys: the same request written in another order is the same request. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((inner) => canonicalJson(inner)).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const parts = Object.entries(value)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, inner]) => `${JSON.stringify(key)}:${canonicalJson(inner)}`);
  return `{${parts.join(',')}}`;
}

/** The name under which runs of one key wait for each other; the host then answers the later ones from what the first left. */
export function runName({ scope, key }: Idempotency): string {
  return `${scope}\n${key}`;
}
