/** What is answered, before it is bytes of a connection or a Response. Knows no route. */
import type { ServerResponse } from 'node:http';
import type { EventStream } from './stream.ts';

export interface Answer {
  readonly status: number;
  /** By name in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | EventStream;
}

export function json(value: unknown, status = 200, headers: Readonly<Record<string, string>> = {}): Answer {
  return {
    status,
    headers: { 'content-type': 'application/json', 'cache-control': 'no-store', ...headers },
    body: JSON.stringify(value),
  };
}

export function responseOf({ status, headers, body }: Answer): Response {
  const bytes = body === undefined || typeof body === 'string' ? body : body.readable();
  return new Response(bytes ?? null, { status, headers });
}

/** Straight into the connection: the making of a Response and the reading of its stream take longer than all else that an answer does. */
export function send({ status, headers, body }: Answer, into: ServerResponse): void {
  if (body === undefined || typeof body === 'string') {
    const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) };
    into.writeHead(status, { ...headers, ...length });
    into.end(body);
    return;
  }
  into.writeHead(status, headers);
  into.flushHeaders();
  void body.pour(into);
}
