/** Lists of sessions, as the API pages them. */
import type { SessionView } from '../protocol/index.ts';
import type { Journal, SessionRecord } from '../session/ports.ts';
import type { Page } from './face.ts';

interface ListFilter {
  readonly state?: string;
  readonly limit?: number;
  readonly after?: string;
}

/** One page of sessions in order of birth. A filter by state reads on until the page is full or the list ends. */
export function listSessions(
  journal: Journal,
  filter: ListFilter,
  view: (record: SessionRecord) => SessionView,
): Page<SessionView> {
  const limit = Math.max(1, Math.min(filter.limit ?? 100, 1000));
  const closed = filter.state === undefined ? undefined : filter.state === 'closed';
  const items: SessionView[] = [];
  let after = filter.after;
  for (;;) {
    const records = journal.sessions({
      limit: limit + 1,
      ...(closed === undefined ? {} : { closed }),
      ...(after === undefined ? {} : { after }),
    });
    for (const record of records.slice(0, limit)) {
      const item = view(record);
      after = record.id;
      if (filter.state !== undefined && item.state !== filter.state) continue;
      items.push(item);
      if (items.length === limit) break;
    }
    const last = records.at(-1);
    if (last === undefined || last.id === after) return { items };
    if (items.length === limit) return { items, ...(after === undefined ? {} : { next: after }) };
  }
}
