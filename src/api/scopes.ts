/**
 * Which scope a route asks for: one table. What is not in it is `read` when it only reads, and `admin` otherwise: a route that somebody adds is closed
 * until it is opened here.
 */
import { PilotlightError, type TokenScope } from '../protocol/index.ts';
import type { Route } from './route.ts';
import type { Asker } from './token.ts';

const SCOPES: Readonly<Record<string, TokenScope>> = {
  'post /v1/sessions/{id}/turns': 'send',
  'delete /v1/sessions/{id}/turns/{turnId}': 'send',
  'post /v1/sessions/{id}/interrupt': 'send',
  'post /v1/sessions/{id}/permissions/{requestId}': 'approve',
  'get /v1/tokens': 'admin',
};

export function scopeOf({ method, path }: Pick<Route, 'method' | 'path'>): TokenScope {
  return SCOPES[`${method} ${path}`] ?? (method === 'get' ? 'read' : 'admin');
}

/** Throws 403 `scope`, naming what is missing. */
export function checkScope(asker: Asker, wanted: TokenScope): void {
  const { scopes } = asker;
  if (wanted === 'read' || scopes.includes('admin') || scopes.includes(wanted)) return;
  throw new PilotlightError(
    'scope',
    `The token "${asker.name}" may not do this: it needs the scope ${wanted}`,
    {
      fix: `Use another token; \`pilotlight token new --scope ${wanted}\` makes one.`,
      detail: { needed: wanted, scopes },
    },
  );
}
