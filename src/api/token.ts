/**
 * Who asks: the bearer token of a request. Knows nothing of where tokens are kept.
 *
 * On the Unix socket no token is needed (its mode admits the owner only). One that is presented there is checked all the same, because a caller
 * who presents a token wants to act under its name.
 */
import { PilotlightError } from '../protocol/index.ts';
import type { Door } from './door.ts';

export interface TokenCheck {
  /** The holder of a token, or undefined when it is none of ours. Compares in constant time. */
  verify(presented: string): { readonly name: string } | undefined;
}

export interface Asker {
  readonly name: string;
}

/** The name under which the owner acts on the socket. */
const OWNER: Asker = { name: 'local' };

export function askerOf(tokens: TokenCheck, door: Door, authorization: string | null): Asker {
  if (authorization === null) {
    if (door.kind === 'socket') return OWNER;
    throw unauthorized('A token is needed');
  }
  const token = /^Bearer +([\w.~+/-]+=*) *$/i.exec(authorization)?.[1];
  if (token === undefined) throw unauthorized('The Authorization header is not of the form "Bearer <token>"');
  const asker = tokens.verify(token);
  if (asker === undefined) throw unauthorized('The token is not valid');
  return asker;
}

function unauthorized(message: string): PilotlightError {
  return new PilotlightError('unauthorized', message, {
    fix: 'Send `Authorization: Bearer <token>` with the content of the file `token` in the home.',
  });
}
