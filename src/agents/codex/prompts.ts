/** Messages as `turn/start`: at the head, or into the turn that runs. Pure. */
import { BOUNDS, NEW_TURN, pushed, write, type Work } from './state.ts';

/** Those that waited for the turn to be seen running. */
export function writeSteers(work: Work): void {
  const { waiting, turns } = work.state;
  if (waiting.length === 0 || !turns.some((turn) => turn.started)) return;
  work.state = { ...work.state, waiting: [] };
  for (const turn of waiting) {
    work.state = { ...work.state, turns: [...work.state.turns, { ...NEW_TURN, turn }] };
    writePrompt(work, turn, 0);
    work.signals.push({ kind: 'steer', turn, how: 'written' });
  }
}

export function writePrompt(work: Work, turn: string, tries: number): void {
  const { thread, model, effort, plan } = work.state;
  const id = write(work, 'turn/start', (id) => ({
    id,
    thread,
    turn,
    ...(plan && model !== null ? { plan: { model, effort } } : {}),
  }));
  work.state = {
    ...work.state,
    pending: pushed(work.state.pending, { id, for: 'prompt', turn, tries }, BOUNDS.pending),
  };
}
