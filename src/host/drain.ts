/** The end of every process: running turns may finish for a while, what waits behind them stays for the next daemon. */
import type { Living } from './living.ts';
import type { Quiet } from './quiet.ts';

/** Resolves when every process is gone and its end is in the journal, or when each of the two waits has taken its time. */
export async function endAll(
  quiet: Quiet,
  living: Pick<Living, 'sessions' | 'runtimes'>,
  { turnsMs, processesMs }: { readonly turnsMs: number; readonly processesMs: number },
): Promise<void> {
  await quiet.until(() => living.sessions.every(({ state }) => state.turn.kind === 'none'), turnsMs);
  const left = living.sessions.filter(
    ({ state }) => state.turn.kind !== 'none' || state.runtime.kind !== 'none',
  );
  await Promise.allSettled(
    left.map((session) => session.submit({ kind: 'retire', reason: 'shutdown', by: { kind: 'shutdown' } })),
  );
  await quiet.until(() => living.runtimes.length === 0, processesMs);
}
