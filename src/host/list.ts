/** Lists of sessions, as the API pages them. */
import type { Page, SessionView, StatusView } from '../protocol/index.ts';
import type { Journal, SessionRecord } from '../session/ports.ts';
import type { SessionFilter } from './face.ts';
import type { Living } from './living.ts';
import type { HostPorts } from './ports.ts';

/** One page of sessions in order of birth. A filter by state reads on until the page is full or the list ends. */
export function listSessions(
  journal: Journal,
  filter: SessionFilter,
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

/** What `GET /v1/status` says. */
export async function statusOf(
  ports: Pick<HostPorts, 'describe' | 'journal'>,
  living: Pick<Living, 'sessions' | 'slots'>,
): Promise<StatusView> {
  const described = await ports.describe();
  const open = living.sessions.filter((session) => session.state.phase === 'open');
  return {
    ...described,
    pool: living.slots.status(),
    sessions: {
      open: ports.journal.openSessions(),
      working: open.filter((session) => session.state.turn.kind !== 'none').length,
    },
    journal: ports.journal.status(),
  };
}
