/**
 * Who did what, for a log that answers this later: every request that may change something, every stream that was opened, every refusal at the door.
 * Names and ids only: no bodies, no addresses as they were asked for, no secrets.
 */
import type { Answer } from './answer.ts';
import { problemOf } from './problem.ts';
import type { Route } from './route.ts';
import type { Asker } from './token.ts';

export interface AuditEntry {
  readonly request: string;
  /** The token; `local` is the owner on the socket, `nobody` whoever presented none that is valid. */
  readonly by: { readonly id: string; readonly name: string };
  readonly door: 'tcp' | 'socket';
  readonly method: string;
  /** The pattern of the route; absent where none was reached. */
  readonly route?: string;
  readonly session?: string;
  /** The id of a token that was made or revoked. */
  readonly token?: string;
  readonly outcome: 'done' | 'refused' | 'failed';
  readonly status: number;
  readonly code?: string;
  readonly replayed?: true;
}

/** What a handler adds: the id of what it made. */
export interface AuditFacts {
  session?: string | undefined;
  token?: string | undefined;
}

export interface Audited {
  readonly id: string;
  readonly asker: Asker;
  readonly door: 'tcp' | 'socket';
  readonly method: string;
  readonly route: Route | undefined;
  readonly facts: AuditFacts;
  readonly thrown: unknown;
  readonly answer: Answer;
}

/** The line of a request, or undefined when it needs none. */
export function auditEntry(audited: Audited): AuditEntry | undefined {
  const { id, asker, door, method, route, facts, thrown, answer } = audited;
  const { status, headers } = answer;
  const reads = method === 'GET' || method === 'HEAD' || method === 'OPTIONS';
  const opened = headers['content-type'] === 'text/event-stream' && method === 'GET';
  if (reads && !opened && status !== 401 && status !== 403 && status !== 429) return undefined;
  const { session, token } = facts;
  return {
    request: id,
    by: { id: asker.id, name: asker.name },
    door,
    method: /^[A-Z]{1,10}$/.test(method) ? method : 'other',
    ...(route === undefined ? {} : { route: route.path }),
    ...(isId(session) ? { session } : {}),
    ...(isId(token) ? { token } : {}),
    outcome: status < 400 ? 'done' : status < 500 ? 'refused' : 'failed',
    status,
    ...(thrown === undefined ? {} : { code: problemOf(thrown).code }),
    ...('idempotency-replayed' in headers ? { replayed: true as const } : {}),
  };
}

/** What stands in a path where an id belongs may be anything, a secret too. */
function isId(text: string | undefined): text is string {
  return text !== undefined && /^[a-z]{2,6}_[0-9a-f]{32}$/.test(text);
}
