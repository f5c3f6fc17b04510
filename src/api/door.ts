/**
 * Who may knock: the Host and Origin checks that keep web pages out of a server on loopback. Before the token, for every request.
 *
 * DNS rebinding: a page of evil.example whose name now points to 127.0.0.1 sends Host: evil.example. Cross-site: any page may send a plain
 * request to 127.0.0.1 without reading the answer; it carries Origin or Sec-Fetch-Site. No CORS header is ever sent.
 * Knows nothing of tokens and routes.
 */
import { PilotlightError } from '../protocol/index.ts';

/** Stands in the URL of every request that names no host in its target. Without a Host header the door sees it, and no TCP door is named so without a port. */
export const NO_HOST = 'localhost';

/** Where a request came in. */
export type Door =
  | {
      readonly kind: 'tcp';
      /** The configured address; a wildcard (0.0.0.0, ::) means that any address of this machine may be asked for. */
      readonly host: string;
      readonly port: number;
      /** More names that this server answers to: with our port, or as they stand here (`box.example:8443`) when something in front has another. */
      readonly names?: readonly string[];
    }
  /** The Unix socket: its mode (0600) says that the peer is the same user, so that no token is needed. */
  | { readonly kind: 'socket' };

/** Where a request came from, as its listener knows it. */
export interface Arrival {
  readonly door: Door;
  readonly closing?: AbortSignal;
  readonly cut?: () => void;
  /** See Call.arrived. */
  readonly arrived?: () => Uint8Array | undefined;
}

export interface DoorHeaders {
  readonly host: string;
  /** The host of an absolute request target (`GET http://name/ HTTP/1.1`), which outranks the header for whoever reads it. */
  readonly target?: string;
  readonly origin: string | undefined;
  readonly fetchSite: string | undefined;
}

export function checkDoor(door: Door, headers: DoorHeaders): void {
  checkHost(door, headers.host);
  if (headers.target !== undefined) checkHost(door, headers.target);
  checkOrigin(headers);
}

const HOST = /^(?<name>\[[0-9a-f:.]+\]|[^:[\]@/\\\s]+)(?::(?<port>\d{1,5}))?$/;

export function checkHost(door: Door, header: string): void {
  const parts = HOST.exec(header.toLowerCase())?.groups;
  if (door.kind === 'socket') {
    if (isDomain(parts?.['name'] ?? '')) throw forbiddenHost(header);
    return;
  }
  const name = parts?.['name'] ?? '';
  if (door.names?.includes(header.toLowerCase()) === true) return;
  if (Number(parts?.['port'] ?? 80) !== door.port || !mayBeNamed(door, name)) throw forbiddenHost(header);
}

function mayBeNamed(door: Extract<Door, { kind: 'tcp' }>, name: string): boolean {
  if (name === 'localhost' || name === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(name)) return true;
  if (name === bracketed(door.host.toLowerCase()) || door.names?.includes(name) === true) return true;
  // An address cannot be rebound, only a name can.
  const wildcard = door.host === '0.0.0.0' || door.host === '::';
  return wildcard && (/^\d+\.\d+\.\d+\.\d+$/.test(name) || name.startsWith('['));
}

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

/**
 * On the socket any Host is taken (clients make names up there), but for a domain name: `ssh -L` may give the socket a TCP port, and behind
 * that port a rebound name would come in without a token.
 */
function isDomain(name: string): boolean {
  if (/^[\d.]+$/.test(name)) return false;
  return (
    /^[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.[a-z][a-z0-9-]*\.?$/.test(name) && !/\.(?:localhost|sock)$/.test(name)
  );
}

function checkOrigin({ host, origin, fetchSite }: DoorHeaders): void {
  const own = host.toLowerCase();
  if (origin !== undefined && origin !== `http://${own}` && origin !== `https://${own}`)
    throw new PilotlightError(
      'forbidden_origin',
      `Requests from the origin ${JSON.stringify(origin)} are refused`,
      {
        fix: 'Call from a program, or from a page that this server itself serves.',
      },
    );
  // same-site too: another port of localhost is the same site and another program.
  if (fetchSite !== undefined && fetchSite !== 'same-origin' && fetchSite !== 'none')
    throw new PilotlightError('forbidden_origin', 'Requests that another site makes are refused', {
      fix: 'Open the address directly.',
    });
}

function forbiddenHost(header: string): PilotlightError {
  return new PilotlightError(
    'forbidden_host',
    `This server does not answer to the name ${JSON.stringify(header)}`,
    {
      fix: 'Use the url of daemon.json.',
    },
  );
}
