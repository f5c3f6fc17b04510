/** What a route is and what its handler is given. Shapes only. */
import type { Host } from '../host/index.ts';
import type { ErrorCode } from '../protocol/index.ts';
import type { Answer } from './answer.ts';
import type { AuditFacts } from './audit.ts';
import type { Asker } from './token.ts';

/** One request on its way through. */
export interface Call {
  readonly request: Request;
  /** Names this request in the log and in `X-Request-Id`. */
  readonly id: string;
  readonly query: URLSearchParams;
  readonly asker: Asker;
  /** What the audit log is told beside the route: handlers add the id of what they make. */
  readonly facts: AuditFacts;
  /** Values of the `{…}` of the route's path. */
  readonly params: Readonly<Record<string, string>>;
  /** Aborts when the listener closes: streams end then. */
  readonly closing: AbortSignal | undefined;
  /** The body, once: when all of it is there already, of a length that was declared. */
  readonly arrived: (() => Uint8Array | undefined) | undefined;
  /** Cuts the connection: for a client that reads no more. */
  readonly cut: (() => void) | undefined;
}

export type Method = 'get' | 'post' | 'patch' | 'delete';

/** A JSON schema, or a reference to a named one. */
export type SchemaName = string;

export interface RouteDoc {
  readonly summary: string;
  readonly query?: readonly QueryDoc[];
  readonly body?: SchemaName;
  /** Whether the body may be absent. */
  readonly bodyOptional?: boolean;
  readonly keyed?: boolean;
  readonly answer: { readonly status: number; readonly schema: SchemaName; readonly stream?: boolean };
  readonly errors: readonly ErrorCode[];
}

export interface QueryDoc {
  readonly name: string;
  readonly type: 'integer' | 'string';
  readonly description: string;
}

interface RouteBase {
  readonly method: Method;
  /** As in OpenAPI: `/v1/sessions/{id}`. */
  readonly path: string;
  readonly doc: RouteDoc;
  /** Answers without a token. */
  readonly open?: true;
}

export type Route =
  /** Answers although the host is not there yet. */
  | (RouteBase & { readonly needs: 'nothing'; readonly handle: (call: Call) => Answer | Promise<Answer> })
  | (RouteBase & {
      readonly needs: 'host';
      /** New work: refused while the daemon drains. */
      readonly work?: boolean;
      readonly handle: (call: Call, host: Host) => Answer | Promise<Answer>;
    });

/** A value of the path; the router has put it there. */
export function param(call: Call, name: string): string {
  return call.params[name] ?? '';
}
