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
  const left = statements.gapEndingAt.get(sid, range.from - 1);
  const right = statements.gapStartingAt.get(sid, range.to + 1);
  const from = left === undefined ? range.from : integer(left, 'from_seq');
  const to = right === undefined ? range.to : integer(right, 'to_seq');
  const toCursor = right === undefined ? range.toCursor : integer(right, 'to_cursor');
  statements.dropGaps.run(sid, from, to);
  statements.putGap.run(sid, from, to, toCursor, 'retention');
  return to;
}
