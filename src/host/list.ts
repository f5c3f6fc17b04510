/** Lists of sessions and of leases, as the API pages them. */
import type { SessionView, StatusView } from '../protocol/index.ts';
import type { Journal, SessionRecord } from '../session/ports.ts';
import type { Session } from '../session/session.ts';
import type { Page } from './face.ts';
import type { HostedRuntime } from './ports.ts';

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

/** Every process that serves a session now, and why it may or may not be ended. */
export function leasesOf(
  sessions: readonly Session[],
  runtimes: ReadonlyMap<string, HostedRuntime>,
): StatusView['pool']['leases'] {
  return sessions.flatMap(({ id, state }) => {
    const { runtime: link, turn } = state;
    if (link.kind !== 'ready') return [];
    const rssMb = runtimes.get(link.id)?.rssMb;
    const idleMs = turn.kind === 'none' ? Math.max(0, Date.now() - Date.parse(state.lastActivityAt)) : 0;
    const lease = {
      runtime: link.id,
      sessions: [id],
      pid: link.pid,
      ...(rssMb === undefined ? {} : { rssMb }),
      idleMs,
      evictable: turn.kind === 'none',
      reason: turn.kind === 'none' ? 'idle' : 'a turn is open',
    };
    return [lease];
  });
}
