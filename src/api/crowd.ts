/** How many connections a listener holds. One more is heard and told so; beyond some of those, connections are dropped unheard. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { PilotlightError } from '../protocol/index.ts';
import { problemOf } from './problem.ts';

/** So many at a time are told that there is no room. */
const HEARD = 32;

/** Counts the connections of a server from now on. The result answers a request of a connection too many, and says whether it did. */
export function limitConnections(
  server: Server,
  most: number,
): (incoming: IncomingMessage, outgoing: ServerResponse) => boolean {
  const surplus = new WeakSet<Socket>();
  let inside = 0;
  server.maxConnections = most + HEARD;
  server.on('connection', (socket) => {
    if (inside >= most) {
      surplus.add(socket);
      return;
    }
    inside += 1;
    socket.once('close', () => {
      inside -= 1;
    });
  });
  return ({ socket }, outgoing) => {
    if (!surplus.has(socket)) return false;
    refuse(outgoing, most);
    return true;
  };
}

function refuse(outgoing: ServerResponse, most: number): void {
  const problem = problemOf(
    new PilotlightError('limit', `${String(most)} connections are open`, {
      fix: 'Close some, or raise limits.connections in config.toml.',
      detail: { most },
    }),
  );
  const text = JSON.stringify(problem);
  outgoing.writeHead(problem.status, {
    'content-type': 'application/problem+json',
    'content-length': Buffer.byteLength(text),
    'retry-after': '1',
    connection: 'close',
  });
  outgoing.end(text);
}
