/**
 * The client's clock: bounded waits that need nothing but what every platform has. The only timers of the client; src/async is Node's
 * (unref) and out of the client's reach.
 */

/** Resolves after `ms`, or at once when `signal` aborts. Keeps a Node process alive: somebody waits for what comes after. */
export async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted === true) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms); // oxlint-disable-line pilotlight/timers -- see above
  const wake = (): void => {
    resolve();
  };
  signal?.addEventListener('abort', wake);
  await promise;
  clearTimeout(timer);
  signal?.removeEventListener('abort', wake);
}

/** Calls `onSilence` when `touch` was not called for `ms`. Cheap to touch: one timer at a time, made again only when it fires. */
export class Silence implements Disposable {
  readonly #ms: number;
  readonly #onSilence: () => void;
  #heardAt = performance.now();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #resting = false;

  constructor(ms: number, onSilence: () => void) {
    this.#ms = ms;
    this.#onSilence = onSilence;
    this.#arm(ms);
  }

  touch(): void {
    this.#heardAt = performance.now();
  }

  /** Nobody listens for now: what is not taken up is no silence. */
  rest(): void {
    this.#resting = true;
  }

  listen(): void {
    this.#resting = false;
    this.touch();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }

  #arm(ms: number): void {
    // oxlint-disable-next-line pilotlight/timers -- see above
    this.#timer = setTimeout(() => {
      const left = this.#heardAt + this.#ms - performance.now();
      if (this.#resting) this.#arm(this.#ms);
      else if (left > 0) this.#arm(left);
      else this.#onSilence();
    }, ms);
  }
}

/** 100 ms, doubled with every failure up to `mostMs`, with a quarter of chance so that many clients do not come back together. */
export function backoffMs(failures: number, mostMs: number): number {
  const ms = Math.min(100 * 2 ** Math.min(failures, 16), mostMs);
  return ms * (0.75 + Math.random() * 0.25);
}
