/** What tests know of processes on their own account, so that they do not believe the code under test. Linux. */
import { readdirSync, readFileSync } from 'node:fs';
import { until } from './until.ts';

export interface Identity {
  readonly pid: number;
  readonly startTime: string;
}

export function identityOf(pid: number): Identity | undefined {
  try {
    const stat = readFileSync(`/proc/${String(pid)}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z') return undefined;
    return { pid, startTime: fields[19] ?? '' };
  } catch {
    return undefined;
  }
}

/** Resolves when it stands still: until then another signal may come before this one. */
export async function stopped(pid: number): Promise<void> {
  process.kill(pid, 'SIGSTOP');
  await until(() => / T /.test(readFileSync(`/proc/${String(pid)}/stat`, 'utf8')));
}

export function isAlive(identity: Identity): boolean {
  return identityOf(identity.pid)?.startTime === identity.startTime;
}

/** Every live process whose environment names this text (a home's path, a mark). Not this one. */
export function marked(text: string): (Identity & { readonly command: string })[] {
  const found: (Identity & { readonly command: string })[] = [];
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    try {
      const about =
        readFileSync(`/proc/${entry}/environ`, 'utf8') + readFileSync(`/proc/${entry}/cmdline`, 'utf8');
      const identity = about.includes(text) ? identityOf(pid) : undefined;
      const command = readFileSync(`/proc/${entry}/cmdline`, 'utf8').replaceAll('\0', ' ');
      if (identity !== undefined) found.push({ ...identity, command });
    } catch {
      // Gone meanwhile, or another user's.
    }
  }
  return found;
}
