/** Server-sent events as text, and pages of events as JSON: both from the stored text of each event, which is never parsed again. */
import type { Host } from '../host/index.ts';

export type EventPage = ReturnType<Host['events']>;
export type Followed = ReturnType<Host['follow']> extends AsyncIterable<readonly (infer F)[]> ? F : never;

/** Which numbers a stream speaks in: the seqs of one session, or global cursors. */
export type Numbering = 'seq' | 'cursor';

export const PING = ': ping\n\n';

/** JSON text has no raw line break, so that one `data:` line always holds it. */
export function frameOf(item: Followed, numbering: Numbering, epoch: string): string {
  switch (item.kind) {
    case 'event': {
      const { event } = item;
      const id = numbering === 'seq' ? event.seq : event.cursor;
      return `id: ${String(id)}\nevent: ${event.type}\ndata: ${event.json}\n\n`;
    }
    case 'gap': {
      const id = numbering === 'seq' ? item.gap.to : item.cursor;
      return `id: ${String(id)}\nevent: stream.gap\ndata: ${JSON.stringify(gapView(item.gap, numbering))}\n\n`;
    }
    case 'live':
      return `event: stream.ready\ndata: ${JSON.stringify({ epoch, through: item.through })}\n\n`;
    case 'reset':
      return `event: stream.reset\ndata: ${JSON.stringify({ epoch, lastSeq: item.lastSeq })}\n\n`;
  }
}

/** `{events, next?, through, gaps}` as JSON text. */
export function pageText(page: EventPage, numbering: Numbering): string {
  const events = page.events.map((event) => event.json).join(',');
  const next = page.next === undefined ? '' : `"next":${String(page.next)},`;
  const gaps = JSON.stringify(page.gaps.map((gap) => gapView(gap, numbering)));
  return `{"events":[${events}],${next}"through":${String(page.through)},"gaps":${gaps}}`;
}

function gapView(gap: EventPage['gaps'][number], numbering: Numbering): Readonly<Record<string, unknown>> {
  const { from, to, reason } = gap;
  return numbering === 'seq' ? { from, to, reason } : { session: gap.session, from, to, reason };
}
