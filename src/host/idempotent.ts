/**
 * A command with an idempotency key acts once: its answer is stored in the transaction that accepts it.
 * Refusals are not stored. Two at the same time: the second waits for the first.
 */
import { OneAtATime } from '../async/one-at-a-time.ts';
import { PilotlightError } from '../protocol/index.ts';
import type { Draft, Journal } from '../session/ports.ts';
import type { Answered, Caller } from './face.ts';

export interface Accepting<T> {
  readonly status: number;
  /** Decides in the draft and gives the answer, and the id with whose life the key is kept. */
  readonly decide: (draft: Draft) => { readonly answer: T; readonly keep: string };
  /** Checks a stored answer's shape. */
  readonly parse: (stored: unknown) => T;
}

export class Acceptance {
  readonly #journal: Journal;
  readonly #oneAtATime = new OneAtATime();

  constructor(journal: Journal) {
    this.#journal = journal;
  }

  /** Resolves when what was accepted is safe from a power cut too. */
  async run<T>(caller: Caller, accepting: Accepting<T>): Promise<Answered<T>> {
    const answered = await this.#once(caller, accepting);
    await this.#journal.onDisk();
    return answered;
  }

  async #once<T>(caller: Caller, accepting: Accepting<T>): Promise<Answered<T>> {
    const { idempotency } = caller;
    if (idempotency === undefined) return { value: await this.#accept(caller, accepting), replayed: false };
    const { scope, key, bodyHash } = idempotency;
    return this.#oneAtATime.run(`${scope}\n${key}`, async () => {
      const known = this.#journal.idempotency(scope, key);
      if (known === undefined) return { value: await this.#accept(caller, accepting), replayed: false };
      if (known.bodyHash !== bodyHash)
        throw new PilotlightError(
          'idempotency_mismatch',
          'This Idempotency-Key was used with another request',
          {
            fix: 'Use a new key for a new request.',
          },
        );
      return { value: accepting.parse(known.answer), replayed: true };
    });
  }

  #accept<T>(caller: Caller, accepting: Accepting<T>): Promise<T> {
    return this.#journal.commit((draft) => {
      const { answer, keep } = accepting.decide(draft);
      if (caller.idempotency !== undefined)
        draft.idempotency({ ...caller.idempotency, status: accepting.status, answer, keep });
      draft.syncToDisk();
      return answer;
    });
  }
}
