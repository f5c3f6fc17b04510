/** GET /openapi.json: the routes as they are registered, told as OpenAPI 3.1. Made once, when first asked for. */
import { OpenAPIHono, type RouteConfig } from '@hono/zod-openapi';
import { ERROR_TABLE, type ErrorCode } from '../protocol/index.ts';
import type { Route, RouteDoc } from './route.ts';
import { namedSchemas, ref } from './schemas.ts';
import { scopeOf } from './scopes.ts';

const ABOUT = `Coding agents that stay alive between messages, and turns that are never lost.

Every accepted POST of a turn has exactly one ending among the session's events. Event streams: ask an events route with
\`Accept: text/event-stream\`; \`id\` is the seq (of /v1/events: a global cursor), \`event\` the type, \`data\` the event.
\`stream.ready {epoch, through}\` comes once the replay is over; \`stream.gap {from, to, reason}\` stands for what retention removed;
\`stream.reset {epoch, lastSeq}\` says that the cursor is beyond the end, and the stream then ends: start again from what is left.
A comment comes every 15 s. On the Unix socket no token is needed.`;

/** Errors that any route with a host may answer. */
const EVERYWHERE: readonly ErrorCode[] = [
  'bad_request',
  'unknown_field',
  'unauthorized',
  'forbidden_host',
  'forbidden_origin',
  'scope',
  'starting',
  'internal',
];
const OF_BODIES: readonly ErrorCode[] = ['too_large', 'unsupported_type'];

export function openApiDocument(routes: readonly Route[], version: string): unknown {
  const app = new OpenAPIHono();
  const registry = app.openAPIRegistry;
  for (const [name, schema] of Object.entries(namedSchemas()))
    registry.registerComponent('schemas', name, schema);
  registry.registerComponent('securitySchemes', 'token', { type: 'http', scheme: 'bearer' });
  for (const route of routes) registry.registerPath(pathOf(route));
  return app.getOpenAPI31Document({
    openapi: '3.1.0',
    info: { title: 'Pilotlight', version, description: ABOUT },
    security: [{ token: [] }],
  });
}

function pathOf({ method, path, doc, ...route }: Route): RouteConfig {
  return {
    method,
    path,
    summary: doc.summary,
    ...(route.open === true ? {} : { description: `Scope: ${scopeOf({ method, path })}.` }),
    ...(route.open === true ? { security: [] } : {}),
    parameters: [...pathParameters(path), ...queryParameters(doc), ...headerParameters(doc)],
    ...(doc.body === undefined
      ? {}
      : {
          request: {
            body: {
              required: doc.bodyOptional !== true,
              content: { 'application/json': { schema: ref(doc.body) } },
            },
          },
        }),
    responses: {
      [doc.answer.status]: answerOf(doc),
      ...problems(doc, route.needs === 'host' && route.work === true ? ['draining'] : []),
    },
  };
}

function answerOf({ answer, keyed, summary }: RouteDoc): RouteConfig['responses'][string] {
  const type = answer.schema === 'Text' ? 'text/plain' : 'application/json';
  return {
    description: summary,
    ...(keyed === true
      ? {
          headers: {
            'Idempotency-Replayed': {
              schema: { type: 'string' as const, enum: ['true'] },
              description: 'Answered again, without effect.',
            },
          },
        }
      : {}),
    content: {
      [type]: { schema: ref(answer.schema) },
      ...(answer.stream === true
        ? {
            'text/event-stream': {
              schema: { type: 'string' as const, description: 'Server-sent events whose data is an Event.' },
            },
          }
        : {}),
    },
  };
}

/** One answer a status, naming the codes that it may carry. */
function problems(doc: RouteDoc, more: readonly ErrorCode[]): RouteConfig['responses'] {
  const codes = new Set<ErrorCode>([...doc.errors, ...EVERYWHERE, ...more]);
  if (doc.body !== undefined) for (const code of OF_BODIES) codes.add(code);
  if (doc.keyed === true)
    for (const code of ['bad_request', 'idempotency_mismatch'] as const) codes.add(code);
  const byStatus = Map.groupBy(codes, (code) => ERROR_TABLE[code].status);
  return Object.fromEntries(
    [...byStatus].map(([status, codes]) => [
      status,
      { description: codes.join(', '), content: { 'application/problem+json': { schema: ref('Problem') } } },
    ]),
  );
}

type Parameters = {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly required?: boolean;
  readonly description?: string;
  readonly schema: { type: 'string' | 'integer'; minLength?: number; maxLength?: number };
}[];

function pathParameters(path: string): Parameters {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
}

function queryParameters({ query = [] }: RouteDoc): Parameters {
  return query.map(({ name, type, description }) => ({ name, in: 'query', description, schema: { type } }));
}

function headerParameters({ keyed, answer }: RouteDoc): Parameters {
  const key = {
    name: 'Idempotency-Key',
    in: 'header',
    schema: { type: 'string', minLength: 1, maxLength: 128 },
  } as const;
  const last = {
    name: 'Last-Event-ID',
    in: 'header',
    description: 'Of streams; wins over `after`.',
    schema: { type: 'integer' },
  } as const;
  return [...(keyed === true ? [key] : []), ...(answer.stream === true ? [last] : [])];
}
