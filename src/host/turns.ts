/** Turns as they are read: a page of them, one. */
import { PilotlightError, type Page, type PageOptions, type TurnView } from '../protocol/index.ts';
import type { Journal } from '../session/ports.ts';

const MAX_PAGE = 1000;

/** In order of birth. */
export function turnsPage(
  journal: Pick<Journal, 'turns'>,
  session: string,
  filter: PageOptions,
): Page<TurnView> {
  const { limit: most = 100, after } = filter;
  const limit = Math.min(most, MAX_PAGE);
  const items = journal.turns(session, { limit: limit + 1, ...(after === undefined ? {} : { after }) });
  const more = items.length > limit;
  const page = more ? items.slice(0, limit) : items;
  const last = page.at(-1);
  return { items: page, ...(more && last !== undefined ? { next: last.id } : {}) };
}

/** Throws `not_found`. */
export function turnOf(journal: Pick<Journal, 'turn'>, session: string, turn: string): TurnView {
  const found = journal.turn(turn);
  if (found?.sessionId !== session)
    throw new PilotlightError('not_found', `Session ${session} has no turn ${turn}`);
  return found;
}

/** Throws `no_turn` for one that has its ending. */
export function mustBeOpen(turn: TurnView): void {
  if (turn.endedAt !== undefined)
    throw new PilotlightError('no_turn', `Turn ${turn.id} has ended (${turn.state})`);
}
