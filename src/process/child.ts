/**
 * One child with its pipes: started in a process group of its own, read with backpressure, written to by number, ended with its whole tree.
 * Owns the process until nothing of it is left. Knows bytes, no protocol; tells one listener.
 */
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { sleep } from '../async/after.ts';
import { messageOf, PilotlightError } from '../protocol/errors.ts';
import { mustBeDirectory } from './directory.ts';
import { processIdentity } from './identity.ts';
import { endTree } from './ladder.ts';
import type { ChildExit, LadderTimes, ProcessIdentity, SpawnSpec } from './ports.ts';
import { NumberedStdin } from './stdin.ts';
import { MARK, TreeRecord } from './tree.ts';

const STDERR_TAIL = 8 * 1024;
/** A grandchild may hold stdout for ever: the exit is told this long after the process ended at the latest. */
const STDOUT_GRACE_MS = 1000;
const LOOK_MS = 20;

export interface HeldListener {
  /** Bytes in order. Whoever listens pauses and resumes. */
  out(bytes: Buffer): void;
  stderr(bytes: Buffer): void;
  wrote(n: number): void;
  refused(n: number, last: number, reason: string): void;
  /** Last: the process and its whole tree are gone (or `stuck` names what is not), stdout is at its end. */
  exit(exit: ChildExit): void;
}

export interface HoldOptions {
  readonly spec: SpawnSpec;
  /** `<home id>/<runtime id>`: the environment mark. */
  readonly mark: string;
  readonly ladder: LadderTimes;
  readonly listener: HeldListener;
  /** How a tree is ended; another way only in tests (a process that cannot be ended). */
  readonly endTree?: typeof endTree;
}

type HowItExited = readonly [number | null, NodeJS.Signals | null];
type Spawned = ChildProcessByStdio<Writable, Readable, Readable>;

export class HeldChild {
  readonly identity: ProcessIdentity;
  readonly tree: TreeRecord;
  readonly stdin: NumberedStdin;
  readonly #process: Spawned;
  readonly #options: HoldOptions;
  #stderr = '';
  #ended = false;
  /** Whether what is left in the pipe is read whoever pauses, once the tree is gone. */
  #lastWords: 'as asked' | 'wanted' | 'being read' = 'as asked';
  #ending: Promise<readonly ProcessIdentity[]> | undefined;
  /** The ladder has come to its end and the process has not. */
  readonly #unendable = Promise.withResolvers<HowItExited>();

  /** Starts it. Rejects with `spawn_failed` saying what could not be started, where, and what to do. */
  static async start(options: HoldOptions): Promise<HeldChild> {
    const { spec, mark } = options;
    // A missing directory is reported by the system as if the program were missing.
    mustBeDirectory(spec.cwd, `${spec.file} was not started`);
    try {
      // Some refusals are thrown (E2BIG, a NUL in an argument), others come as an event.
      const child = spawn(spec.file, [...spec.args], {
        cwd: spec.cwd,
        env: { ...spec.env, [MARK]: mark },
        stdio: ['pipe', 'pipe', 'pipe'],
        detached: true,
      });
      // From here on an error has somewhere to go, whenever it comes.
      child.on('error', () => undefined);
      await once(child, 'spawn');
      return new HeldChild(child, options);
    } catch (error) {
      throw failure(spec, error);
    }
  }

  private constructor(child: Spawned, options: HoldOptions) {
    const pid = child.pid ?? 0;
    this.#process = child;
    this.#options = options;
    // One that is gone already is still named by its pid: nothing else can have it before it is reaped.
    this.identity = processIdentity(pid) ?? { pid, startTime: '' };
    this.tree = new TreeRecord(this.identity, options.mark);
    const { listener } = options;
    this.stdin = new NumberedStdin(child.stdin, listener);
    if (options.spec.input !== undefined) this.stdin.end(options.spec.input);
    child.stdout.on('data', (bytes: Buffer) => {
      listener.out(bytes);
    });
    child.stdout.on('error', () => undefined);
    child.stderr.on('error', () => undefined);
    child.stderr.on('data', (bytes: Buffer) => {
      this.#stderr = (this.#stderr + bytes.toString()).slice(-STDERR_TAIL);
      listener.stderr(bytes);
    });
    void this.#watch();
  }

  pause(): void {
    if (this.#lastWords !== 'being read') this.#process.stdout.pause();
  }

  /** When its tree is gone, the rest of its stdout is read whoever pauses: no more than the system holds in a pipe. */
  readToEnd(): void {
    if (this.#lastWords === 'as asked') this.#lastWords = 'wanted';
  }

  resume(): void {
    this.#process.stdout.resume();
  }

  get paused(): boolean {
    return this.#process.stdout.isPaused();
  }

  /** Ends the whole tree by the ladder. Idempotent; the outcome is told as `exit`. */
  end(): void {
    if (this.#ending !== undefined) return;
    const climb = this.#options.endTree ?? endTree;
    this.#ending = climb(
      {
        goodbye: () => {
          this.tree.look();
          this.stdin.end(this.#options.spec.goodbye);
        },
        rootGone: () => this.#ended,
        find: () => this.tree.find(),
        living: () => this.tree.living(),
      },
      this.#options.ladder,
    );
    void this.#ending.then((stuck) => {
      if (stuck.length > 0) this.#unendable.resolve([null, null]);
    });
  }

  async #watch(): Promise<void> {
    const { stdout, stderr } = this.#process;
    const [code, signal] = await Promise.race([exitOf(this.#process), this.#unendable.promise]);
    this.#ended = true;
    this.tree.rootEnded();
    // What it leaves behind goes with it (P6): a background command of an agent that crashed is nobody's.
    this.end();
    // Its stdout is read to the end, however slowly the reader takes it; but a grandchild may hold the pipe for ever.
    const stuck = (await this.#ending) ?? [];
    // Time in which the reader takes nothing does not count; what is left in a pipe is some 200 KB, what comes after it is a stranger's.
    for (let read = 0; !(stdout.closed && stderr.closed) && read < STDOUT_GRACE_MS;) {
      if (this.#lastWords === 'wanted') {
        this.#lastWords = 'being read';
        this.resume();
      }
      await sleep(LOOK_MS);
      if (!this.paused) read += LOOK_MS;
    }
    stdout.destroy();
    this.#process.stderr.destroy();
    const exit: ChildExit = {
      code: code ?? undefined,
      signal: signal ?? undefined,
      stderrTail: this.#stderr,
      stuck,
    };
    this.#options.listener.exit(exit);
  }
}

async function exitOf(child: Spawned): Promise<HowItExited> {
  if (child.exitCode !== null || child.signalCode !== null) return [child.exitCode, child.signalCode];
  const { promise, resolve } = Promise.withResolvers<HowItExited>();
  child.once('exit', (code, signal) => {
    resolve([code, signal]);
  });
  return promise;
}

function failure(spec: SpawnSpec, error: unknown): PilotlightError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const why = REASONS[code] ?? messageOf(error);
  return new PilotlightError('spawn_failed', `${spec.file} could not be started in ${spec.cwd}: ${why}`, {
    fix: 'Run `pilotlight doctor`.',
    cause: error,
  });
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file (or its interpreter is missing)',
  EACCES: 'it is not executable',
  ENOEXEC: 'it is not a program for this machine',
  EAGAIN: 'the system has no room for another process',
  ENOMEM: 'the system has no memory left',
  EMFILE: 'too many files are open',
};
