/**
 * Who asks: the bearer token of a request. Knows nothing of where tokens are kept.
 *
 * On the Unix socket no token is needed (its mode admits the owner only). One that is presented there is checked all the same, because a caller
 * who presents a token wants to act under its name.
 */
import { PilotlightError, type TokenScope } from '../protocol/index.ts';
import type { Door } from './door.ts';

export interface TokenCheck {
  /** The holder of a token, or undefined when it is none of ours, or none any more. Compares in constant time. */
  verify(presented: string): Asker | undefined;
}

export interface Asker {
  /** Idempotency keys of other ids never meet. Never used again for another token. */
  readonly id: string;
  /** As events and logs tell it. */
  readonly name: string;
  readonly scopes: readonly TokenScope[];
  /** Aborts when the token is revoked or expires: what it follows ends then. */
  readonly ended?: AbortSignal;
}

/** The owner on the socket. */
const OWNER: Asker = { id: 'local', name: 'local', scopes: ['admin'] };

export function askerOf(tokens: TokenCheck, door: Door, authorization: string | null): Asker {
  if (authorization === null) {
    if (door.kind === 'socket') return OWNER;
    throw unauthorized('A token is needed');
  }
  const token = /^Bearer +([\w.~+/-]+=*) *$/i.exec(authorization)?.[1];
  if (token === undefined) throw unauthorized('The Authorization header is not of the form "Bearer <token>"');
  const asker = tokens.verify(token);
  if (asker === undefined) throw unauthorized('The token is not valid, or not any more');
  return asker;
}

function unauthorized(message: string): PilotlightError {
  return new PilotlightError('unauthorized', message, {
    fix: 'Send `Authorization: Bearer <token>` with the content of the file `token` in the home. No token is read from a URL.',
  });
}
