/**
 * Why a turn failed, in the codes of the public interface, from what Codex says of it.
 * Owns the table. Knows nothing of turns. Pure.
 */
import { isRecord, type RpcError, type TurnError } from './messages.ts';
import { BOUNDS, cutText, type Failure } from './state.ts';

export function failureOf(error: TurnError): Failure {
  const message = cutText(readable(error), BOUNDS.message);
  return { code: codeOf(error), message };
}

const BY_NAME: Readonly<Record<string, Failure['code']>> = {
  unauthorized: 'auth_failed',
  usageLimitExceeded: 'rate_limited',
  rateLimitExceeded: 'rate_limited',
  sessionBudgetExceeded: 'limit_reached',
  contextWindowExceeded: 'context_exceeded',
  internalServerError: 'model_error',
  serverOverloaded: 'model_error',
  flexUnavailable: 'model_error',
  policyCapacityUnavailable: 'model_error',
  modelNotFound: 'model_error',
  httpConnectionFailed: 'model_error',
  responseStreamConnectionFailed: 'model_error',
  responseStreamDisconnected: 'model_error',
  responseTooManyFailedAttempts: 'model_error',
};

/** `codexErrorInfo` is a name, or a name with an object that may hold the HTTP status of the model's answer; the status says more. */
function codeOf(error: TurnError): Failure['code'] {
  const info = error.codexErrorInfo;
  if (isRecord(info)) {
    const [name, detail] = Object.entries(info)[0] ?? [''];
    const status = isRecord(detail) ? detail['httpStatusCode'] : undefined;
    if (status === 401 || status === 403) return 'auth_failed';
    if (status === 429) return 'rate_limited';
    return BY_NAME[name] ?? 'agent_error';
  }
  const known = typeof info === 'string' ? BY_NAME[info] : undefined;
  if (known !== undefined) return known;
  // Cut, reset and silent streams and a missing key all end as "other": only their words tell them apart (seen on 0.169.0).
  if (error.message.startsWith('stream disconnected before completion')) return 'model_error';
  if (error.message.startsWith('Missing environment variable')) return 'auth_failed';
  return 'agent_error';
}

/** A refused request carries the provider's JSON as its message: the sentence inside is what a person needs. */
function readable(error: TurnError): string {
  const inner = innerMessage(error.message);
  const details = error.additionalDetails ?? '';
  const said = inner === '' ? 'Codex gave no reason' : inner;
  return details === '' || details === said ? said : `${said} (${details})`;
}

function innerMessage(message: string): string {
  if (!message.startsWith('{')) return message;
  try {
    const parsed: unknown = JSON.parse(message);
    const error = isRecord(parsed) ? parsed['error'] : undefined;
    const inner = isRecord(error) ? error['message'] : undefined;
    return typeof inner === 'string' && inner !== '' ? inner : message;
  } catch {
    return message;
  }
}

/** The server is busy and asks for the same request again. */
export const OVERLOADED = -32001;

/** Why Codex did not take a prompt. */
export function refusalOf(error: RpcError): Failure {
  return { code: 'agent_error', message: cutText(refusalText(error), BOUNDS.message) };
}

function refusalText(error: RpcError): string {
  if (error.data?.input_error_code === 'input_too_large') {
    const most = error.data.max_chars ?? 1_048_576;
    return `The message is too long for Codex: at most ${most} characters (${error.message})`;
  }
  if (error.message.startsWith('thread not found'))
    return `Codex no longer has the conversation loaded (${error.message})`;
  if (error.code === OVERLOADED) return `Codex is overloaded and did not take the message (${error.message})`;
  return `Codex did not take the message: ${error.message}`;
}
