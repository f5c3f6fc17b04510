/** Plain timers with one owner each: disposing ends them. For bounds on waiting use awake.ts, which does not count sleep. */

export interface TimerOptions {
  /** Whether the timer keeps the process alive. Default: no. */
  readonly ref?: boolean;
}

/** Runs `act` once after `ms`. */
export function after(ms: number, act: () => void, options: TimerOptions = {}): Disposable {
  const timer = setTimeout(act, ms);
  if (options.ref !== true) timer.unref();
  return {
    [Symbol.dispose]() {
      clearTimeout(timer);
    },
  };
}

/** Runs `act` every `ms`. */
export function every(ms: number, act: () => void, options: TimerOptions = {}): Disposable {
  const timer = setInterval(act, ms);
  if (options.ref !== true) timer.unref();
  return {
    [Symbol.dispose]() {
      clearInterval(timer);
    },
  };
}

/** Resolves after `ms`, or at once when `signal` aborts. */
export async function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted === true) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  const wake = (): void => {
    resolve();
  };
  signal?.addEventListener('abort', wake);
  await promise;
  clearTimeout(timer);
  signal?.removeEventListener('abort', wake);
}
