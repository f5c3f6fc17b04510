/**
 * Rounds at intervals of awake time, and a clock that counts awake time only: while the host slept or this process was stopped, no round is
 * due and the clock stands (it moves on by one interval at most). Owns its timer. Knows nothing of what the rounds are for.
 */
import { AwakeTimer } from './awake.ts';

export class Rounds {
  readonly #everyMs: number;
  readonly #timer: AwakeTimer;
  #counted = 0;
  #roundAt = performance.now();

  constructor(everyMs: number, onRound: () => void) {
    this.#everyMs = everyMs;
    this.#timer = new AwakeTimer(() => {
      this.#counted = this.now();
      this.#roundAt = performance.now();
      this.#timer.start(everyMs);
      onRound();
    });
  }

  start(): void {
    this.#timer.start(this.#everyMs);
  }

  /** Awake ms since this was made. Between two rounds at most one interval passes, whatever other clocks say. */
  now(): number {
    return this.#counted + Math.min(Math.max(0, performance.now() - this.#roundAt), this.#everyMs);
  }

  stop(): void {
    this.#timer.stop();
  }
}
