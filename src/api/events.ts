/** The event routes: one page as JSON, or replay and then live as SSE, by `Accept`. */
import type { Host } from '../host/index.ts';
import type { Answer } from './answer.ts';
import { Places } from './limits.ts';
import { pageText, type Numbering } from './frames.ts';
import { cursorOf, limitOf } from './query.ts';
import { param, type Call, type QueryDoc, type Route, type RouteDoc } from './route.ts';
import { EventStream } from './stream.ts';

export interface EventPorts {
  readonly pingMs: number;
  readonly mostStreams: number;
  readonly mostStreamsEach: number;
  /** A stream could not go on; the client comes back by itself. */
  readonly report: (call: Call, error: unknown) => void;
}

const QUERY: readonly QueryDoc[] = [
  { name: 'after', type: 'integer', description: 'events behind this position; 0 is the start' },
  { name: 'limit', type: 'integer', description: '1 to 1000, default 100; of JSON pages only' },
];

export function eventRoutes(ports: EventPorts): readonly Route[] {
  const places = new Places({
    most: ports.mostStreams,
    mostEach: ports.mostStreamsEach,
    what: 'event streams are open',
    fix: 'Close some; one stream of /v1/events carries every session.',
  });
  const answer = (call: Call, host: Host, session: string | undefined): Answer => {
    if (session !== undefined) host.get(session);
    return wantsStream(call.request) ? stream(call, host, session) : page(call, host, session);
  };

  function stream(call: Call, host: Host, session: string | undefined): Answer {
    const after = cursorOf(call.query, call.request.headers.get('last-event-id'));
    const { epoch } = host;
    if (call.request.method === 'HEAD') return { status: 200, headers: streamHeaders(epoch) };
    const leave = places.take(call.asker.id);
    const body = new EventStream({
      follow: (signal) => host.follow(session, after, signal),
      numbering: numberingOf(session),
      epoch,
      pingMs: ports.pingMs,
      signals: [call.request.signal, call.closing, call.asker.ended],
      cut: call.cut,
      onError: (error) => {
        ports.report(call, error);
      },
      onEnd: leave,
    });
    return { status: 200, headers: streamHeaders(epoch), body };
  }

  return [
    {
      method: 'get',
      path: '/v1/sessions/{id}/events',
      needs: 'host',
      doc: doc('Events of one session, contiguous by seq', ['not_found']),
      handle: (call, host) => answer(call, host, param(call, 'id')),
    },
    {
      method: 'get',
      path: '/v1/events',
      needs: 'host',
      doc: doc('Events of all sessions; SSE ids and `next` are global cursors', []),
      handle: (call, host) => answer(call, host, undefined),
    },
  ];
}

function page(call: Call, host: Host, session: string | undefined): Answer {
  const limit = limitOf(call.query);
  const after = cursorOf(call.query, null);
  const text = pageText(host.events(session, after, limit), numberingOf(session));
  return {
    status: 200,
    headers: {
      'content-type': 'application/json',
      'cache-control': 'no-store',
      'pilotlight-epoch': host.epoch,
    },
    body: text,
  };
}

function numberingOf(session: string | undefined): Numbering {
  return session === undefined ? 'cursor' : 'seq';
}

/**
 * `Pilotlight-Epoch` tells a client that comes back, before the first event, whether the journal's end may have been lost since.
 * An explicit chunked encoding makes the Node adapter send the headers before it has seen a byte of the body.
 */
function streamHeaders(epoch: string): Record<string, string> {
  return {
    'content-type': 'text/event-stream',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
    'pilotlight-epoch': epoch,
    'transfer-encoding': 'chunked',
  };
}

function wantsStream(request: Request): boolean {
  return (request.headers.get('accept') ?? '').split(',').some((range) => {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase());
    return type === 'text/event-stream' && !parameters.some((parameter) => /^q=0(?:\.0*)?$/.test(parameter));
  });
}

function doc(summary: string, errors: RouteDoc['errors']): RouteDoc {
  return {
    summary,
    query: QUERY,
    answer: { status: 200, schema: 'EventPage', stream: true },
    errors: ['bad_request', 'cursor_ahead', 'limit', ...errors],
  };
}
