/**
 * The routes under /control: gates and recorded requests for a test in another process.
 * Loopback only, and not for web pages: a page can neither name our host nor leave out its origin.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Gates } from './gates.ts';
import { bodyOf, sendJson } from './http.ts';
import { objectOf, parseJson, textOf } from './json.ts';
import type { RequestLog } from './request-log.ts';
import type { ModelRequest } from './script.ts';

export interface Controlled {
  readonly gates: Gates;
  readonly record: RequestLog;
}

export async function control(
  request: IncomingMessage,
  response: ServerResponse,
  { gates, record }: Controlled,
): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://127.0.0.1');
  if (!isLocal(request))
    return sendJson(response, 403, { error: 'Only from this machine, and not from a web page' });
  switch (`${request.method} ${url.pathname}`) {
    case 'POST /control/release': {
      const name = textOf(objectOf(parseJson((await bodyOf(request)).toString()))['name']);
      if (name === '') return sendJson(response, 400, { error: 'Send {"name": "<gate>"}' });
      gates.release(name);
      return sendJson(response, 200, { released: name });
    }
    case 'GET /control/gates':
      return sendJson(response, 200, { held: gates.held });
    case 'GET /control/requests': {
      const withBodies = url.searchParams.get('bodies') === '1';
      return sendJson(
        response,
        200,
        record.kept.map((one) => (withBodies ? one : withoutBody(one))),
      );
    }
    case 'DELETE /control/requests':
      record.clear();
      response.writeHead(204);
      response.end();
      return;
    default:
      return sendJson(response, 404, { error: 'No such control' });
  }
}

function withoutBody({ body: _body, userTexts: _texts, tools: _tools, ...rest }: ModelRequest): object {
  return rest;
}

function isLocal(request: IncomingMessage): boolean {
  const host = (request.headers.host ?? '').replace(/:\d+$/, '');
  return request.headers.origin === undefined && (host === '127.0.0.1' || host === 'localhost');
}
