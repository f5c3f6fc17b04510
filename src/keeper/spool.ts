/** What no daemon has acknowledged when the keeper ends: put into spool/ for the next daemon. */
import { appendFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Child, ChildExit, ChildListener } from '../process/ports.ts';
import { readExit } from './headers.ts';
import type { KeptChild } from './kept.ts';

export interface Spooled {
  /** The offset of the first byte of `bytes`. */
  readonly from: number;
  readonly lastWrite: number;
  readonly pid: number;
  readonly startTime: string;
  readonly exit: ChildExit;
  readonly bytes: Buffer;
}

export function spool(home: string, child: KeptChild): void {
  const { state } = child;
  if (state === undefined) return;
  // One that could not be ended in time is told as what it is.
  const exited = child.exited ?? {
    code: undefined,
    signal: undefined,
    stderrTail: '',
    stuck: [state.identity],
  };
  const folder = join(home, 'spool');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const file = join(folder, `${child.id}.out`);
  writeFileSync(file, '', { mode: 0o600 });
  for (const bytes of child.unacknowledged()) appendFileSync(file, bytes);
  const about = { from: child.base, lastWrite: state.lastWrite, ...state.identity, exit: exited };
  // Last: a spool without its description is none.
  writeFileSync(join(folder, `${child.id}.json`), JSON.stringify(about), { mode: 0o600 });
}

/** What a keeper that ended left of a child; undefined when there is nothing that can be read. */
export function readSpool(home: string, id: string): Spooled | undefined {
  try {
    const read: unknown = JSON.parse(readFileSync(join(home, 'spool', `${id}.json`), 'utf8'));
    if (typeof read !== 'object' || read === null) return undefined;
    const [from, lastWrite, pid, startTime] = ['from', 'lastWrite', 'pid', 'startTime'].map((key): unknown =>
      Reflect.get(read, key),
    );
    if (
      typeof from !== 'number' ||
      typeof lastWrite !== 'number' ||
      typeof pid !== 'number' ||
      typeof startTime !== 'string'
    )
      return undefined;
    const exit = readExit(Reflect.get(read, 'exit'));
    return { from, lastWrite, pid, startTime, exit, bytes: readFileSync(join(home, 'spool', `${id}.out`)) };
  } catch {
    return undefined;
  }
}

export function dropSpool(home: string, id: string): void {
  for (const ending of ['json', 'out']) rmSync(join(home, 'spool', `${id}.${ending}`), { force: true });
}

/** What belongs to runtimes that nobody knows any more goes. */
export function sweepSpool(home: string, isKnown: (id: string) => boolean): void {
  const files = readdirSync(join(home, 'spool'), { withFileTypes: true }).filter((one) => one.isFile());
  const ids = new Set(files.map(({ name }) => name.replace(/\.(?:json|out)$/, '')));
  for (const id of ids) if (!isKnown(id)) dropSpool(home, id);
}

/** A child of a keeper that has ended: what it printed and how it ended are told once, from the spool. */
export function spooledChild(
  home: string,
  spooled: Spooled,
  told: { readonly id: string; readonly from: number; readonly listener: ChildListener },
): Child {
  const { id, from, listener } = told;
  const { pid, startTime, lastWrite, bytes, exit } = spooled;
  setImmediate(() => {
    const skip = Math.max(0, from - spooled.from);
    if (skip < bytes.length) listener.out(spooled.from + skip, bytes.subarray(skip));
    listener.exit(exit);
  });
  return {
    id,
    identity: { pid, startTime },
    lastWrite,
    write: (n) => listener.refused(n, lastWrite, 'the process has ended'),
    received: () => undefined,
    acknowledge: () => undefined,
    markTurn: () => undefined,
    end: () => undefined,
    forget: () => dropSpool(home, id),
  };
}
