/**
 * Who belongs to a child: its descendants by parent, the members of its process group and of the session that it leads, and whoever carries our mark in its
 * environment. Tool commands run in sessions of their own and are given to pid 1 when their parent dies: so descendants are remembered while they
 * can be seen ({@link TreeRecord}), and the mark finds the rest (Linux). A sandboxed helper of Codex has neither parent nor mark when Codex ends as it starts one
 * (bwrap waits for ever for its dead other half), but it is of Codex's session.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { isAlive, processIdentity, readStat, type Stat } from './identity.ts';
import type { ProcessIdentity } from './ports.ts';

export const MARK = 'PILOTLIGHT_RUNTIME';

/** The session, in the environment of commands that are run for it in a process of several. */
export const SESSION_MARK = 'PILOTLIGHT_SESSION';

/** An environment without our marks. */
export function unmarked(
  env: Readonly<Record<string, string | undefined>>,
): Readonly<Record<string, string | undefined>> {
  const { [MARK]: _, [SESSION_MARK]: __, ...rest } = env;
  return rest;
}

/** Every process that can be seen now, by pid. Empty where there is no /proc. */
export function snapshot(): Map<number, Stat> {
  const all = new Map<number, Stat>();
  let entries: string[];
  try {
    entries = readdirSync('/proc');
  } catch {
    return all;
  }
  for (const entry of entries) {
    const pid = Number(entry);
    const stat = Number.isInteger(pid) ? readStat(pid) : undefined;
    if (stat !== undefined && stat.state !== 'Z' && stat.state !== 'X') all.set(pid, stat);
  }
  return all;
}

/** The root and its descendants in this snapshot, and the members of the root's own process group. */
export function descendants(all: ReadonlyMap<number, Stat>, roots: readonly number[]): ProcessIdentity[] {
  const children = new Map<number, Stat[]>();
  for (const stat of all.values()) {
    const siblings = children.get(stat.ppid);
    if (siblings === undefined) children.set(stat.ppid, [stat]);
    else siblings.push(stat);
  }
  const found = new Map<number, ProcessIdentity>();
  const queue = [...roots];
  for (const stat of all.values()) if (roots.includes(stat.group)) queue.push(stat.pid);
  for (let pid = queue.pop(); pid !== undefined; pid = queue.pop()) {
    if (found.has(pid)) continue;
    const stat = all.get(pid);
    if (stat === undefined) continue;
    found.set(pid, { pid, startTime: stat.startTime });
    for (const child of children.get(pid) ?? []) queue.push(child.pid);
  }
  return [...found.values()];
}

export interface Marked extends ProcessIdentity {
  /** The value of the variable that it was found by. */
  readonly mark: string;
}

/** Live processes whose environment at their start carried this mark (`<home id>/<runtime id>`, or a prefix that ends in `/`). Not this process. */
export function marked(value: string): Marked[] {
  return carrying(MARK, (mark) => (value.endsWith('/') ? mark.startsWith(value) : mark === value));
}

/** Live processes whose environment at their start had this variable with a value that fits. Not this process. */
export function carrying(variable: string, fits: (value: string) => boolean): Marked[] {
  const found: Marked[] = [];
  for (const pid of snapshot().keys()) {
    const prefix = `${variable}=`;
    const entry = pid === process.pid ? undefined : environ(pid).find((one) => one.startsWith(prefix));
    const mark = entry?.slice(prefix.length);
    if (mark === undefined || !fits(mark)) continue;
    const identity = processIdentity(pid);
    if (identity !== undefined) found.push({ ...identity, mark });
  }
  return found;
}

/** `NAME=value`, as a process was started. Empty where it cannot be read: another system, another user's process, or it is gone. */
export function environ(pid: number): readonly string[] {
  try {
    return readFileSync(`/proc/${String(pid)}/environ`, 'utf8').split('\0');
  } catch {
    return [];
  }
}

/** Its words. Empty where it cannot be read. */
export function commandLine(pid: number): readonly string[] {
  try {
    return readFileSync(`/proc/${String(pid)}/cmdline`, 'utf8').split('\0');
  } catch {
    return [];
  }
}

/** What has ever been seen of one child's tree. */
export class TreeRecord {
  readonly #root: ProcessIdentity;
  readonly #mark: string;
  readonly #seen = new Map<string, ProcessIdentity>();

  constructor(root: ProcessIdentity, mark: string) {
    this.#root = root;
    this.#mark = mark;
    this.#add([root]);
  }

  /** Remembers who belongs to it in this snapshot: descendants of all that were seen and still live. */
  look(all: ReadonlyMap<number, Stat> = snapshot()): void {
    const members = this.#session(all);
    // The system gives the session's number to nobody while one lives who is known to be of it.
    const known = members.some((stat) => this.#seen.has(keyOf(stat)));
    this.#addTrees(all, [...this.#living(all), ...(known ? members : [])]);
  }

  /** To be called when the root has just ended: in this moment its number is nobody else's yet, so who is of its session is its own, seen before or not. */
  rootEnded(): void {
    const all = snapshot();
    if (!all.has(this.#root.pid)) this.#addTrees(all, this.#session(all));
  }

  /** Everything of it that lives now, the marked included: a pass over all processes. */
  find(): ProcessIdentity[] {
    this.look();
    this.#add(marked(this.#mark));
    return this.living();
  }

  /** What of it that was ever seen still lives. */
  living(): ProcessIdentity[] {
    return [...this.#seen.values()].filter(isAlive);
  }

  get root(): ProcessIdentity {
    return this.#root;
  }

  #living(all: ReadonlyMap<number, Stat>): ProcessIdentity[] {
    return [...this.#seen.values()].filter(
      (identity) => all.get(identity.pid)?.startTime === identity.startTime,
    );
  }

  /** Who is of the session that has the root's number. */
  #session(all: ReadonlyMap<number, Stat>): Stat[] {
    const { pid } = this.#root;
    // 0 is the session of whoever has none here.
    return pid === 0 ? [] : [...all.values()].filter(({ session }) => session === pid);
  }

  #addTrees(all: ReadonlyMap<number, Stat>, roots: readonly ProcessIdentity[]): void {
    if (roots.length === 0) return;
    this.#add(
      descendants(
        all,
        roots.map(({ pid }) => pid),
      ),
    );
  }

  #add(identities: readonly ProcessIdentity[]): void {
    for (const identity of identities) this.#seen.set(keyOf(identity), identity);
  }
}

function keyOf({ pid, startTime }: ProcessIdentity): string {
  return `${String(pid)} ${startTime}`;
}
