/**
 * Another mode or model for the thread that is open: `thread/settings/update`, for its next turns; the one that runs goes on as it began.
 * Owns what it was told last, and which changes need a thread that is opened again. Knows nothing of what becomes of a refusal. Pure.
 */
import type { AgentCommand } from '../../session/ports.ts';
import type { AgentSettings, Json } from '../dialect.ts';
import type { ConfigView, RpcError } from './messages.ts';
import { isClosing, isConfigured, isPlain, turnSettings } from './settings.ts';
import { BOUNDS, cutText, pushed, write, type CodexState, type Work } from './state.ts';

/** What the turns of a thread that is opened with these go by. */
export function toldAtStart(settings: AgentSettings, seen: ConfigView | undefined): CodexState['told'] {
  const { mode, model, judged = false } = settings;
  const plain = isPlain(settings, seen);
  const closing = isClosing(settings, seen);
  return { mode, model: model?.slice(0, BOUNDS.id * 2) ?? null, judged, plain, closing };
}

export function tell(work: Work, wanted: Extract<AgentCommand, { kind: 'settings' }>): void {
  const { told, pending } = work.state;
  if (told === null) return refuse(work, 'What its process was started with is not known to this version');
  const moves = wanted.mode !== told.mode;
  if (moves && isConfigured(wanted.mode) && !told.plain)
    return refuse(work, 'Codex is configured with a sandbox of its own, which only a start gives again');
  if (pending.length >= BOUNDS.pending) return refuse(work, 'Codex has not answered earlier requests');
  const model = wanted.model ?? told.model;
  const settings: Record<string, Json> = {
    ...(moves ? turnSettings(wanted.mode, told) : {}),
    ...(model !== null && model !== told.model ? { model } : {}),
  };
  const { state } = work;
  const current = 'model' in settings ? model : state.model;
  // Entering it goes with each prompt; it stays until another is named.
  if (told.mode === 'plan' && moves) {
    if (current === null) return refuse(work, 'Codex has not said which model a plan was made with');
    settings['collaborationMode'] = {
      mode: 'default',
      settings: { model: current, reasoning_effort: state.effort, developer_instructions: null },
    };
  }
  work.state = {
    ...state,
    model: current,
    plan: wanted.mode === 'plan',
    told: { ...told, mode: wanted.mode, model },
  };
  if (Object.keys(settings).length > 0) put(work, settings);
  settle(work);
}

export function settingsAnswered(work: Work, error: RpcError | undefined): void {
  if (error === undefined) settle(work);
  else refuse(work, `Codex says: ${error.message}`);
}

function put(work: Work, settings: Readonly<Record<string, Json>>): void {
  const { thread } = work.state;
  const id = write(work, 'thread/settings/update', (id) => ({ id, thread, settings }));
  const pending = pushed(work.state.pending, { id, for: 'settings' as const }, BOUNDS.pending);
  work.state = { ...work.state, pending };
}

function settle(work: Work): void {
  if (!work.state.pending.some((open) => open.for === 'settings'))
    work.signals.push({ kind: 'settings', how: 'taken' });
}

function refuse(work: Work, message: string): void {
  work.signals.push({ kind: 'settings', how: 'refused', message: cutText(message, BOUNDS.message) });
}
