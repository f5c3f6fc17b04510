/** Query parameters and the headers that stand for them. */
import { PilotlightError, SessionState } from '../protocol/index.ts';

const MOST_ITEMS = 1000;
const DEFAULT_ITEMS = 100;

/** Throws for a parameter that this route does not take, and for one that is given twice: it would be passed over. */
export function refuseOthers(query: URLSearchParams, known: readonly string[]): void {
  const names = [...new Set(query.keys())];
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length > 0)
    throw new PilotlightError('unknown_field', `Not known in the query: ${unknown.join(', ')}`, {
      fix: `Leave it out: this route takes ${known.length === 0 ? 'nothing' : known.join(', ')}.`,
      detail: { fields: unknown },
    });
  const twice = names.find((name) => query.getAll(name).length > 1);
  if (twice !== undefined)
    throw new PilotlightError('bad_request', `${twice} is given twice`, {
      detail: { errors: [{ path: twice, message: 'once' }] },
    });
}

/** `limit`: 1 to 1000, default 100. */
export function limitOf(query: URLSearchParams): number {
  const text = query.get('limit');
  if (text === null) return DEFAULT_ITEMS;
  const limit = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (limit < 1 || limit > MOST_ITEMS)
    throw new PilotlightError('bad_request', `limit must be a whole number from 1 to ${String(MOST_ITEMS)}`, {
      detail: { errors: [{ path: 'limit', message: `1 to ${String(MOST_ITEMS)}` }] },
    });
  return limit;
}

/** `after` of a list: the id that ended the page before. */
export function afterIdOf(query: URLSearchParams): { readonly after?: string } {
  const after = query.get('after');
  if (after === null) return {};
  if (!/^[\w-]{1,200}$/.test(after))
    throw new PilotlightError('bad_request', 'after must be the `next` of a page', {
      detail: { errors: [{ path: 'after', message: 'the `next` of a page' }] },
    });
  return { after };
}

/** A position in events: `Last-Event-ID` (where it counts) wins over `after`; 0 without both. */
export function cursorOf(query: URLSearchParams, lastEventId: string | null): number {
  const after = positionOf('after', query.get('after'));
  return positionOf('Last-Event-ID', lastEventId) ?? after ?? 0;
}

function positionOf(name: string, text: string | null): number | undefined {
  if (text === null) return undefined;
  const position = /^\d{1,16}$/.test(text) ? Number(text) : NaN;
  if (!Number.isSafeInteger(position))
    throw new PilotlightError('bad_request', `${name} must be a whole number from 0`, {
      detail: { errors: [{ path: name, message: 'a whole number from 0' }] },
    });
  return position;
}

/** `state` of the list of sessions. */
export function stateOf(query: URLSearchParams): { readonly state?: string } {
  const text = query.get('state');
  if (text === null) return {};
  const state = SessionState.safeParse(text);
  if (!state.success)
    throw new PilotlightError('bad_request', `state must be one of ${SessionState.options.join(', ')}`, {
      detail: { errors: [{ path: 'state', message: SessionState.options.join(', ') }] },
    });
  return { state: state.data };
}
