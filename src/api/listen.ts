/**
 * A port or a Unix socket in front of the API. Owns the server and its connections. Knows no route.
 */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { getRequestListener } from '@hono/node-server';
import { after, every } from '../async/after.ts';
import { PilotlightError } from '../protocol/index.ts';
import type { Arrival, Door } from './door.ts';
import { problemOf, problemResponse } from './problem.ts';

export type ListenOptions = ListenAt & {
  /** How long `close` lets running requests finish. Default 2 s. */
  readonly closeMs?: number;
};

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

type Fetch = (request: Request, arrival: Arrival) => Promise<Response>;

const CLOSE_MS = 2000;
const CLOSE_TICK_MS = 5;
/** The whole request, headers and body, must be here within this. */
const REQUEST_MS = 60_000;
const KEEP_ALIVE_MS = 30_000;
/** Stands in the URL of every request; never looked at. Without a Host header the door sees it, and no TCP door is named so without a port. */
const NO_HOST = 'localhost';

/** Rejects with the system's own error (EADDRINUSE, EACCES) when the address cannot be had. */
export async function listen(fetch: Fetch, options: ListenOptions): Promise<Listening> {
  const closing = new AbortController();
  const server = newServer((request, cut) =>
    fetch(request, { door: doorOf(server, options), closing: closing.signal, cut }),
  );
  const silent = silentConnections(server);
  await bind(server, options);
  let closed: Promise<void> | undefined;
  return {
    port: portOf(server),
    close: () => (closed ??= close({ server, closing, silent, boundMs: options.closeMs ?? CLOSE_MS })),
  };
}

function newServer(fetch: (request: Request, cut: () => void) => Promise<Response>): Server {
  const listener = getRequestListener(
    (request, { outgoing }) =>
      fetch(request, () => {
        outgoing.destroy();
      }),
    {
      overrideGlobalObjects: false,
      errorHandler: () =>
        problemResponse(new PilotlightError('bad_request', 'The address of the request cannot be read')),
    },
  );
  const server = createServer(
    // A missing Host is refused by the door, with a problem.
    { noDelay: true, keepAliveTimeout: KEEP_ALIVE_MS, requestTimeout: REQUEST_MS, requireHostHeader: false },
    (incoming, outgoing) => {
      // The adapter makes a URL of the Host and would answer a bare 400 where it cannot. The door reads the header as it was sent.
      incoming.headers.host = NO_HOST;
      void listener(incoming, outgoing);
    },
  );
  server.on('clientError', refuseUnreadable);
  return server;
}

/** What came is no HTTP: said once, before anything else was, and the connection ends. */
function refuseUnreadable(_error: Error, socket: Duplex): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const text = JSON.stringify(problemOf(new PilotlightError('bad_request', 'This cannot be read as HTTP')));
  const head = [
    'HTTP/1.1 400 Bad Request',
    'Content-Type: application/problem+json',
    `Content-Length: ${String(Buffer.byteLength(text))}`,
    'Connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${text}`);
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
