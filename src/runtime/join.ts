/** Neighbouring deltas that were read together become one: fewer events, the same text. Pure. */
import type { Told } from '../agents/dialect.ts';

export function joinDeltas(signals: readonly Told[]): Told[] {
  const joined: Told[] = [];
  for (const signal of signals) {
    const last = joined.at(-1);
    const merged = last === undefined ? undefined : merge(last, signal);
    if (merged === undefined) joined.push(signal);
    else joined[joined.length - 1] = merged;
  }
  return joined;
}

function merge(last: Told, next: Told): Told | undefined {
  if (last.to !== next.to) return undefined;
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
