/**
 * A port or a Unix socket in front of the API. Owns the server and its connections. Knows no route.
 */
import { once } from 'node:events';
import { createServer, ServerResponse, type Server, type ServerOptions } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex, Readable } from 'node:stream';
import { getRequestListener } from '@hono/node-server';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { after, every } from '../async/after.ts';
import { PilotlightError } from '../protocol/index.ts';
import { responseOf, send, type Answer } from './answer.ts';
import { limitConnections } from './crowd.ts';
import { NO_HOST, type Arrival, type Door } from './door.ts';
import { problemAnswer } from './problem.ts';
import { unreadable } from './unreadable.ts';

export type ListenOptions = ListenAt & {
  /** How long `close` lets running requests finish. Default 2 s. */
  readonly closeMs?: number;
  readonly bounds?: Partial<ConnectionBounds>;
};

/** What one connection may take. */
export interface ConnectionBounds {
  /** From the connection, or the answer before, to the end of the headers. Default 10 s. */
  readonly headersMs: number;
  /** The same to the end of the body. Default 60 s. */
  readonly requestMs: number;
  /** Without a byte either way, in the middle of an answer too. Streams send a sign of life in time. Default 2 min. */
  readonly idleMs: number;
  readonly headerBytes: number;
  /** Connections at a time; one more is told so (429) and closed. Default 2048. */
  readonly connections: number;
}

type ListenAt =
  /** Port 0: any free one. */
  | { readonly host: string; readonly port: number; readonly names?: readonly string[] }
  /** The path must be free: an old socket is the caller's to remove, who knows whether somebody listens there. */
  | { readonly socket: string };

export interface Listening {
  /** The port, of TCP. */
  readonly port: number | undefined;
  /** Ends streams and idle connections at once, lets running requests finish within the bound. Twice is once. */
  close(): Promise<void>;
}

type Fetch = (request: Request, arrival: Arrival) => Promise<Answer>;

const CLOSE_MS = 2000;
const CLOSE_TICK_MS = 5;
const BOUNDS: ConnectionBounds = {
  headersMs: 10_000,
  requestMs: 60_000,
  idleMs: 120_000,
  headerBytes: 16 * 1024,
  connections: 2048,
};
const KEEP_ALIVE_MS = 30_000;
/** How often Node looks for requests that are late: its own 30 s would let each of them live so much longer. */
const MOST_CHECK_MS = 2000;

/** Rejects with the system's own error (EADDRINUSE, EACCES) when the address cannot be had. */
export async function listen(fetch: Fetch, options: ListenOptions): Promise<Listening> {
  const closing = new AbortController();
  const bounds = { ...BOUNDS, ...options.bounds };
  const server = newServer(bounds, (request, arrival) =>
    fetch(request, { door: doorOf(server, options), closing: closing.signal, ...arrival }),
  );
  const silent = silentConnections(server);
  await bind(server, options);
  let closed: Promise<void> | undefined;
  return {
    port: portOf(server),
    close: () => (closed ??= close({ server, closing, silent, boundMs: options.closeMs ?? CLOSE_MS })),
  };
}

type ServerFetch = (request: Request, arrival: Pick<Arrival, 'cut' | 'arrived'>) => Promise<Answer>;

function newServer(bounds: ConnectionBounds, fetch: ServerFetch): Server {
  const listener = getRequestListener(
    async (request, { incoming, outgoing }) => {
      const answer = await fetch(request, {
        cut: () => outgoing.destroy(),
        arrived: () => arrived(incoming),
      });
      // Only of HTTP/2, which is not spoken here, it would be another.
      if (!(outgoing instanceof ServerResponse)) return responseOf(answer);
      send(answer, outgoing);
      return RESPONSE_ALREADY_SENT;
    },
    {
      overrideGlobalObjects: false,
      errorHandler: () =>
        responseOf(
          problemAnswer(new PilotlightError('bad_request', 'The address of the request cannot be read')),
        ),
    },
  );
  const answering = new WeakMap<Duplex, ServerResponse>();
  const server = createServer(serverOptions(bounds));
  const refused = limitConnections(server, bounds.connections);
  server.on('request', (incoming, outgoing) => {
    if (refused(incoming, outgoing)) return;
    answering.set(incoming.socket, outgoing);
    outgoing.once('close', () => answering.delete(incoming.socket));
    // The adapter makes a URL of the Host and would answer a bare 400 where it cannot. The door reads the header as it was sent.
    incoming.headers.host = NO_HOST;
    void listener(incoming, outgoing);
  });
  // All of what `headerBytes` lets in: beyond a number Node would drop headers silently, an Origin among them.
  server.maxHeadersCount = 0;
  server.timeout = bounds.idleMs;
  const refuse = (socket: Duplex, code: unknown): void => {
    // In the middle of an answer another one would be read as part of it.
    if (!socket.writable || answering.get(socket)?.headersSent === true) socket.destroy();
    else socket.end(unreadable(code));
  };
  server.on('clientError', (error, socket) => {
    // On a connection that has asked for nothing yet (clients make them beforehand) it would be read as the answer to the first request to come.
    if ('bytesRead' in socket && socket.bytesRead === 0) socket.destroy();
    else refuse(socket, 'code' in error ? error.code : undefined);
  });
  // Without these Node answers with a bare status, or hangs up.
  server.on('checkExpectation', ({ socket }) => refuse(socket, 'EXPECT'));
  server.on('connect', ({ socket }) => {
    // Node lets go of it: its failures and its end are ours now.
    socket.on('error', () => undefined);
    socket.once('finish', () => socket.destroy());
    refuse(socket, 'CONNECT');
  });
  return server;
}

/** A stream would give it some turns of the loop later. */
function arrived(
  incoming: Readable & { readonly complete: boolean; readonly headers: object },
): Uint8Array | undefined {
  if (!incoming.complete || !('content-length' in incoming.headers)) return undefined;
  const bytes: unknown = incoming.read();
  return bytes instanceof Uint8Array ? bytes : undefined;
}

function serverOptions({ headersMs, requestMs, headerBytes }: ConnectionBounds): ServerOptions {
  return {
    noDelay: true,
    keepAliveTimeout: KEEP_ALIVE_MS,
    headersTimeout: Math.min(headersMs, requestMs),
    requestTimeout: requestMs,
    connectionsCheckingInterval: Math.min(MOST_CHECK_MS, headersMs),
    maxHeaderSize: headerBytes,
    // A missing Host is refused by the door, with a problem.
    requireHostHeader: false,
  };
}

async function bind(server: Server, options: ListenOptions): Promise<void> {
  if ('port' in options) {
    server.listen({ host: options.host, port: options.port });
    await once(server, 'listening');
    return;
  }
  // Made with the mode it keeps: between a listen and a chmod anybody could come in. The call makes the socket before it returns.
  const before = process.umask(0o177);
  try {
    server.listen(options.socket);
  } finally {
    process.umask(before);
  }
  await once(server, 'listening');
}

function portOf(server: Server): number | undefined {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : undefined;
}

function doorOf(server: Server, options: ListenOptions): Door {
  const port = portOf(server);
  if (!('port' in options) || port === undefined) return { kind: 'socket' };
  const { host, names } = options;
  return { kind: 'tcp', host, port, ...(names === undefined ? {} : { names }) };
}

/**
 * Connections that have not asked for anything yet. Node does not count them as idle, and clients make them beforehand (fetch does, when a
 * stream was aborted): without this they would hold up every close for its whole bound.
 */
function silentConnections(server: Server): ReadonlySet<Socket> {
  const silent = new Set<Socket>();
  server.on('connection', (socket) => {
    silent.add(socket);
    socket.once('close', () => silent.delete(socket));
  });
  server.on('request', ({ socket }) => {
    silent.delete(socket);
  });
  return silent;
}

interface Closing {
  readonly server: Server;
  readonly closing: AbortController;
  readonly silent: ReadonlySet<Socket>;
  readonly boundMs: number;
}

/** Streams end by the signal; what answers still may do so within the bound; then every connection is cut. */
async function close({ server, closing, silent, boundMs }: Closing): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.close(() => {
    resolve();
  });
  closing.abort();
  for (const socket of silent) socket.destroy();
  // A connection is idle only a moment after its stream has ended.
  using _idle = every(CLOSE_TICK_MS, () => {
    server.closeIdleConnections();
  });
  using _bound = after(boundMs, () => {
    server.closeAllConnections();
  });
  await promise;
}
