/** Whether a shared process takes nobody any more, and what its end says of others like it. */
import type { Draft, RuntimeInput } from '../session/ports.ts';
import { isFailure } from './ended.ts';

export class Ending {
  readonly how: { failed: boolean; ran: boolean } = { failed: false, ran: false };
  #over: boolean;

  constructor(over: boolean) {
    this.#over = over;
  }

  get over(): boolean {
    return this.#over;
  }

  /** From this draft on. */
  begin(draft: Draft): void {
    const before = this.#over;
    this.#over = true;
    draft.onRollback(() => {
      this.#over = before;
    });
  }

  /** Word of its end comes here first: a session that starts anew on that word is not to find it open. */
  heard(draft: Draft, input: RuntimeInput): void {
    if (input.kind === 'agent' || input.kind === 'runtime-ready') return;
    this.how.failed ||= isFailure(input, this.#over);
    this.begin(draft);
  }
}
