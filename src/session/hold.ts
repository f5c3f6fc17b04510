/**
 * Why the process of a session may not be taken away from it, in words (P7). Pure: follows from the state alone.
 * Knows nothing of the pool that asks.
 */
import type { SessionState } from './state.ts';

export interface Hold {
  readonly kind: 'starting' | 'ending' | 'turn' | 'permission' | 'queued' | 'background';
  readonly words: string;
}

/** Undefined when the process is idle. A session without a process holds nothing. */
export function holdOf(state: SessionState): Hold | undefined {
  const { runtime, turn } = state;
  if (runtime.kind === 'starting') return { kind: 'starting', words: 'it is being started' };
  if (runtime.kind === 'ending') return { kind: 'ending', words: 'it is being ended' };
  if (state.asks.length > 0) return { kind: 'permission', words: 'a permission request is open' };
  if (turn.kind === 'running') return { kind: 'turn', words: 'a turn is open' };
  if (turn.kind === 'queued') return { kind: 'queued', words: 'a message is queued' };
  if (state.queue.length > 0) return { kind: 'queued', words: 'a message is queued' };
  const tasks = runtime.kind === 'ready' ? (runtime.tasks ?? 0) : 0;
  if (tasks === 0) return undefined;
  return {
    kind: 'background',
    words: tasks === 1 ? 'a background task runs' : `${String(tasks)} background tasks run`,
  };
}
