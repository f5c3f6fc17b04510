/**
 * The end of a turn: whose it is and how it ended.
 * Owns the judgement: by `is_error` and the terminal reason, never by the subtype (an API failure is a "success"). Results are not one to
 * one with messages: several may share one, background tasks have their own, old versions send spurious ones. Pure.
 */
import { uuidOf, type TurnFailureCode } from '../../protocol/index.ts';
import type { TurnOutcome } from '../../session/ports.ts';
import { bounded } from '../text.ts';
import { listOf, namedIn, numberOf, recordOf, stringOf, textOf, type Line } from './messages.ts';
import { BOUNDS, change, type ClaudeState, type Work } from './state.ts';
import { endTurn } from './turn.ts';
import { conversationUsage, costsOf, totalCost } from './usage.ts';

export function translateResult(work: Work, line: Line): void {
  const whose = whoseResult(work.state, line);
  const costs = costsOf(work.state, line);
  const outcome = outcomeOf(work.state, line);
  const usage = conversationUsage(work.state, line);
  change(work, { cost: totalCost(work.state, line) });
  if (whose === undefined) return loneResult(work, outcome);
  if (usage !== undefined) work.signals.push({ kind: 'usage', usage });
  endTurn(work, { ...whose, outcome, costs });
}

/** A line of type `error` fails the turn that is open. */
export function translateError(work: Work, line: Line): void {
  const message = bounded(
    textOf(line['error']) || textOf(line) || 'Claude reported an error',
    BOUNDS.message,
  );
  const outcome = { kind: 'failed', code: failureCode(work.state, line, message), message } as const;
  const turn = work.state.turns[0]?.turn;
  if (turn === undefined && !work.state.woken) return loneResult(work, outcome);
  endTurn(work, { turn, outcome, costs: {} });
}

interface Whose {
  readonly turn: string | undefined;
  readonly with?: readonly string[];
}

/** Undefined when no open turn can be meant. */
function whoseResult({ turns, woken, names }: ClaudeState, line: Line): Whose | undefined {
  const unasked: Whose | undefined = woken ? { turn: undefined } : undefined;
  const named = namedIn(line);
  const [first, ...others] = turns.filter(({ turn }) => named.includes(uuidOf(turn)));
  if (first !== undefined) {
    // Claude takes messages in order: an older one that is still open was swallowed (a uuid it knew already) and gets no result.
    const older = turns.slice(0, turns.indexOf(first));
    return { turn: first.turn, with: [...older, ...others].map(({ turn }) => turn) };
  }
  const origin = stringOf(recordOf(line['origin'])['kind']);
  if (named.length > 0 || (origin !== undefined && !ASKED.has(origin))) return unasked;
  const [oldest] = turns;
  // A version that names messages has named this one before its result: without a receipt the result is of something else.
  if (oldest === undefined || (names && !oldest.received)) return unasked;
  // A version that names none echoes a message when it takes it in: those echoed so far share this result.
  const shared = names ? [] : turns.slice(1).filter(({ received }) => received);
  return { turn: oldest.turn, with: shared.map(({ turn }) => turn) };
}

const ASKED: ReadonlySet<string> = new Set(['human', 'user']);

function loneResult(work: Work, outcome: TurnOutcome): void {
  const how = outcome.kind === 'failed' ? `failed: ${outcome.message}` : outcome.kind;
  const message = `Claude reported the end of a turn that is not open (${how})`;
  work.signals.push({ kind: 'notice', level: 'info', code: 'lone_result', message });
}

function outcomeOf(state: ClaudeState, line: Line): TurnOutcome {
  const reason = stringOf(line['terminal_reason']);
  const subtype = stringOf(line['subtype']);
  if (reason?.startsWith('aborted') === true) return { kind: 'interrupted' };
  if (reason === 'max_turns' || (reason === undefined && subtype === 'error_max_turns'))
    return { kind: 'completed', stopReason: 'max_turns' };
  if (line['is_error'] !== true) return completed(state, line);
  if (reason === undefined && state.stopping && state.error === null) return { kind: 'interrupted' };
  const message = messageOf(state, line);
  return { kind: 'failed', code: failureCode(state, line, message), message };
}

/** `result` repeats the last message; where none was sent on its own (local commands) it is all there is. */
function completed(state: ClaudeState, line: Line): TurnOutcome {
  const stop = stringOf(line['stop_reason']);
  const stopReason = stop === 'refusal' ? 'refusal' : stop === 'max_tokens' ? 'other' : 'end_turn';
  const text = state.said ? undefined : stringOf(line['result']);
  return { kind: 'completed', stopReason, ...(text === undefined ? {} : { text }) };
}

/** `result` is absent behind interrupts and errors of the CLI itself. */
function messageOf(state: ClaudeState, line: Line): string {
  const errors = listOf(line['errors']).map(textOf).join('; ');
  const message = stringOf(line['result']) ?? stringOf(errors) ?? state.error?.message;
  return bounded(message ?? 'Claude reported an error without words', BOUNDS.message);
}

function failureCode(state: ClaudeState, line: Line, message: string): TurnFailureCode {
  const reason = stringOf(line['terminal_reason']);
  const name = state.error?.name ?? stringOf(recordOf(line['error'])['type']) ?? '';
  const status = numberOf(line['api_error_status']) ?? statusIn(message);
  if (reason === 'prompt_too_long' || /prompt is too long/i.test(message)) return 'context_exceeded';
  if (status === 401 || status === 403 || name.startsWith('authentication')) return 'auth_failed';
  if (status === 429 || name.startsWith('rate_limit')) return 'rate_limited';
  if (reason === undefined && line['subtype'] === 'error_max_budget_usd') return 'limit_reached';
  const ofApi = reason === 'api_error' || reason === 'image_error' || status !== undefined || name !== '';
  return ofApi ? 'model_error' : 'agent_error';
}

/** Older versions say the status in words only. */
function statusIn(message: string): number | undefined {
  const status = /API Error:? (\d{3})\b/.exec(message)?.[1];
  return status === undefined ? undefined : Number(status);
}
