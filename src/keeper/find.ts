/** Which keeper a home has: what keeper.json says, checked against the process that it names. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isAlive } from '../process/identity.ts';
import type { ProcessIdentity } from '../process/ports.ts';

export interface Found {
  readonly identity: ProcessIdentity;
  readonly secret: string;
  readonly socket: string;
  readonly version: string;
  readonly protocol: number;
}

/** The live keeper that keeper.json names. A file that is torn, or names a process that is gone or is another, is no keeper. */
export function findKeeper(home: string): Found | undefined {
  try {
    const read: unknown = JSON.parse(readFileSync(join(home, 'keeper.json'), 'utf8'));
    if (typeof read !== 'object' || read === null) return undefined;
    const field = (key: string): unknown => Reflect.get(read, key);
    const [pid, startTime, secret, socket, version, protocol] = [
      'pid',
      'startTime',
      'secret',
      'socket',
      'version',
      'protocol',
    ].map(field);
    if (typeof pid !== 'number' || typeof startTime !== 'string' || typeof secret !== 'string')
      return undefined;
    if (typeof socket !== 'string' || typeof version !== 'string' || typeof protocol !== 'number')
      return undefined;
    const identity = { pid, startTime };
    return isAlive(identity) ? { identity, secret, socket, version, protocol } : undefined;
  } catch {
    return undefined;
  }
}
