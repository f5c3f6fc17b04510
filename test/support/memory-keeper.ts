/**
 * A keeper in memory with one kind of child: a function that is given whole lines of stdin and prints bytes. It outlives the
 * "daemon" of a test as the real keeper does: unacknowledged output is sent again at attach, writes are taken by number once.
 */
import type { Child, ChildExit, ChildHost, ChildListener, SpawnSpec } from '../../src/process/ports.ts';

/** `child`: which of them it is. */
export type Brain = (
  line: string,
  print: (text: string) => void,
  exit: (code: number) => void,
  child: string,
) => void;

interface Kept {
  readonly spec: SpawnSpec;
  readonly pid: number;
  readonly lines: string[];
  output: Buffer;
  /** The offset of the first byte that is kept. */
  base: number;
  lastWrite: number;
  exit: ChildExit | undefined;
  listener: ChildListener | undefined;
  sent: number;
  ended: boolean;
}

export class MemoryKeeper {
  readonly children = new Map<string, Kept>();
  readonly #brain: Brain;
  /** How stdout is cut into chunks: sizes, taken in turn. */
  readonly #cuts: readonly number[];
  #cut = 0;
  #pids = 0;
  /** Whoever is ended from now on stays: told as what could not be ended. */
  unendable = false;
  /** What a child that is to end still does before it leaves. */
  leaving: () => Promise<void> = () => Promise.resolve();
  /** Every line that a child received, in order. */
  readonly received: string[] = [];

  constructor(brain: Brain, cuts: readonly number[] = []) {
    this.#brain = brain;
    this.#cuts = cuts;
  }

  /** A child that is there already, started by an earlier daemon. */
  hold(id: string): void {
    const spec = { id, file: 'toy', args: [], cwd: '/', env: {}, goodbye: new Uint8Array() };
    this.children.set(id, {
      spec,
      pid: this.#nextPid(),
      lines: [],
      output: Buffer.alloc(0),
      base: 0,
      lastWrite: 0,
      exit: undefined,
      listener: undefined,
      sent: 0,
      ended: false,
    });
  }

  /** The daemon is gone: nobody listens. */
  cutOff(): void {
    for (const kept of this.children.values()) kept.listener = undefined;
  }

  /** A child says something by itself. */
  print(id: string, text: string): void {
    const kept = this.children.get(id);
    if (kept === undefined) throw new Error(`there is no child ${id}`);
    kept.output = Buffer.concat([kept.output, Buffer.from(text)]);
    setImmediate(() => this.#deliver(kept));
  }

  /** A child dies. */
  kill(id: string, code = 9): void {
    const kept = this.children.get(id);
    if (kept !== undefined) this.#exit(kept, code);
  }

  /** The keeper itself dies, and its children with it. */
  die(): void {
    const all = [...this.children.values()];
    this.children.clear();
    for (const { listener } of all) listener?.lost('the keeper is gone');
  }

  /** A daemon's connection. */
  connect(alive: () => boolean): ChildHost {
    const claimed = new Set<string>();
    return {
      spawn: async (spec, listener) => {
        const kept: Kept = {
          spec,
          pid: this.#nextPid(),
          lines: [],
          output: Buffer.alloc(0),
          base: 0,
          lastWrite: 0,
          exit: undefined,
          listener,
          sent: 0,
          ended: false,
        };
        this.children.set(spec.id, kept);
        claimed.add(spec.id);
        return this.#handle(kept, alive);
      },
      attach: (id, from, listener) => {
        const kept = this.children.get(id);
        if (kept === undefined) return undefined;
        claimed.add(id);
        kept.listener = listener;
        kept.sent = Math.max(from, kept.base);
        const child = this.#handle(kept, alive);
        queueMicrotask(() => this.#deliver(kept));
        return child;
      },
      unclaimed: () => [...this.children.keys()].filter((id) => !claimed.has(id)),
      discard: (id) => void this.children.delete(id),
    };
  }

  #nextPid(): number {
    this.#pids += 1;
    return 1000 + this.#pids;
  }

  #handle(kept: Kept, alive: () => boolean): Child {
    return {
      id: kept.spec.id,
      identity: { pid: kept.pid, startTime: '1' },
      lastWrite: kept.lastWrite,
      write: (n, bytes) => {
        // Nobody reads it any more.
        if (!alive() || kept.exit !== undefined) return;
        if (n > kept.lastWrite + 1) return kept.listener?.refused(n, kept.lastWrite, 'out of order');
        if (n === kept.lastWrite + 1) {
          kept.lastWrite = n;
          for (const line of Buffer.from(bytes).toString().split('\n').filter(Boolean))
            this.#take(kept, line);
        }
        queueMicrotask(() => kept.listener?.wrote(n));
      },
      received: () => undefined,
      acknowledge: (offset) => {
        if (!alive()) return;
        if (offset > kept.base + kept.output.length) throw new Error('acknowledged what was never sent');
        if (offset <= kept.base) return;
        kept.output = kept.output.subarray(offset - kept.base);
        kept.base = offset;
      },
      markTurn: () => undefined,
      end: () => {
        if (kept.ended) return;
        kept.ended = true;
        void this.leaving().then(() => {
          if (!this.unendable) return this.#exit(kept, 0);
          const stuck = [{ pid: kept.pid, startTime: '1' }];
          kept.exit ??= { code: undefined, signal: undefined, stderrTail: '', stuck };
          return this.#deliver(kept);
        });
      },
      forget: () => void this.children.delete(kept.spec.id),
    };
  }

  #take(kept: Kept, line: string): void {
    this.received.push(line);
    this.#brain(
      line,
      (text) => {
        kept.output = Buffer.concat([kept.output, Buffer.from(text)]);
        setImmediate(() => this.#deliver(kept));
      },
      // As the real one: that a write went through is known before the exit that it caused.
      (code) => void setImmediate(() => this.#exit(kept, code)),
      kept.spec.id,
    );
  }

  #exit(kept: Kept, code: number): void {
    kept.exit ??= { code, signal: undefined, stderrTail: '', stuck: [] };
    this.#deliver(kept);
  }

  /** One chunk a turn of the loop, as a socket would: a crash finds lines half delivered. */
  #deliver(kept: Kept): void {
    if (kept.listener !== undefined && kept.sent < kept.base + kept.output.length) {
      const size = this.#cuts.length === 0 ? 65_536 : (this.#cuts[this.#cut++ % this.#cuts.length] ?? 1);
      const from = kept.sent;
      const bytes = kept.output.subarray(from - kept.base, from - kept.base + Math.max(1, size));
      kept.sent += bytes.length;
      kept.listener.out(from, Buffer.from(bytes));
      setImmediate(() => this.#deliver(kept));
      return;
    }
    if (kept.exit !== undefined && kept.listener !== undefined) {
      const { listener } = kept;
      kept.listener = undefined;
      listener.exit(kept.exit);
    }
  }
}
