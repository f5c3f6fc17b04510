/** What a session asks of the pool: its model, and whether its warm processes fail. Pure. */
import type { Asking } from '../pool/index.ts';
import { degradedAt } from '../session/degrade.ts';
import type { SessionSpec } from '../session/ports.ts';
import type { SessionState } from '../session/state.ts';

export function asking({ model }: Pick<SessionSpec, 'model'>): Asking {
  return model === undefined ? {} : { model };
}

export function askingOf(state: SessionState, now: number): Asking {
  const degraded = degradedAt(state, now);
  const reason = degraded === undefined ? undefined : `its warm process failed: ${degraded.reason}`;
  return { ...asking(state.spec), degraded: reason };
}
