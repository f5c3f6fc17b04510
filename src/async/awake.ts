/**
 * A countdown that counts only time in which this process could run: host sleep and a stopped process count for at most
 * one slice. Owns its timer. Knows nothing of what it bounds.
 *
 * Why slices: after a suspend or a SIGSTOP a plain timer fires at once, before the input that waited meanwhile was read.
 */
const SLICE_MS = 1000;

export class AwakeTimer {
  readonly #onFire: () => void;
  #remaining = 0;
  #slice = 0;
  #armedAt = 0;
  #timer: NodeJS.Timeout | undefined;
  #touched = false;
  #full = 0;

  constructor(onFire: () => void) {
    this.#onFire = onFire;
  }

  /** Starts (again) from `ms`. */
  start(ms: number): void {
    this.stop();
    this.#full = ms;
    this.#remaining = ms;
    this.#touched = false;
    this.#arm();
  }

  /** Counts from the start again. Cheap enough for every chunk of output: no timer is made. */
  touch(): void {
    this.#touched = true;
  }

  stop(): void {
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #arm(): void {
    this.#slice = Math.min(this.#remaining, SLICE_MS);
    this.#armedAt = performance.now();
    this.#timer = setTimeout(() => {
      this.#tick();
    }, this.#slice);
    this.#timer.unref();
  }

  #tick(): void {
    this.#timer = undefined;
    const elapsed = performance.now() - this.#armedAt;
    const stalled = elapsed > this.#slice + SLICE_MS;
    if (this.#touched) {
      this.#touched = false;
      this.#remaining = this.#full;
    }
    // After a stall the input that came meanwhile goes first: the last slice is given once more.
    else
      this.#remaining -= stalled
        ? this.#slice - Math.min(this.#slice, 1)
        : Math.min(elapsed, this.#slice + SLICE_MS);
    if (this.#remaining > 0.5) this.#arm();
    else this.#onFire();
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
