/** Neighbouring deltas that were read together become one: fewer events, the same text. Pure. */
import type { AgentSignal } from '../session/ports.ts';

export function joinDeltas(signals: readonly AgentSignal[]): AgentSignal[] {
  const joined: AgentSignal[] = [];
  for (const signal of signals) {
    const last = joined.at(-1);
    const merged = last === undefined ? undefined : merge(last, signal);
    if (merged === undefined) joined.push(signal);
    else joined[joined.length - 1] = merged;
  }
  return joined;
}

function merge(last: AgentSignal, next: AgentSignal): AgentSignal | undefined {
  if (
    (last.kind === 'text' || last.kind === 'reasoning') &&
    next.kind === last.kind &&
    next.block === last.block
  )
    return { ...last, text: last.text + next.text };
  if (last.kind === 'tool-output' && next.kind === 'tool-output' && next.id === last.id)
    return { ...last, text: last.text + next.text };
  return undefined;
}
