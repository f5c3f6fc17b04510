/**
 * The answer to what never became a request: no HTTP, too large a head, too late, asking for what is not spoken here. Knows nothing of connections.
 */
import { PilotlightError } from '../protocol/index.ts';
import { problemOf } from './problem.ts';

interface Reason {
  readonly status: number;
  readonly phrase: string;
  readonly error: PilotlightError;
}

/** A whole HTTP answer, the last of its connection. `code`: Node's of a `clientError`, or what was asked for. */
export function unreadable(code: unknown): string {
  const { status, phrase, error: said } = reasonOf(code);
  const text = JSON.stringify({ ...problemOf(said), status });
  const head = [
    `HTTP/1.1 ${String(status)} ${phrase}`,
    'Content-Type: application/problem+json',
    'X-Content-Type-Options: nosniff',
    `Content-Length: ${String(Buffer.byteLength(text))}`,
    'Connection: close',
  ];
  return `${head.join('\r\n')}\r\n\r\n${text}`;
}

function reasonOf(code: unknown): Reason {
  switch (code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return {
        status: 408,
        phrase: 'Request Timeout',
        error: new PilotlightError('bad_request', 'The request was not here in time', {
          fix: 'Send it at once.',
        }),
      };
    case 'HPE_HEADER_OVERFLOW':
      return {
        status: 431,
        phrase: 'Request Header Fields Too Large',
        error: new PilotlightError('too_large', 'The headers are too large'),
      };
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return {
        status: 413,
        phrase: 'Content Too Large',
        error: new PilotlightError('too_large', 'The chunks of the body have too large extensions'),
      };
    case 'CONNECT':
      return {
        status: 405,
        phrase: 'Method Not Allowed',
        error: new PilotlightError('bad_request', 'Nothing is passed on to other addresses here', {
          fix: 'Ask for a path of this server; it is no proxy.',
        }),
      };
    case 'EXPECT':
      return {
        status: 417,
        phrase: 'Expectation Failed',
        error: new PilotlightError('bad_request', 'This Expect header is not known', {
          fix: 'Leave it out; 100-continue is the only one there is.',
        }),
      };
    default:
      return {
        status: 400,
        phrase: 'Bad Request',
        error: new PilotlightError('bad_request', 'This cannot be read as HTTP'),
      };
  }
}
