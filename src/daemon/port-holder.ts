/**
 * Why an address could not be listened on, for a person: who has the port. Linux reads it from /proc; elsewhere the holder stays unnamed.
 * Owns the reading of /proc/net/tcp. Ends nothing.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { isIPv4 } from 'node:net';
import { messageOf, PilotlightError } from '../protocol/index.ts';

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

export interface PortHolder {
  readonly pid: number;
  readonly command: string;
}

const LISTEN = '0A';
const LONGEST_COMMAND = 200;

/** The error of a failed listen as it is told: `port_in_use` with pid and command of the holder, `bad_request` for an address not ours. */
export function listenFault(error: unknown, at: ListenAddress): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  const where = `${at.host}:${String(at.port)}`;
  if (code === 'EADDRINUSE') return taken(error, at);
  if (code === 'EACCES')
    return new PilotlightError('bad_request', `Port ${String(at.port)} may not be listened on by this user`, {
      fix: 'Give a port above 1023 with --port.',
      cause: error,
    });
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND' || code === 'EAI_AGAIN')
    return new PilotlightError(
      'bad_request',
      `${where} is no address of this machine (${messageOf(error)})`,
      {
        fix: 'Give one with --host; 127.0.0.1 is always there.',
        cause: error,
      },
    );
  return error;
}

function taken(error: unknown, at: ListenAddress): PilotlightError {
  const holder = portHolder(at);
  const who = holder === undefined ? 'another process' : `process ${String(holder.pid)}: ${holder.command}`;
  return new PilotlightError('port_in_use', `Port ${String(at.port)} of ${at.host} is taken by ${who}`, {
    fix: 'End it, or give another port with --port (0: any free one).',
    detail: { host: at.host, port: at.port, ...holder },
    cause: error,
  });
}

/** Who listens where `at` would; undefined where that cannot be seen (another user's process, another system). */
export function portHolder(at: ListenAddress): PortHolder | undefined {
  const inodes = new Set(['/proc/net/tcp', '/proc/net/tcp6'].flatMap((table) => inodesOf(table, at)));
  if (inodes.size === 0) return undefined;
  for (const pid of names('/proc')) {
    if (!/^\d+$/.test(pid) || !holdsOne(pid, inodes)) continue;
    return { pid: Number(pid), command: commandOf(pid) };
  }
  return undefined;
}

function inodesOf(table: string, at: ListenAddress): string[] {
  const port = at.port.toString(16).toUpperCase().padStart(4, '0');
  return read(table)
    .split('\n')
    .slice(1)
    .flatMap((row) => {
      const fields = row.trim().split(/\s+/);
      const [address = '', listened] = (fields[1] ?? '').split(':');
      const inode = fields[9];
      if (listened !== port || fields[3] !== LISTEN || inode === undefined) return [];
      return inTheWay(address, at.host) ? [inode] : [];
    });
}

/** Whether a socket on `address` (hexadecimal, of /proc/net) keeps another from listening on `host`. A wildcard does, and is kept. */
function inTheWay(address: string, host: string): boolean {
  if (/^0+$/.test(address) || host === '0.0.0.0' || host === '::') return true;
  if (host === 'localhost') return address === hexOf('127.0.0.1') || address === LOOPBACK_6;
  if (isIPv4(host)) return address.endsWith(hexOf(host));
  return host === '::1' ? address === LOOPBACK_6 : address.length > 8;
}

/** ::1, in the byte order of /proc/net/tcp6. */
const LOOPBACK_6 = '00000000000000000000000001000000';

/** An IPv4 address in the byte order of /proc/net/tcp. */
function hexOf(host: string): string {
  const bytes = host.split('.').map((part) => Number(part).toString(16).toUpperCase().padStart(2, '0'));
  return bytes.toReversed().join('');
}

function holdsOne(pid: string, inodes: ReadonlySet<string>): boolean {
  return names(`/proc/${pid}/fd`).some((fd) => {
    try {
      const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1];
      return inode !== undefined && inodes.has(inode);
    } catch {
      return false;
    }
  });
}

function commandOf(pid: string): string {
  const words = read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim();
  const command = words === '' ? read(`/proc/${pid}/comm`).trim() : words;
  return command.length > LONGEST_COMMAND ? `${command.slice(0, LONGEST_COMMAND - 1)}…` : command;
}

function names(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
