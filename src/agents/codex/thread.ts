/**
 * Notifications about our thread and its turns: begun, ended, errors, tokens, plans. Pure.
 */
import type { Envelope } from './messages.ts';
import {
  ErrorNotice,
  isRecord,
  PlanNotice,
  Rerouted,
  SettingsUpdated,
  TokenUsage,
  TurnNotice,
} from './messages.ts';
import { failureOf } from './errors.ts';
import { BOUNDS, changeTurn, cutText, type Work } from './state.ts';
import { finish, turnCompleted, turnOf, turnStarted } from './turn.ts';
import { minus, tokensOf, usageOf } from './usage.ts';

type Params = Envelope['params'];

/** Says whether the method is one of these. */
export function translateThread(work: Work, method: string, params: Params): boolean {
  const handler = HANDLERS.get(method);
  handler?.(work, params);
  return handler !== undefined;
}

const HANDLERS = new Map<string, (work: Work, params: Params) => void>([
  ['turn/started', (work, params) => turnStarted(work, TurnNotice.parse(params).turn.id)],
  ['turn/completed', (work, params) => turnCompleted(work, TurnNotice.parse(params).turn)],
  ['error', errorSeen],
  ['turn/plan/updated', planUpdated],
  ['thread/tokenUsage/updated', tokensUsed],
  ['thread/compacted', (work) => void work.signals.push({ kind: 'compacted', trigger: 'auto' })],
  ['thread/closed', threadClosed],
  ['thread/settings/updated', settingsUpdated],
  ['model/rerouted', rerouted],
]);

/** An error that is retried is progress, not failure; only `turn/completed` ends a turn. */
function errorSeen(work: Work, params: Params): void {
  const { error, willRetry } = ErrorNotice.parse(params);
  const turnId = isRecord(params) ? params['turnId'] : undefined;
  const index = typeof turnId === 'string' ? turnOf(work, turnId) : undefined;
  if (index === undefined && typeof turnId === 'string' && turnId !== '') return;
  const failure = failureOf(error);
  if (willRetry || index === undefined)
    work.signals.push({
      kind: 'notice',
      level: willRetry ? 'warning' : 'error',
      code: willRetry ? 'api_retry' : 'agent_error',
      message: failure.message,
    });
  if (index === undefined) return;
  changeTurn(work, index, willRetry ? { cut: 'retry' } : { failure });
}

function planUpdated(work: Work, params: Params): void {
  const turnId = isRecord(params) ? params['turnId'] : undefined;
  if (typeof turnId !== 'string' || turnOf(work, turnId) === undefined) return;
  const entries = PlanNotice.parse(params).plan.map(({ step, status }) => ({ text: step, status }));
  work.signals.push({ kind: 'plan', entries });
}

/** Also comes after a resume, for a turn that ended long ago: then it only says where the conversation stands. */
function tokensUsed(work: Work, params: Params): void {
  const { total: given, last, modelContextWindow } = TokenUsage.parse(params).tokenUsage;
  const total = tokensOf(given);
  const turnId = isRecord(params) ? params['turnId'] : undefined;
  const before = work.state.total;
  const index = typeof turnId === 'string' ? turnOf(work, turnId) : undefined;
  const turn = index === undefined ? undefined : work.state.turns[index];
  work.state = { ...work.state, total };
  if (index === undefined || turn === undefined) return;
  const request = before === null || total.total !== before.total ? 1 : 0;
  changeTurn(work, index, {
    base: turn.base ?? before ?? minus(total, tokensOf(last)),
    requests: turn.requests + request,
  });
  work.signals.push({ kind: 'usage', usage: usageOf(total, modelContextWindow) });
}

/** The thread was unloaded (or deleted by another client): nothing more comes of its turns. */
function threadClosed(work: Work): void {
  const message = 'Codex closed the conversation in the middle of the turn';
  while (work.state.turns.length > 0)
    finish(work, 0, { kind: 'failed', failure: { code: 'agent_error', message } });
}

function settingsUpdated(work: Work, params: Params): void {
  const { model } = SettingsUpdated.parse(params).threadSettings;
  if (model) work.state = { ...work.state, model: model.slice(0, BOUNDS.id) };
}

function rerouted(work: Work, params: Params): void {
  const { fromModel, toModel } = Rerouted.parse(params);
  work.state = { ...work.state, model: toModel.slice(0, BOUNDS.id) };
  const message = cutText(`The answer comes from ${toModel} instead of ${fromModel}`, BOUNDS.message);
  work.signals.push({ kind: 'notice', level: 'info', code: 'model_rerouted', message });
}
