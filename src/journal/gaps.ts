/** Ranges that were removed. Neighbours are one gap: between two events there is never more than one. */
import { integer } from './rows.ts';
import type { Statements } from './statements.ts';

export interface Range {
  readonly from: number;
  readonly to: number;
  /** The cursor of the event at `to`. */
  readonly toCursor: number;
}

/** Contiguous seqs as ranges. */
export function rangesOf(events: readonly { readonly seq: number; readonly cursor: number }[]): Range[] {
  const ranges: Range[] = [];
  for (const { seq, cursor } of events) {
    const last = ranges.at(-1);
    if (last?.to === seq - 1) ranges[ranges.length - 1] = { from: last.from, to: seq, toCursor: cursor };
    else ranges.push({ from: seq, to: seq, toCursor: cursor });
  }
  return ranges;
}

/** Writes a range of which nothing is left, as one with what is gone inside it and beside it. Answers the seq at which that ends. */
export function addGap(statements: Statements, sid: number, range: Range): number {
  const left = statements.gapFromBefore.get(sid, range.from);
  const right = statements.gapFromBefore.get(sid, range.to + 1);
  const joinsLeft = left !== undefined && integer(left, 'to_seq') >= range.from - 1;
  const joinsRight = right !== undefined && integer(right, 'to_seq') > range.to;
  const from = joinsLeft ? integer(left, 'from_seq') : range.from;
  const to = joinsRight ? integer(right, 'to_seq') : range.to;
  const toCursor = joinsRight ? integer(right, 'to_cursor') : range.toCursor;
  statements.dropGaps.run(sid, from, to);
  statements.putGap.run(sid, from, to, toCursor, 'retention');
  return to;
}
