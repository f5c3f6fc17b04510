/**
 * The HTTP API as a function from request to answer: door, token, route, problem. Listens nowhere by itself (see listen.ts).
 */
import { Hono } from 'hono';
import type { Host } from '../host/index.ts';
import { newId, PilotlightError, messageOf, type TokenScope } from '../protocol/index.ts';
import { Commands } from './command.ts';
import { daemonRoutes } from './daemon.ts';
import { checkDoor, NO_HOST, type Arrival } from './door.ts';
import { eventRoutes } from './events.ts';
import { listen, type Listening, type ListenOptions } from './listen.ts';
import { openApiDocument } from './openapi.ts';
import { problemOf, problemResponse } from './problem.ts';
import { json, type Call, type Route } from './route.ts';
import { sessionRoutes } from './sessions.ts';
import { checkScope, scopeOf } from './scopes.ts';
import { askerOf, type Asker, type TokenCheck } from './token.ts';
import { tokenRoutes, type TokenDesk } from './tokens.ts';
import { turnRoutes } from './turns.ts';

export interface ApiLimits {
  /** Bodies over this are 413. Default 10 MiB. */
  readonly bodyBytes: number;
  /** The comment that shows life on an idle stream. Default 15 s. */
  readonly pingMs: number;
  /** Event streams at a time. Default 1000. */
  readonly streams: number;
}

const LIMITS: ApiLimits = { bodyBytes: 10 * 1024 * 1024, pingMs: 15_000, streams: 1000 };

/** A line for every request that may change something, and for every answer from 500 on. No bodies, no tokens. */
export interface RequestEntry {
  readonly request: string;
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly ms: number;
  readonly by?: string;
  readonly replayed?: true;
  readonly code?: string;
  /** What was thrown, of an `internal` error or by a stream under way. */
  readonly error?: string;
}

export interface ApiOptions {
  /** Undefined while the daemon starts: 503 `starting`. */
  readonly host: () => Host | undefined;
  readonly tokens: TokenCheck;
  readonly version: string;
  readonly log?: (entry: RequestEntry) => void;
  /** Whether new work is refused (503 `draining`); reads and interrupts go on. */
  readonly draining?: () => boolean;
  readonly limits?: Partial<ApiLimits>;
  /** Behind POST /v1/daemon/stop; answered when it resolves. */
  readonly stop?: (wish: { readonly now: boolean }) => Promise<void>;
  /** Behind /v1/tokens. */
  readonly tokenDesk?: TokenDesk;
  /** Behind POST /v1/daemon/gc. */
  readonly gc?: () => unknown;
}

export interface Api {
  /** Without an arrival: as if over TCP at the URL's own address. */
  fetch(request: Request, arrival?: Arrival): Promise<Response>;
  listen(options: ListenOptions): Promise<Listening>;
}

export function createApi(options: ApiOptions): Api {
  const router = createRouter(options);
  const fetch = async (request: Request, arrival?: Arrival): Promise<Response> => {
    const visit = newVisit(request, arrival ?? arrivalOf(request));
    const response = await answer(visit);
    response.headers.set('x-request-id', visit.id);
    for (const [name, value] of HARDENING) if (!response.headers.has(name)) response.headers.set(name, value);
    if (options.log !== undefined) note(options.log, visit, response);
    return response;
  };
  const answer = async (visit: Visit): Promise<Response> => {
    const { request, arrival, url } = visit;
    try {
      checkDoor(arrival.door, doorHeaders(request, url));
      return await router.fetch(request, { visit });
    } catch (error) {
      return failed(visit, error);
    }
  };
  return { fetch, listen: (where) => listen(fetch, where) };
}

/**
 * What a browser may do with an answer that reached it after all: nothing. A route that serves a page sets its own policy.
 * No Access-Control-* header is ever sent.
 */
const HARDENING: readonly (readonly [string, string])[] = [
  ['x-content-type-options', 'nosniff'],
  ['cross-origin-resource-policy', 'same-origin'],
  ['content-security-policy', "default-src 'none'; frame-ancestors 'none'"],
  ['x-frame-options', 'DENY'],
  ['referrer-policy', 'no-referrer'],
];

/** One request between its door and its answer. */
interface Visit {
  readonly id: string;
  readonly startedAt: number;
  readonly request: Request;
  readonly url: URL;
  readonly arrival: Arrival;
  asker: Asker;
  thrown: unknown;
}

function newVisit(request: Request, arrival: Arrival): Visit {
  return {
    id: newId('cmd').replace('cmd_', 'req_'),
    startedAt: performance.now(),
    request,
    url: new URL(request.url),
    arrival,
    asker: { id: 'nobody', name: 'nobody', scopes: [] },
    thrown: undefined,
  };
}

function arrivalOf(request: Request): Arrival {
  const { hostname, port } = new URL(request.url);
  return { door: { kind: 'tcp', host: hostname, port: port === '' ? 80 : Number(port) } };
}

function doorHeaders(request: Request, url: URL): Parameters<typeof checkDoor>[1] {
  return {
    host: request.headers.get('host') ?? url.host,
    ...(url.host === NO_HOST ? {} : { target: url.host }),
    origin: request.headers.get('origin') ?? undefined,
    fetchSite: request.headers.get('sec-fetch-site') ?? undefined,
  };
}

interface Env {
  Bindings: { readonly visit: Visit };
}

function createRouter(options: ApiOptions): Hono<Env> {
  const routes = routesOf(options);
  const app = new Hono<Env>();
  for (const route of routes)
    app.on(route.method.toUpperCase(), honoPath(route.path), (c) => {
      const { visit } = c.env;
      if (route.open !== true) admit(options, visit, scopeOf(route));
      return run(options, route, callOf(visit, c.req.param()));
    });
  // From here on: what is not there is told only to those who may look.
  app.use((c, next) => {
    admit(options, c.env.visit, 'read');
    return next();
  });
  let document: unknown;
  app.get('/openapi.json', () => json((document ??= openApiDocument(routes, options.version))));
  for (const [path, same] of Map.groupBy(routes, (route) => route.path))
    app.all(honoPath(path), (c) =>
      methodNotAllowed(
        c.req.method,
        same.map(({ method }) => method.toUpperCase()),
      ),
    );
  app.notFound((c) =>
    failed(c.env.visit, new PilotlightError('not_found', `There is no route ${c.req.path}`)),
  );
  app.onError((error, c) => failed(c.env.visit, error));
  return app;
}

/** Who asks is known by the route that answers, never by what the path looks like. */
function admit({ tokens }: ApiOptions, visit: Visit, scope: TokenScope): void {
  visit.asker = askerOf(tokens, visit.arrival.door, visit.request.headers.get('authorization'));
  checkScope(visit.asker, scope);
}

function routesOf(options: ApiOptions): readonly Route[] {
  const limits = { ...LIMITS, ...options.limits };
  const commands = new Commands({ mostBodyBytes: limits.bodyBytes });
  return [
    ...daemonRoutes({ ...options, stop: options.stop, gc: options.gc, mostBodyBytes: limits.bodyBytes }),
    ...tokenRoutes(options.tokenDesk, limits.bodyBytes),
    ...sessionRoutes(commands),
    ...turnRoutes(commands),
    ...eventRoutes({
      pingMs: limits.pingMs,
      mostStreams: limits.streams,
      report: ({ id, request }, error) => {
        const path = new URL(request.url).pathname;
        options.log?.({
          request: id,
          method: request.method,
          path,
          status: 200,
          ms: 0,
          error: messageOf(error),
        });
      },
    }),
  ];
}

function honoPath(path: string): string {
  return path.replaceAll(/\{(\w+)\}/g, ':$1');
}

function run(options: ApiOptions, route: Route, call: Call): Response | Promise<Response> {
  if (route.needs === 'nothing') return route.handle(call);
  const host = options.host();
  if (host === undefined)
    throw new PilotlightError('starting', 'The daemon is starting', { fix: 'Ask again in a moment.' });
  if (route.work === true && options.draining?.() === true)
    throw new PilotlightError('draining', 'The daemon is stopping', {
      fix: 'Send again when it has started.',
    });
  return route.handle(call, host);
}

function callOf(visit: Visit, params: Readonly<Record<string, string>>): Call {
  const { id, request, url, asker, arrival } = visit;
  return { id, request, params, asker, query: url.searchParams, closing: arrival.closing, cut: arrival.cut };
}

function failed(visit: Visit, error: unknown): Response {
  visit.thrown = error;
  return problemResponse(error);
}

function methodNotAllowed(method: string, allowed: readonly string[]): Response {
  const allow = allowed.join(', ');
  const error = new PilotlightError('bad_request', `${method} is not possible here; it takes ${allow}`);
  return problemResponse(error, { status: 405, headers: { allow } });
}

function note(log: NonNullable<ApiOptions['log']>, visit: Visit, response: Response): void {
  const { request, url, thrown } = visit;
  const reads = request.method === 'GET' || request.method === 'HEAD';
  if (reads && response.status < 500) return;
  const problem = thrown === undefined ? undefined : problemOf(thrown);
  log({
    request: visit.id,
    method: request.method,
    path: url.pathname,
    status: response.status,
    ms: Math.round(performance.now() - visit.startedAt),
    by: visit.asker.name,
    ...(response.headers.has('idempotency-replayed') ? { replayed: true as const } : {}),
    ...(problem === undefined ? {} : { code: problem.code }),
    ...(problem?.code === 'internal' ? { error: messageOf(thrown) } : {}),
  });
}
