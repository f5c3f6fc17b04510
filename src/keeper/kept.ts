/**
 * One kept child: its unacknowledged output, its exit, and how far the daemon that is attached has been told.
 * Owns the bounds: 1 MiB behind the reader while a daemon is attached, 64 MiB while none is; past them the child is not read.
 */
import { HeldChild } from '../process/child.ts';
import type { ChildExit, LadderTimes, SpawnSpec } from '../process/ports.ts';
import { Retained } from '../process/retained.ts';
import type { KeptState, Report } from './frames.ts';

/** Says something to the daemon; false when its socket is full for now. */
export type Tell = (report: Report, body?: Uint8Array) => boolean;

export interface KeptBounds {
  /** Bytes between what the reader has and what is read, with a daemon. Fewer the more children there are. */
  readonly attached: () => number;
  /** Bytes kept while there is no daemon. */
  readonly alone: number;
  /** Bytes of all children together while there is no daemon. */
  readonly allAlone: () => boolean;
}

export class KeptChild {
  readonly id: string;
  readonly #bounds: KeptBounds;
  readonly #retained = new Retained();
  #held: HeldChild | undefined;
  #tell: Tell | undefined;
  /** Told to the daemon that is attached, up to here. */
  #told = 0;
  /** The daemon has this in memory. */
  #received = 0;
  #exit: ChildExit | undefined;
  #exitTold = false;
  #endWanted = false;
  openTurn = false;

  constructor(id: string, bounds: KeptBounds) {
    this.id = id;
    this.#bounds = bounds;
  }

  /** Starts the process; rejects with what the process layer says. `onExit`: it is gone (and kept until forgotten). */
  async start(options: {
    readonly spec: SpawnSpec;
    readonly mark: string;
    readonly ladder: LadderTimes;
    readonly tell: Tell | undefined;
    readonly onExit: (stuck: boolean) => void;
  }): Promise<HeldChild> {
    this.#tell = options.tell;
    const held = await HeldChild.start({
      spec: options.spec,
      mark: options.mark,
      ladder: options.ladder,
      listener: {
        out: (bytes) => {
          this.#retained.push(bytes);
          this.flow();
        },
        stderr: (bytes) => void this.#tell?.({ t: 'err', id: this.id }, bytes),
        wrote: (n) => void this.#tell?.({ t: 'wrote', id: this.id, n }),
        refused: (n, last, reason) => void this.#tell?.({ t: 'refused', id: this.id, n, last, reason }),
        exit: (exit) => {
          this.#exit = exit;
          options.onExit(exit.stuck.length > 0);
          this.flow();
        },
      },
    });
    this.#held = held;
    if (this.#endWanted) held.end();
    return held;
  }

  get state(): KeptState | undefined {
    if (this.#held === undefined) return undefined;
    return { id: this.id, identity: this.#held.identity, lastWrite: this.#held.stdin.confirmed };
  }

  get kept(): number {
    return this.#retained.size;
  }

  get exited(): ChildExit | undefined {
    return this.#exit;
  }

  /** A daemon takes it up from an offset: what is kept from there on is told again, then the exit if there was one. */
  attach(tell: Tell, from: number): void {
    this.#tell = tell;
    this.#told = Math.max(from, this.#retained.base);
    this.#received = this.#told;
    this.#exitTold = false;
    this.#retained.release(from);
    // What was written since the welcome was told to nobody.
    const confirmed = this.#held?.stdin.confirmed ?? 0;
    if (confirmed > 0) tell({ t: 'wrote', id: this.id, n: confirmed });
    this.flow();
  }

  /** The daemon is gone. */
  detach(): void {
    this.#tell = undefined;
    this.flow();
  }

  write(n: number, bytes: Uint8Array): void {
    this.#held?.stdin.write(n, bytes);
  }

  received(offset: number): void {
    this.#received = Math.max(this.#received, Math.min(offset, this.#retained.end));
    this.flow();
  }

  acknowledge(offset: number): void {
    this.#retained.release(offset);
    this.received(offset);
  }

  /** Also before it is started: then it ends as soon as it is. */
  end(): void {
    this.#endWanted = true;
    this.#held?.end();
  }

  /** The process is being ended and nobody may listen any more: its exit does not wait for a reader. */
  drain(): void {
    this.#held?.readToEnd();
  }

  /** Tells what may be told, and reads the child or does not. Called after every change. */
  flow(): void {
    const tell = this.#tell;
    if (tell !== undefined) this.#tellOutput(tell);
    if (this.#full()) this.#held?.pause();
    else if (this.#held?.paused === true) this.#held.resume();
  }

  #tellOutput(tell: Tell): void {
    for (;;) {
      if (this.#told - this.#received >= this.#bounds.attached()) return;
      const part = this.#retained.from(this.#told);
      if (part === undefined) break;
      this.#told = part.offset + part.bytes.length;
      if (!tell({ t: 'out', id: this.id, offset: part.offset }, part.bytes)) return;
    }
    if (this.#exit === undefined || this.#exitTold) return;
    this.#exitTold = true;
    tell({ t: 'exit', id: this.id, exit: this.#exit });
  }

  #full(): boolean {
    if (this.#tell !== undefined) return this.#retained.end - this.#received >= this.#bounds.attached();
    return this.kept >= this.#bounds.alone || this.#bounds.allAlone();
  }

  /** Everything that no daemon has acknowledged, for the spool. */
  *unacknowledged(): Generator<Buffer> {
    for (let at = this.#retained.base; ;) {
      const part = this.#retained.from(at);
      if (part === undefined) return;
      at = part.offset + part.bytes.length;
      yield part.bytes;
    }
  }

  get base(): number {
    return this.#retained.base;
  }
}
