/**
 * Errors as the API says them: RFC 9457 `application/problem+json`.
 * Owns which errors of the table may leave the house; what else is thrown is `internal`. Knows no route.
 */
import { ERROR_TABLE, messageOf, PilotlightError, type ErrorCode } from '../protocol/index.ts';
import { json, type Answer } from './answer.ts';
import { fixOf } from './fixes.ts';

/** Codes of the table that are between our own parts and mean nothing to a client of the API. */
const INWARD: ReadonlySet<ErrorCode> = new Set([
  'no_daemon',
  'journal_locked',
  'journal_unusable',
  'port_in_use',
  'spawn_failed',
  'keeper_lost',
  'protocol',
  'timeout',
  'aborted',
]);

const RETRY_AFTER_S = '1';

export interface ProblemOptions {
  /** Where HTTP has a closer status than the table (405). */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The answer for anything that was thrown. */
export function problemAnswer(thrown: unknown, options: ProblemOptions = {}): Answer {
  const problem = problemOf(thrown);
  const status = options.status ?? problem.status;
  return json({ ...problem, status }, status, {
    'content-type': 'application/problem+json',
    ...(status === 401 ? { 'www-authenticate': 'Bearer realm="pilotlight"' } : {}),
    ...(status === 503 || status === 429 ? { 'retry-after': RETRY_AFTER_S } : {}),
    ...options.headers,
  });
}

export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: ErrorCode;
  readonly fix: string;
  readonly [fact: string]: unknown;
}

/** Facts of the error stand beside the RFC's own fields and never replace them. */
export function problemOf(thrown: unknown): Problem {
  const error = publicError(thrown);
  const { code } = error;
  return {
    ...error.detail,
    type: `urn:pilotlight:problem:${code}`,
    title: ERROR_TABLE[code].title,
    status: error.status,
    detail: error.message,
    code,
    fix: error.fix ?? fixOf(code),
  };
}

function publicError(thrown: unknown): PilotlightError {
  if (!(thrown instanceof PilotlightError))
    return new PilotlightError('internal', 'Something unexpected happened; the log has it', {
      cause: messageOf(thrown),
    });
  if (!INWARD.has(thrown.code)) return thrown;
  const { message, fix } = thrown;
  return new PilotlightError('internal', message, { cause: thrown, ...(fix === undefined ? {} : { fix }) });
}
