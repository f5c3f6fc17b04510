/**
 * The numbered writes of one runtime: decided in a draft, sent after its commit, kept until confirmed, sent again after a takeover.
 * Owns the numbers and the bound on an unconfirmed write (R11). Knows nothing of what is written: the dialect renders it.
 */
import { AwakeTimer } from '../async/awake.ts';
import type { OutgoingWrite } from '../agents/dialect.ts';
import type { Draft } from '../session/ports.ts';

interface Numbered extends OutgoingWrite {
  readonly n: number;
}

export interface OutboxPorts {
  readonly runtime: string;
  readonly stdinTimeoutMs: number;
  /** The line of a write, without its newline. */
  readonly render: (write: OutgoingWrite) => string;
  /** Hands write n to the child. */
  readonly write: (n: number, bytes: Buffer) => void;
  /** A write was not confirmed in time, refused, or could not be rendered. */
  readonly failed: (code: 'stdin_timeout' | 'agent_error', message: string) => void;
}

export class Outbox {
  readonly #ports: OutboxPorts;
  readonly #timer: AwakeTimer;
  #waiting: readonly Numbered[] = [];
  #last: number;
  #sent: number;
  #confirmed: number;
  /** The journal has forgotten those up to here. */
  #forgotten = 0;

  /** `last`: the last number decided; `confirmed`: the last one that the child's holder has confirmed. */
  constructor(ports: OutboxPorts, from: { readonly last: number; readonly confirmed: number }) {
    this.#ports = ports;
    this.#last = from.last;
    this.#sent = from.confirmed;
    this.#confirmed = from.confirmed;
    this.#timer = new AwakeTimer(() => {
      const seconds = ports.stdinTimeoutMs / 1000;
      ports.failed('stdin_timeout', `The agent did not read its stdin for ${String(seconds)} s`);
    });
  }

  /** The number of the last write decided. */
  get last(): number {
    return this.#last;
  }

  get confirmed(): number {
    return this.#confirmed;
  }

  /** The handshake has written up to `n` by itself. */
  skipTo(n: number): void {
    this.#last = n;
    this.#sent = n;
    this.#confirmed = n;
  }

  /** Writes that an earlier daemon decided; those not confirmed are sent again by `flush`. */
  restore(writes: readonly Numbered[]): void {
    this.#waiting = writes.filter((write) => write.n > this.#confirmed);
  }

  /** Decides writes in this draft. */
  add(draft: Draft, writes: readonly OutgoingWrite[]): void {
    if (writes.length === 0) return;
    const before = { waiting: this.#waiting, last: this.#last };
    const numbered = writes.map((write, index) => ({ ...write, n: before.last + 1 + index }));
    this.#waiting = [...before.waiting, ...numbered];
    this.#last = before.last + writes.length;
    for (const { n, kind, ref } of numbered) draft.outbox({ runtime: this.#ports.runtime, n, kind, ref });
    draft.onRollback(() => {
      this.#waiting = before.waiting;
      this.#last = before.last;
    });
    draft.afterCommit(() => {
      this.flush();
    });
  }

  /** Sends what was committed and not sent yet. */
  flush(): void {
    for (const write of this.#waiting) {
      if (write.n <= this.#sent) continue;
      let line: string;
      try {
        line = this.#ports.render(write);
      } catch (error) {
        this.#ports.failed(
          'agent_error',
          `A message could not be written: ${error instanceof Error ? error.message : String(error)}`,
        );
        return;
      }
      const first = this.#sent === this.#confirmed;
      this.#sent = write.n;
      this.#ports.write(write.n, Buffer.from(`${line}\n`));
      if (first) this.#timer.start(this.#ports.stdinTimeoutMs);
    }
  }

  /** What is confirmed need not be sent again: its rows go, in this draft. */
  tellConfirmed(draft: Draft): void {
    const confirmed = this.#confirmed;
    if (confirmed === this.#forgotten) return;
    draft.confirmed(this.#ports.runtime, confirmed);
    draft.afterCommit(() => {
      this.#forgotten = confirmed;
    });
  }

  wrote(n: number): void {
    if (n <= this.#confirmed) return;
    this.#confirmed = n;
    this.#waiting = this.#waiting.filter((write) => write.n > n);
    if (this.#sent > n) this.#timer.start(this.#ports.stdinTimeoutMs);
    else this.#timer.stop();
  }

  stop(): void {
    this.#timer.stop();
  }
}
