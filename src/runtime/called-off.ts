/** The wish to end a runtime that cannot be told so yet: it is being started or taken over. */
import type { RuntimeEndReason } from '../protocol/index.ts';

export class CalledOff {
  readonly #abort = new AbortController();
  reason: RuntimeEndReason | undefined;

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  by(reason: RuntimeEndReason): void {
    this.reason ??= reason;
    this.#abort.abort();
  }
}
