/**
 * Children held by this very process: for the library and for tests. They end with it.
 */
import { HeldChild } from './child.ts';
import {
  DEFAULT_LADDER,
  type Child,
  type ChildHost,
  type ChildListener,
  type LadderTimes,
  type SpawnSpec,
} from './ports.ts';
import { removeRecord, writeRecord } from './records.ts';

/** Output that the reader has not taken: past it the child is not read. */
const WINDOW = 1024 * 1024;

export interface DirectOptions {
  readonly homeId: string;
  readonly ladder?: LadderTimes;
  /** Where process records go; without it there are none. */
  readonly recordDir?: string;
}

export function createDirectHost(options: DirectOptions): ChildHost & AsyncDisposable {
  const children = new Map<string, { readonly held: HeldChild; readonly gone: Promise<void> }>();
  const { recordDir } = options;

  async function spawn(spec: SpawnSpec, listener: ChildListener): Promise<Child> {
    const mark = `${options.homeId}/${spec.id}`;
    const about = { id: spec.id, mark, command: spec.file };
    if (recordDir !== undefined) writeRecord(recordDir, about);
    const gone = Promise.withResolvers<void>();
    const flow = new Flow();
    let held: HeldChild;
    try {
      held = await HeldChild.start({
        spec,
        mark,
        ladder: options.ladder ?? DEFAULT_LADDER,
        listener: {
          out: (bytes) => {
            const offset = flow.came;
            if (flow.take(bytes.length)) held.pause();
            listener.out(offset, bytes);
          },
          stderr: (bytes) => listener.stderr(bytes),
          wrote: (n) => listener.wrote(n),
          refused: (n, last, reason) => listener.refused(n, last, reason),
          exit: (exit) => {
            children.delete(spec.id);
            if (recordDir !== undefined && exit.stuck.length === 0) removeRecord(recordDir, spec.id);
            listener.exit(exit);
            gone.resolve();
          },
        },
      });
    } catch (error) {
      if (recordDir !== undefined) removeRecord(recordDir, spec.id);
      throw error;
    }
    if (recordDir !== undefined) writeRecord(recordDir, { ...about, identity: held.identity });
    children.set(spec.id, { held, gone: gone.promise });
    return handle(spec.id, held, flow);
  }

  return {
    spawn,
    attach: () => undefined,
    unclaimed: () => [],
    discard: () => undefined,
    async [Symbol.asyncDispose]() {
      const all = [...children.values()];
      for (const { held } of all) held.end();
      await Promise.all(all.map(({ gone }) => gone));
    },
  };
}

/** Counts what came and what was taken. */
class Flow {
  came = 0;
  #taken = 0;

  /** Whether the window is full now. */
  take(length: number): boolean {
    this.came += length;
    return this.came - this.#taken > WINDOW;
  }

  /** Whether there is room again. */
  taken(offset: number): boolean {
    this.#taken = Math.max(this.#taken, offset);
    return this.came - this.#taken <= WINDOW;
  }
}

function handle(id: string, held: HeldChild, flow: Flow): Child {
  const taken = (offset: number): void => {
    if (flow.taken(offset)) held.resume();
  };
  return {
    id,
    identity: held.identity,
    lastWrite: 0,
    write: (n, bytes) => held.stdin.write(n, bytes),
    received: taken,
    acknowledge: taken,
    markTurn: () => undefined,
    end: () => held.end(),
    forget: () => undefined,
  };
}
