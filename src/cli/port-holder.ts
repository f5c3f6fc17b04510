/** Who listens on a port of this machine, as far as the system lets us see (Linux: /proc). Looks; never touches. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

export interface PortHolder {
  readonly pid: number;
  readonly command: string;
}

/** Undefined when nobody listens, or when whoever does is not ours to see. */
export function portHolder(port: number): PortHolder | undefined {
  const sockets = listening(port);
  if (sockets.size === 0) return undefined;
  for (const entry of list('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const has = list(`/proc/${entry}/fd`).some((fd) => sockets.has(link(`/proc/${entry}/fd/${fd}`)));
    if (has) return { pid: Number(entry), command: commandOf(entry) };
  }
  return undefined;
}

/** `socket:[inode]` of each listener. State 0A is LISTEN; the local port is in hexadecimal. */
function listening(port: number): Set<string> {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  const found = new Set<string>();
  for (const file of ['/proc/net/tcp', '/proc/net/tcp6'])
    for (const line of read(file).split('\n').slice(1)) {
      const [, local, , state, , , , , , inode] = line.trim().split(/\s+/);
      if (state === '0A' && local?.endsWith(`:${hex}`) === true) found.add(`socket:[${inode ?? ''}]`);
    }
  return found;
}

function commandOf(pid: string): string {
  const command = read(`/proc/${pid}/cmdline`).split('\0').join(' ').trim();
  return command.length > 120 ? `${command.slice(0, 119)}…` : command;
}

function list(folder: string): string[] {
  return attempt(() => readdirSync(folder), []);
}

function read(file: string): string {
  return attempt(() => readFileSync(file, 'utf8'), '');
}

function link(path: string): string {
  return attempt(() => readlinkSync(path), '');
}

function attempt<T>(act: () => T, otherwise: T): T {
  try {
    return act();
  } catch {
    return otherwise;
  }
}
