/**
 * A countdown that counts only time in which this process could run: host sleep and a stopped process count for at most
 * one slice. Owns its timer. Knows nothing of what it bounds.
 *
 * Why slices: after a suspend or a SIGSTOP a plain timer fires at once, before the input that waited meanwhile was read.
 */
const SLICE_MS = 1000;

export class AwakeTimer {
  readonly #onFire: () => void;
  #counting = false;
  #remaining = 0;
  #slice = 0;
  #armedAt = 0;
  /** What of the slice counts: it may have begun before the countdown. */
  #countedFrom = 0;
  #timer: NodeJS.Timeout | undefined;
  #touched = false;
  #full = 0;

  constructor(onFire: () => void) {
    this.#onFire = onFire;
  }

  /** Starts (again) from `ms`. */
  start(ms: number): void {
    this.#counting = true;
    this.#full = ms;
    this.#remaining = ms;
    this.#touched = false;
    this.#countedFrom = performance.now();
    // A slice that is under way and ends in time is as good as a new one, and no timer is made.
    if (this.#timer !== undefined && this.#armedAt + this.#slice <= this.#countedFrom + ms) return;
    clearTimeout(this.#timer);
    this.#arm();
  }

  /** Counts from the start again. Cheap enough for every chunk of output: no timer is made. */
  touch(): void {
    this.#touched = true;
  }

  /** The slice under way runs out by itself: what is started and stopped with every message makes no timers. */
  stop(): void {
    this.#counting = false;
  }

  #arm(): void {
    this.#slice = Math.min(this.#remaining, SLICE_MS);
    this.#armedAt = performance.now();
    this.#countedFrom = this.#armedAt;
    this.#timer = setTimeout(() => {
      this.#tick();
    }, this.#slice);
    this.#timer.unref();
  }

  #tick(): void {
    this.#timer = undefined;
    if (!this.#counting) return;
    const now = performance.now();
    const stalled = now - this.#armedAt > this.#slice + SLICE_MS;
    const slice = Math.max(0, this.#slice - (this.#countedFrom - this.#armedAt));
    if (this.#touched) {
      this.#touched = false;
      this.#remaining = this.#full;
    }
    // After a stall the input that came meanwhile goes first: the last slice is given once more.
    else
      this.#remaining -= stalled
        ? slice - Math.min(slice, 1)
        : Math.min(now - this.#countedFrom, slice + SLICE_MS);
    if (this.#remaining > 0.5) return this.#arm();
    this.#counting = false;
    this.#onFire();
  }
}

/** Rejects with what `onTimeout` makes when `promise` is not settled after `ms` of awake time. The promise itself goes on. */
export async function within<T>(promise: Promise<T>, ms: number, onTimeout: () => Error): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = new AwakeTimer(() => {
    reject(onTimeout());
  });
  timer.start(ms);
  try {
    return await Promise.race([promise, late]);
  } finally {
    timer.stop();
  }
}
