/**
 * Another mode or model for the process that runs, by control requests. Claude goes by a mode at once, also in a turn, and by a model from its next
 * request on.
 * Owns what it was told last and what of that it has not answered. Knows nothing of what becomes of a refusal. Pure.
 */
import type { AgentCommand } from '../../session/ports.ts';
import type { AgentSettings } from '../dialect.ts';
import { bounded } from '../text.ts';
import { recordOf, stringOf, type Line } from './messages.ts';
import { BOUNDS, change, write, type ClaudeState, type Work } from './state.ts';

/** In Claude's words. It has no mode that only reads: a plan, and the rules that are judged besides. */
export const PERMISSION_MODES: Readonly<Record<AgentSettings['mode'], string>> = {
  default: 'default',
  acceptEdits: 'acceptEdits',
  plan: 'plan',
  readOnly: 'plan',
  bypass: 'bypassPermissions',
};

/** What a process that is started with these goes by. Only one that was started to bypass permissions can be told to. */
export function toldAtStart({ mode, model }: AgentSettings): NonNullable<ClaudeState['told']> {
  return {
    mode: PERMISSION_MODES[mode],
    model: model?.slice(0, BOUNDS.model) ?? null,
    bypass: mode === 'bypass',
  };
}

export function tell(work: Work, wanted: Extract<AgentCommand, { kind: 'settings' }>): void {
  const { told, tuning } = work.state;
  const mode = PERMISSION_MODES[wanted.mode];
  const model = wanted.model ?? told?.model ?? null;
  const no = told === null ? UNKNOWN : wanted.mode === 'bypass' && !told.bypass ? NO_BYPASS : undefined;
  if (no !== undefined || told === null) return refuse(work, no ?? UNKNOWN);
  if (tuning.length + 2 > BOUNDS.tuning) return refuse(work, 'Claude has not answered earlier changes');
  change(work, { told: { ...told, mode, model } });
  if (mode !== told.mode) put(work, { subtype: 'set_permission_mode', mode });
  if (model !== null && model !== told.model) put(work, { subtype: 'set_model', model });
  settle(work);
}

/** Says whether the answer was to one of these. */
export function settingsResponse(work: Work, response: Line): boolean {
  const id = stringOf(response['request_id']) ?? '';
  const { tuning } = work.state;
  if (!id.startsWith(SETTINGS)) return false;
  if (!tuning.includes(id)) return true;
  change(work, { tuning: tuning.filter((open) => open !== id) });
  if (response['subtype'] !== 'error') settle(work);
  else refuse(work, `Claude says: ${stringOf(response['error']) ?? words(response)}`);
  return true;
}

export function settingsId(id: number): string {
  return `${SETTINGS}${String(id)}`;
}

const SETTINGS = 'settings-';
const UNKNOWN = 'What its process was started with is not known to this version';
const NO_BYPASS = 'Claude bypasses permissions only where it was started to';

function put(work: Work, body: { subtype: string; mode: string } | { subtype: string; model: string }): void {
  write(work, 'settings', (id) => {
    change(work, { tuning: [...work.state.tuning, settingsId(id)] });
    return { id, body };
  });
}

function settle(work: Work): void {
  if (work.state.tuning.length === 0) work.signals.push({ kind: 'settings', how: 'taken' });
}

function refuse(work: Work, message: string): void {
  work.signals.push({ kind: 'settings', how: 'refused', message: bounded(message, BOUNDS.message) });
}

function words(response: Line): string {
  return stringOf(recordOf(response['error'])['message']) ?? 'no reason given';
}
