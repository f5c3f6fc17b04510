/**
 * The HTTP API as a function from request to answer: door, token, route, problem. Listens nowhere by itself (see listen.ts).
 */
import { Hono } from 'hono';
import type { Host } from '../host/index.ts';
import { newId, PilotlightError, messageOf, type TokenScope, type CollectedView } from '../protocol/index.ts';
import { json, responseOf, type Answer } from './answer.ts';
import { auditEntry, type AuditEntry, type AuditFacts } from './audit.ts';
import { Commands } from './command.ts';
import { daemonRoutes, type MetricsPort } from './daemon.ts';
import { checkDoor, NO_HOST, type Arrival } from './door.ts';
import { eventRoutes } from './events.ts';
import { DEFAULT_LIMITS, Places, type ApiLimits } from './limits.ts';
import { listen, type Listening, type ListenOptions } from './listen.ts';
import { openApiDocument } from './openapi.ts';
import { problemAnswer, problemOf } from './problem.ts';
import { refuseOthers } from './query.ts';
import type { Call, Route } from './route.ts';
import { permissionRoutes } from './permissions.ts';
import { sessionRoutes } from './sessions.ts';
import { checkScope, scopeOf } from './scopes.ts';
import { askerOf, type Asker, type TokenCheck } from './token.ts';
import { tokenRoutes, type TokenDesk } from './tokens.ts';
import { turnRoutes } from './turns.ts';
import { workspaceRoutes, type WorkspaceDesk } from './workspaces.ts';

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
  readonly audit?: (entry: AuditEntry) => void;
  /** Whether new work is refused (503 `draining`); reads and interrupts go on. */
  readonly draining?: () => boolean;
  readonly limits?: Partial<ApiLimits>;
  /** Behind POST /v1/daemon/stop; answered when it resolves. */
  readonly stop?: (wish: { readonly now: boolean }) => Promise<void>;
  /** Behind /v1/tokens. */
  readonly tokenDesk?: TokenDesk;
  /** Behind /v1/workspaces. */
  readonly workspaceDesk?: WorkspaceDesk;
  /** Behind POST /v1/daemon/gc. */
  readonly gc?: () => Promise<CollectedView>;
  /** Behind GET /metrics. */
  readonly metrics?: MetricsPort;
}

export interface Api {
  /** Without an arrival: as if over TCP at the URL's own address. */
  fetch(request: Request, arrival?: Arrival): Promise<Response>;
  listen(options: ListenOptions): Promise<Listening>;
}

export function createApi(options: ApiOptions): Api {
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const router = createRouter(options, limits);
  const visited = async (request: Request, arrival?: Arrival): Promise<Answer> => {
    const visit = newVisit(request, arrival ?? arrivalOf(request));
    const { headers, ...rest } = await answer(visit);
    visit.leave?.();
    const whole = { ...rest, headers: { ...HARDENING, ...headers, 'x-request-id': visit.id } };
    writeDown(options, visit, whole);
    return whole;
  };
  const answer = async (visit: Visit): Promise<Answer> => {
    const { request, arrival, url } = visit;
    try {
      checkDoor(arrival.door, doorHeaders(request, url));
      await router.fetch(request, { visit });
      return visit.answer ?? failed(visit, new Error('The router gave no answer'));
    } catch (error) {
      return failed(visit, error);
    }
  };
  return {
    fetch: async (request, arrival) => {
      const whole = await visited(request, arrival);
      const { body: _, ...head } = whole;
      return responseOf(request.method === 'HEAD' ? head : whole);
    },
    listen: (where) => listen(visited, where),
  };
}

/**
 * What a browser may do with an answer that reached it after all: nothing. A route that serves a page sets its own policy.
 * No Access-Control-* header is ever sent.
 */
const HARDENING = {
  'x-content-type-options': 'nosniff',
  'cross-origin-resource-policy': 'same-origin',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
};

/** One request between its door and its answer. */
interface Visit {
  readonly id: string;
  readonly startedAt: number;
  readonly request: Request;
  readonly url: URL;
  readonly arrival: Arrival;
  asker: Asker;
  /** The route that answers, once it is found. */
  route: Route | undefined;
  readonly facts: AuditFacts;
  /** Gives its place back. */
  leave: (() => void) | undefined;
  thrown: unknown;
  /** The router passes Responses; what is answered is put here. */
  answer: Answer | undefined;
}

const PASSED = new Response(null);

/** What every handler gives the router. */
function passed({ visit }: Env['Bindings'], answer: Answer): Response {
  visit.answer = answer;
  return PASSED;
}

function newVisit(request: Request, arrival: Arrival): Visit {
  return {
    id: newId('cmd').replace('cmd_', 'req_'),
    startedAt: performance.now(),
    request,
    url: new URL(request.url),
    arrival,
    asker: { id: 'nobody', name: 'nobody', scopes: [] },
    route: undefined,
    facts: {},
    leave: undefined,
    thrown: undefined,
    answer: undefined,
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

function createRouter(options: ApiOptions, limits: ApiLimits): Hono<Env> {
  const routes = routesOf(options, limits);
  const places = new Places({
    most: limits.requests,
    mostEach: limits.requestsPerToken,
    what: 'requests are being answered',
    fix: 'Ask again in a moment.',
  });
  const app = new Hono<Env>();
  for (const route of routes)
    app.on(route.method.toUpperCase(), honoPath(route.path), async (c) => {
      const { visit } = c.env;
      visit.route = route;
      const params: Record<string, string> = c.req.param();
      visit.facts.session = params['id'];
      if (route.open !== true) {
        admit(options, visit, scopeOf(route));
        visit.leave = places.take(visit.asker.id);
      }
      return passed(c.env, await run(options, route, callOf(visit, params)));
    });
  // From here on: what is not there is told only to those who may look.
  app.use((c, next) => {
    admit(options, c.env.visit, 'read');
    return next();
  });
  let document: unknown;
  app.get('/openapi.json', (c) =>
    passed(c.env, json((document ??= openApiDocument(routes, options.version)))),
  );
  for (const [path, same] of Map.groupBy(routes, (route) => route.path))
    app.all(honoPath(path), (c) => {
      const allowed = same.map(({ method }) => method.toUpperCase());
      return passed(c.env, methodNotAllowed(c.req.method, allowed));
    });
  app.notFound((c) => {
    const error = new PilotlightError('not_found', `There is no route ${c.req.path}`);
    return passed(c.env, failed(c.env.visit, error));
  });
  app.onError((error, c) => passed(c.env, failed(c.env.visit, error)));
  return app;
}

/** Who asks is known by the route that answers, never by what the path looks like. */
function admit({ tokens }: ApiOptions, visit: Visit, scope: TokenScope): void {
  visit.asker = askerOf(tokens, visit.arrival.door, visit.request.headers.get('authorization'));
  checkScope(visit.asker, scope);
}

function routesOf(options: ApiOptions, limits: ApiLimits): readonly Route[] {
  const commands = new Commands({ mostBodyBytes: limits.bodyBytes });
  return [
    ...daemonRoutes({
      ...options,
      stop: options.stop,
      gc: options.gc,
      metrics: options.metrics,
      mostBodyBytes: limits.bodyBytes,
    }),
    ...tokenRoutes(options.tokenDesk, limits.bodyBytes),
    ...workspaceRoutes(options.workspaceDesk, limits.bodyBytes),
    ...sessionRoutes(commands),
    ...turnRoutes(commands),
    ...permissionRoutes(commands),
    ...eventRoutes({
      pingMs: limits.pingMs,
      mostStreams: limits.streams,
      mostStreamsEach: limits.streamsPerToken,
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

function run(options: ApiOptions, route: Route, call: Call): Answer | Promise<Answer> {
  if (route.open !== true && call.query.size > 0)
    refuseOthers(
      call.query,
      (route.doc.query ?? []).map(({ name }) => name),
    );
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
  const { id, request, url, asker, facts, arrival } = visit;
  return {
    id,
    request,
    params,
    asker,
    facts,
    query: url.searchParams,
    closing: arrival.closing,
    cut: arrival.cut,
    arrived: arrival.arrived,
  };
}

function failed(visit: Visit, error: unknown): Answer {
  visit.thrown = error;
  return problemAnswer(error);
}

function methodNotAllowed(method: string, allowed: readonly string[]): Answer {
  const allow = allowed.join(', ');
  const error = new PilotlightError('bad_request', `${method} is not possible here; it takes ${allow}`);
  return problemAnswer(error, { status: 405, headers: { allow } });
}

/** What was done is done, and answered so: whoever keeps the books and cannot write (the disk is full) changes no answer. */
function writeDown({ log, audit: book }: ApiOptions, visit: Visit, answer: Answer): void {
  const entries = [
    () => log !== undefined && note(log, visit, answer),
    () => book !== undefined && audit(book, visit, answer),
  ];
  for (const write of entries)
    try {
      write();
    } catch {
      // Each says by itself that it cannot write, where it can.
    }
}

function note(log: NonNullable<ApiOptions['log']>, visit: Visit, answer: Answer): void {
  const { request, url, thrown } = visit;
  const reads = request.method === 'GET' || request.method === 'HEAD';
  if (reads && answer.status < 500) return;
  const problem = thrown === undefined ? undefined : problemOf(thrown);
  log({
    request: visit.id,
    method: request.method,
    path: url.pathname,
    status: answer.status,
    ms: Math.round(performance.now() - visit.startedAt),
    by: visit.asker.name,
    ...('idempotency-replayed' in answer.headers ? { replayed: true as const } : {}),
    ...(problem === undefined ? {} : { code: problem.code }),
    ...(problem?.code === 'internal' ? { error: messageOf(thrown) } : {}),
  });
}

function audit(write: NonNullable<ApiOptions['audit']>, visit: Visit, answer: Answer): void {
  const { request, arrival, route, facts, answer: _, ...rest } = visit;
  const inSession = route?.path.startsWith('/v1/sessions') === true;
  const entry = auditEntry({
    ...rest,
    door: arrival.door.kind,
    method: request.method,
    route,
    // The `{id}` of other routes names something else.
    facts: inSession ? facts : { token: facts.token },
    answer,
  });
  if (entry !== undefined) write(entry);
}
