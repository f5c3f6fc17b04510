/**
 * What to do about an error for which its own place says nothing closer: no refusal leaves without a next step.
 * Knows no route and no single error, only codes.
 */
import type { ErrorCode } from '../protocol/index.ts';

const FIXES: Partial<Record<ErrorCode, string>> = {
  bad_request: 'Change what is named; GET /openapi.json says what each request takes.',
  not_found: 'See what there is: GET /v1/sessions lists sessions, GET /openapi.json every route.',
  no_turn: 'Nothing is left to end; GET /v1/sessions/{id}/turns says how each turn ended.',
  already_resolved: 'Nothing is left to answer: the first answer holds.',
  session_closed: 'Create a new session.',
  agent_session_in_use: 'End the process that has it, or start a new session.',
  cursor_ahead: 'Read again from the start.',
  pruned: 'Read on behind it.',
  too_large: 'Send less.',
  agent_unavailable: 'Run `pilotlight doctor`.',
};

/** For the rest nobody outside can do more than look. */
const LOOK = 'Try again; `pilotlight logs` and `pilotlight doctor` may say more.';

export function fixOf(code: ErrorCode): string {
  return FIXES[code] ?? LOOK;
}
