/** How many sessions may be open. Counts those of this turn of the event loop too, which the journal does not know yet. */
import { PilotlightError } from '../protocol/index.ts';
import type { Draft, Journal } from '../session/ports.ts';

export class Admission {
  readonly #journal: Pick<Journal, 'openSessions'>;
  readonly #most: number;
  #unborn = 0;

  constructor(journal: Pick<Journal, 'openSessions'>, most: number) {
    this.#journal = journal;
    this.#most = most;
  }

  /** One more session in this draft. Throws `limit`. */
  enter(draft: Draft): void {
    const open = this.#journal.openSessions() + this.#unborn;
    if (open >= this.#most)
      throw new PilotlightError('limit', `${String(open)} sessions are open`, {
        fix: 'Close some (`pilotlight ls`, `pilotlight close ID`), or raise limits.sessions in config.toml.',
        detail: { most: this.#most },
      });
    this.#unborn += 1;
    const settled = (): void => {
      this.#unborn -= 1;
    };
    draft.afterCommit(settled);
    draft.onRollback(settled);
  }
}
