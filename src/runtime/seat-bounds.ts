/** Bounds on what an agent answers about the seats of a shared process: for a conversation to be opened, or closed. Counted in awake time. */
import { AwakeTimer } from '../async/awake.ts';

export class SeatBounds {
  readonly #timers = new Map<string, AwakeTimer>();
  readonly #ms: number;
  readonly #late: (seat: string) => void;
  #closed = false;

  constructor(ms: number, late: (seat: string) => void) {
    this.#ms = ms;
    this.#late = late;
  }

  /** Starts (again). */
  start(seat: string): void {
    if (this.#closed) return;
    this.stop(seat);
    const timer = new AwakeTimer(() => {
      this.#timers.delete(seat);
      this.#late(seat);
    });
    this.#timers.set(seat, timer);
    timer.start(this.#ms);
  }

  stop(seat: string): void {
    this.#timers.get(seat)?.stop();
    this.#timers.delete(seat);
  }

  /** What is answered cannot be read for now: all of them start again. */
  pause(): void {
    for (const timer of this.#timers.values()) timer.touch();
  }

  /** None is started any more. */
  close(): void {
    this.#closed = true;
    for (const seat of this.#timers.keys()) this.stop(seat);
  }
}
