/**
 * A command with an idempotency key acts once: its answer is stored in the transaction that accepts it.
 * Refusals are not stored. Two at the same time: the second waits for the first.
 */
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
  readonly #underWay = new Map<string, Promise<unknown>>();

  constructor(journal: Journal) {
    this.#journal = journal;
  }

  async run<T>(caller: Caller, accepting: Accepting<T>): Promise<Answered<T>> {
    const { idempotency } = caller;
    if (idempotency === undefined) return { value: await this.#accept(caller, accepting), replayed: false };
    const name = `${idempotency.scope}\n${idempotency.key}`;
    for (;;) {
      const other = this.#underWay.get(name);
      if (other === undefined) break;
      await Promise.allSettled([other]);
    }
    const known = this.#journal.idempotency(idempotency.scope, idempotency.key);
    if (known !== undefined) {
      if (known.bodyHash !== idempotency.bodyHash)
        throw new PilotlightError(
          'idempotency_mismatch',
          'This Idempotency-Key was used with another request',
          {
            fix: 'Use a new key for a new request.',
          },
        );
      return { value: accepting.parse(known.answer), replayed: true };
    }
    const accepted = this.#accept(caller, accepting);
    this.#underWay.set(name, accepted);
    try {
      return { value: await accepted, replayed: false };
    } finally {
      this.#underWay.delete(name);
    }
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
