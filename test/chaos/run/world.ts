/**
 * The home that a run lives in: its configuration, its daemon whoever started it, its processes as the system shows them.
 * Sees to it that there is a daemon again when one is gone. Owns no client and no judgement.
 */
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pass } from 'node:timers/promises';
import { TestDaemon, testHome, type TestHome } from '../../support/daemon.ts';
import { identityOf, isAlive, marked, type Identity } from '../../support/processes.ts';
import { SmallDisk } from '../../support/small-disk.ts';
import { NOTHING_DONE, type Done, type Violation } from '../oracle/history.ts';

export interface Access extends Identity {
  readonly url: string;
  readonly token: string;
}

export type Role = 'daemon' | 'keeper' | 'agent' | 'other';
export type Process = Identity & { readonly command: string; readonly role: Role };

/** A keeper gets this long to start a daemon again before the run does. */
const KEEPER_MS = 2500;
const LEAST_ROOM = 32 * 1024 * 1024;
/** What a report has of each log. */
const LOG_CHARS = 6000;
const GIVE_UP_MS = 30_000;

export class World implements AsyncDisposable {
  /** Those that were not disposed of: what an interrupted run must end. */
  static readonly living = new Set<World>();
  readonly home: TestHome;
  readonly disk: SmallDisk | undefined;
  /** For what must not be where the disk fills up, nor carry the home's path. */
  readonly aside: string = mkdtempSync(join(tmpdir(), 'pl-aside-'));
  readonly troubles: Violation[] = [];
  readonly done: { -readonly [K in keyof Done]: number } = { ...NOTHING_DONE };
  /** Processes that somebody here ended: their end is no surprise. */
  readonly felled = new Set<number>();
  /** Set while there is to be no daemon. */
  down = false;
  #keeperFirst = false;
  readonly #ends: string[] = [];
  #starting: Promise<void> | undefined;
  #seen: Access | undefined;

  /** Stands in the environment or the command of each of its processes. */
  readonly #trace: string;

  constructor(home: TestHome, disk: SmallDisk | undefined, trace = home.root) {
    this.home = home;
    this.disk = disk;
    this.#trace = trace;
    World.living.add(this);
  }

  /** `root`: a folder that holds the home and whatever else its agents are told of. */
  static create(options: {
    readonly config: string;
    readonly diskMb?: number | undefined;
    readonly root?: string | undefined;
  }): World {
    const { config, diskMb, root } = options;
    const home = testHome({ config, ...(root === undefined ? {} : { root }) });
    if (diskMb === undefined) return new World(home, undefined, root);
    const file = join(home.path, 'config.toml');
    const written = readFileSync(file);
    const disk = new SmallDisk(home.path, diskMb);
    writeFileSync(file, written);
    return new World(home, disk);
  }

  /** The daemon that answers now. Waits for one, and starts one that does not come by itself. */
  async reach(signal: AbortSignal): Promise<Access> {
    const began = performance.now();
    while (!signal.aborted) {
      const access = this.recorded();
      if (access !== undefined && isAlive(access)) return this.#saw(access);
      const waited = performance.now() - began;
      if (waited > GIVE_UP_MS) {
        this.troubles.push({ promise: 'P5', what: `no daemon came up in ${String(GIVE_UP_MS)} ms` });
        throw new Error('no daemon came up');
      }
      if (!this.down && (!this.#keeperFirst || waited > KEEPER_MS)) await this.#start();
      else await pass(20);
    }
    throw new Error('given up');
  }

  /** The daemon is about to be ended; `keeper` may start the next one. */
  fell(pid: number, starter: 'keeper' | 'test'): void {
    this.felled.add(pid);
    this.#keeperFirst = starter === 'keeper';
  }

  /** What daemon.json says, living or not. */
  recorded(): Access | undefined {
    try {
      const found: Identity & { url: string } = JSON.parse(
        readFileSync(join(this.home.path, 'daemon.json'), 'utf8'),
      );
      const token = readFileSync(join(this.home.path, 'token'), 'utf8').trim();
      return { pid: found.pid, startTime: found.startTime, url: found.url, token };
    } catch {
      return undefined;
    }
  }

  /** Every living process of this home. */
  processes(): Process[] {
    return marked(this.#trace).map((one) => ({ ...one, role: roleOf(one.command) }));
  }

  /** Whether a disk of its own has no room although nothing fills it up. */
  get full(): boolean {
    if (this.disk === undefined) return false;
    const { bavail, bsize } = statfsSync(this.disk.path);
    return bavail * bsize < LEAST_ROOM;
  }

  /** The end of each log of the daemon and the keeper. */
  logs(): string[] {
    const folder = join(this.home.path, 'logs');
    if (!existsSync(folder)) return this.#ends;
    const files = readdirSync(folder).map(
      (name) => `${name}:\n${readFileSync(join(folder, name), 'utf8').slice(-LOG_CHARS)}`,
    );
    return [...this.#ends, ...files];
  }

  trouble(promise: Violation['promise'], what: string): void {
    this.troubles.push({ promise, what });
  }

  /** No daemon is being started by this run any more: one that comes up behind a stop would be its own doing. */
  async started(): Promise<void> {
    await this.#starting;
  }

  /** Every process of this home is gone. */
  async endAll(): Promise<void> {
    for (let all = this.processes(); all.length > 0; all = this.processes()) {
      for (const one of all) signal(one, 'SIGKILL');
      await pass(10);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.disk?.free();
    await this.endAll();
    this.disk?.[Symbol.dispose]();
    await this.home[Symbol.asyncDispose]();
    rmSync(this.aside, { recursive: true, force: true });
    World.living.delete(this);
  }

  #start(): Promise<void> {
    this.#starting ??= (async () => {
      try {
        this.#listen((await TestDaemon.start(this.home)).child);
      } catch {
        // Another one has the journal (the keeper's, one that is frozen), or the disk is full: the next look tells.
        await pass(100);
      } finally {
        this.#starting = undefined;
      }
    })();
    return this.#starting;
  }

  /** How a daemon of ours ends, and what it says then, is for the report. */
  #listen(child: TestDaemon['child']): void {
    let said = '';
    child?.stderr?.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-LOG_CHARS)));
    child?.once('close', (code, name) => {
      this.#ends.push(`daemon ${String(child.pid)} ended with ${String(code ?? name)}: ${said}`);
    });
  }

  #saw(access: Access): Access {
    const before = this.#seen;
    this.#seen = access;
    // Whichever is there is being stopped: a keeper may have been quicker with another.
    if (this.down) this.felled.add(access.pid);
    if (before !== undefined && before.pid !== access.pid && !this.felled.has(before.pid))
      this.trouble('P3', `the daemon ${String(before.pid)} ended by itself`);
    return access;
  }
}

function roleOf(command: string): Role {
  if (/\/daemon\/main\.[jt]s/.test(command)) return 'daemon';
  if (/\/keeper\/main\.[jt]s/.test(command)) return 'keeper';
  if (/fake-(?:claude|codex)\.mjs|\/claude(?:\.exe)? |\/codex /.test(command)) return 'agent';
  return 'other';
}

/** Ends or freezes a process that is still the same. */
export function signal(target: Identity, name: NodeJS.Signals): boolean {
  if (identityOf(target.pid)?.startTime !== target.startTime) return false;
  try {
    process.kill(target.pid, name);
    return true;
  } catch {
    return false;
  }
}

export function keeperOf(home: string): Identity | undefined {
  const file = join(home, 'keeper.json');
  if (!existsSync(file)) return undefined;
  try {
    const found: Identity = JSON.parse(readFileSync(file, 'utf8'));
    return isAlive(found) ? { pid: found.pid, startTime: found.startTime } : undefined;
  } catch {
    return undefined;
  }
}
