/**
 * Passes what a child reports to whoever listens at the moment; keeps it in order while nobody does.
 * Needed at two seams: between spawn and handshake, and between handshake and reading.
 */
import type { Child, ChildExit, ChildListener } from '../process/ports.ts';

export class Relay implements ChildListener {
  #target: ChildListener | undefined;
  #kept: ((target: ChildListener) => void)[] = [];

  /** From now on `target` hears everything, first what was kept. */
  connect(target: ChildListener): void {
    this.#target = undefined;
    const kept = this.#kept;
    this.#kept = [];
    for (const tell of kept) tell(target);
    this.#target = target;
  }

  /** What comes from now on is kept for the next listener. */
  disconnect(): void {
    this.#target = undefined;
  }

  out(offset: number, bytes: Buffer): void {
    this.#tell((target) => {
      target.out(offset, bytes);
    });
  }

  stderr(bytes: Buffer): void {
    this.#tell((target) => {
      target.stderr(bytes);
    });
  }

  wrote(n: number): void {
    this.#tell((target) => {
      target.wrote(n);
    });
  }

  refused(n: number, last: number, reason: string): void {
    this.#tell((target) => {
      target.refused(n, last, reason);
    });
  }

  exit(exit: ChildExit): void {
    this.#tell((target) => {
      target.exit(exit);
    });
  }

  lost(reason: string): void {
    this.#tell((target) => {
      target.lost(reason);
    });
  }

  #tell(tell: (target: ChildListener) => void): void {
    if (this.#target === undefined) this.#kept.push(tell);
    else tell(this.#target);
  }
}

/** Resolves when the child behind a relay is gone or lost. Its output is passed over, as fast as it comes: a full window would hold its exit back. */
export async function exitOf(relay: Relay, child: Pick<Child, 'acknowledge'>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  relay.connect({
    out: (offset, bytes) => {
      child.acknowledge(offset + bytes.length);
    },
    stderr: () => undefined,
    wrote: () => undefined,
    refused: () => undefined,
    exit: () => {
      resolve();
    },
    lost: () => {
      resolve();
    },
  });
  await promise;
}
