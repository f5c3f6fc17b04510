/**
 * The one error class of Pilotlight and the closed table of its codes.
 * Owns: which HTTP status, exit code and retry advice belong to a code. Knows nothing of HTTP or terminals.
 */

/** Advice for a caller: `no` (the same call will fail again), `later` (wait, then again), `after-fix` (change something first). */
export type RetryAdvice = 'no' | 'later' | 'after-fix';

interface ErrorRow {
  readonly status: number;
  readonly exit: number;
  readonly retry: RetryAdvice;
  readonly title: string;
}

// oxlint-disable-next-line eslint/max-params -- a row of a table
const row = (status: number, exit: number, retry: RetryAdvice, title: string): ErrorRow => ({
  status,
  exit,
  retry,
  title,
});

/** code → HTTP status, CLI exit code, retry advice, title. Codes are those of the public interface. */
export const ERROR_TABLE = {
  bad_request: row(400, 2, 'after-fix', 'The request is not valid'),
  unknown_field: row(400, 2, 'after-fix', 'The request has a field that is not known'),
  unauthorized: row(401, 1, 'after-fix', 'A valid token is needed'),
  forbidden_origin: row(403, 1, 'no', 'Requests from this origin are refused'),
  forbidden_host: row(403, 1, 'no', 'Requests for this host name are refused'),
  scope: row(403, 1, 'no', 'The token does not allow this'),
  not_found: row(404, 4, 'no', 'There is no such thing'),
  turn_in_progress: row(409, 5, 'later', 'A turn is running'),
  no_turn: row(409, 5, 'no', 'No turn is running'),
  already_resolved: row(409, 5, 'no', 'Somebody answered already'),
  session_closed: row(409, 5, 'no', 'The session is closed'),
  agent_session_in_use: row(409, 5, 'after-fix', 'Another process owns this agent session'),
  cursor_ahead: row(410, 1, 'after-fix', 'The cursor is beyond the end of the journal'),
  pruned: row(410, 1, 'no', 'Retention has removed this'),
  too_large: row(413, 2, 'after-fix', 'The request is too large'),
  unsupported_type: row(415, 2, 'after-fix', 'The content type is not supported'),
  unknown_agent: row(422, 2, 'after-fix', 'There is no agent of this name'),
  bad_cwd: row(422, 2, 'after-fix', 'The working directory cannot be used'),
  agent_unavailable: row(422, 1, 'after-fix', 'The agent is not installed or does not start'),
  idempotency_mismatch: row(422, 2, 'no', 'This idempotency key was used with another request'),
  unsupported: row(422, 2, 'no', 'This is not supported'),
  limit: row(429, 1, 'later', 'A limit is reached'),
  internal: row(500, 1, 'later', 'Something went wrong inside Pilotlight'),
  starting: row(503, 1, 'later', 'The daemon is starting'),
  draining: row(503, 1, 'later', 'The daemon is stopping'),
  pool_full: row(503, 1, 'later', 'Every slot of the pool is taken'),
  journal_full: row(507, 1, 'after-fix', 'The disk is full'),
  // Below: never sent by the API as such; used between the parts and by the CLI.
  no_daemon: row(503, 3, 'after-fix', 'No daemon answers'),
  journal_locked: row(503, 1, 'after-fix', 'Another process holds the journal'),
  journal_unusable: row(500, 1, 'after-fix', 'The journal cannot be used'),
  port_in_use: row(503, 1, 'after-fix', 'Another process has the port'),
  keyring_unavailable: row(500, 1, 'after-fix', 'The keyring of the system cannot be used'),
  spawn_failed: row(500, 1, 'after-fix', 'A process could not be started'),
  keeper_lost: row(500, 1, 'later', 'The keeper is gone'),
  protocol: row(500, 1, 'no', 'A peer broke the protocol'),
  timeout: row(504, 1, 'later', 'It took too long'),
  aborted: row(499, 130, 'no', 'It was cancelled'),
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof ERROR_TABLE;

export interface ErrorOptions {
  /** What a person can do about it, one sentence. */
  readonly fix?: string;
  /** Facts for programs: pid, path, field names. Never a secret. */
  readonly detail?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

/** An error with a code of {@link ERROR_TABLE}. `message` says what happened to what; `fix` what to do. */
export class PilotlightError extends Error {
  override readonly name = 'PilotlightError';
  readonly code: ErrorCode;
  readonly fix: string | undefined;
  readonly detail: Readonly<Record<string, unknown>> | undefined;

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.fix = options.fix;
    this.detail = options.detail;
  }

  get status(): number {
    return ERROR_TABLE[this.code].status;
  }

  get exitCode(): number {
    return ERROR_TABLE[this.code].exit;
  }
}

/** The text of anything that was thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** Where one text is all there is: what happened, and what to do about it. */
export function wordsOf(thrown: unknown): string {
  const fix = thrown instanceof PilotlightError ? thrown.fix : undefined;
  return fix === undefined ? messageOf(thrown) : `${messageOf(thrown)}. ${fix}`;
}
