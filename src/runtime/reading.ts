/**
 * What has been read of one child's stdout and what of it is in the journal: the queue of whole lines and the one offset.
 * Owns the counters of R27. Knows nothing of what the lines say.
 */
import { PilotlightError } from '../protocol/index.ts';
import { LineReader, type WireLine } from '../wire/lines.ts';

/** Lines of one commit at most: bounds the time the loop is held. */
const BATCH_LINES = 4000;
/** Inside a cut line the offset moves in steps of this many bytes, so that nothing has to be kept. */
const SKIP_STEP = 512 * 1024;

export interface Batch {
  readonly lines: readonly WireLine[];
  /** Where the next reader goes on once this batch is in the journal. */
  readonly offset: number;
  readonly skipping: boolean;
  /** Lines that were given up since the batch before. */
  readonly lost: number;
}

export class Reading {
  readonly #reader: LineReader;
  #queue: WireLine[] = [];
  #offset: number;
  #skipping: boolean;
  #lost = 0;
  lines = 0;
  chunks = 0;

  constructor(options: { readonly maxLine: number; readonly offset?: number; readonly skipping?: boolean }) {
    this.#offset = options.offset ?? 0;
    this.#skipping = options.skipping ?? false;
    this.#reader = new LineReader(options.maxLine, this.#offset, this.#skipping);
  }

  /** Consumed: everything before is in the journal, or will be with the commit that is being put together. */
  get offset(): number {
    return this.#offset;
  }

  get skipping(): boolean {
    return this.#skipping;
  }

  /** Bytes seen. */
  get received(): number {
    return this.#reader.received;
  }

  /** The whole lines that these bytes complete. Bytes seen before are passed over; a hole is a broken holder. */
  push(offset: number, bytes: Buffer): readonly WireLine[] {
    const seen = this.#reader.received - offset;
    if (seen < 0)
      throw new PilotlightError(
        'protocol',
        `Output from ${String(offset)} came where ${String(this.#reader.received)} was due`,
      );
    if (seen >= bytes.length) return [];
    this.chunks += 1;
    const lines = this.#reader.push(seen === 0 ? bytes : bytes.subarray(seen));
    this.lines += lines.length;
    return lines;
  }

  enqueue(lines: readonly WireLine[]): void {
    for (const line of lines) this.#queue.push(line);
  }

  /** Half a line at the end of the stream is a line. */
  finish(): void {
    this.enqueue(this.#reader.end());
  }

  /** The handshake has consumed everything before `offset`. */
  skipTo(offset: number): void {
    this.#offset = offset;
  }

  get pending(): boolean {
    return (
      this.#queue.length > 0 || (this.#reader.skipping && this.#reader.received - this.#offset >= SKIP_STEP)
    );
  }

  /** The next lines to be committed. The offset moves at once; {@link undo} puts it back, {@link done} lets the lines go. */
  begin(): Batch {
    const lines = this.#queue.length <= BATCH_LINES ? [...this.#queue] : this.#queue.slice(0, BATCH_LINES);
    const last = lines.at(-1);
    const all = lines.length === this.#queue.length;
    if (all) {
      this.#offset = this.#reader.consumed;
      this.#skipping = this.#reader.skipping;
    } else if (last !== undefined) {
      this.#offset = last.end;
      this.#skipping = last.kind === 'cut';
    }
    return { lines, offset: this.#offset, skipping: this.#skipping, lost: this.#lost };
  }

  /** The lines that wait cannot be kept: they are passed over. */
  giveUp(): void {
    this.#lost += this.#queue.length;
    this.#queue = [];
  }

  undo(before: Pick<Batch, 'offset' | 'skipping'>): void {
    this.#offset = before.offset;
    this.#skipping = before.skipping;
  }

  done(batch: Batch): void {
    this.#lost -= batch.lost;
    if (batch.lines.length === this.#queue.length) this.#queue = [];
    else this.#queue.splice(0, batch.lines.length);
  }

  /** Lines that wait, those of the batch under way included. */
  get length(): number {
    return this.#queue.length;
  }
}
