/**
 * Bytes → lines, with the offset behind each. Owns the partial line; knows nothing of JSON.
 *
 * No quadratic buffers: chunks of an unfinished line are kept in a list and joined once, when its newline comes.
 * A line longer than `maxLine` is cut: its head is given out once as `cut`, the rest is passed over to the newline,
 * and the offset moves inside the line meanwhile, so that nothing has to be kept for it.
 */

export type WireLine =
  | {
      readonly kind: 'line';
      readonly text: string;
      /** Offset of the byte behind the newline. */ readonly end: number;
    }
  /** A line that is too long: its first bytes as text (at most 64 KiB of them). */
  | { readonly kind: 'cut'; readonly head: string; readonly end: number };

const NEWLINE = 0x0a;
const HEAD = 64 * 1024;

export class LineReader {
  readonly #maxLine: number;
  #parts: Buffer[] = [];
  #partial = 0;
  #offset: number;
  /** Whether the rest of a cut line is being passed over. */
  #skipping: boolean;

  /** `skipping`: the stream is taken up inside a line that was cut. */
  constructor(maxLine: number, offset = 0, skipping = false) {
    this.#maxLine = maxLine;
    this.#offset = offset;
    this.#skipping = skipping;
  }

  /** Everything before this offset has been given out as lines (or passed over). */
  get consumed(): number {
    return this.#offset - this.#partial;
  }

  get skipping(): boolean {
    return this.#skipping;
  }

  /** Bytes seen so far. */
  get received(): number {
    return this.#offset;
  }

  /** The whole lines that these bytes complete. Bytes must come in order, each once. */
  push(bytes: Buffer): WireLine[] {
    const lines: WireLine[] = [];
    let from = 0;
    for (;;) {
      const at = bytes.indexOf(NEWLINE, from);
      if (at === -1) break;
      this.#keep(bytes.subarray(from, at), lines);
      this.#offset += 1;
      this.#finish(lines);
      from = at + 1;
    }
    if (from < bytes.length) this.#keep(bytes.subarray(from), lines);
    return lines;
  }

  /** What is left without a newline at the end of the stream. */
  end(): WireLine[] {
    const lines: WireLine[] = [];
    if (this.#partial > 0) this.#finish(lines);
    return lines;
  }

  #keep(part: Buffer, lines: WireLine[]): void {
    this.#offset += part.length;
    if (this.#skipping) return;
    this.#parts.push(part);
    this.#partial += part.length;
    if (this.#partial <= this.#maxLine) return;
    const head = Buffer.concat(this.#parts).toString('utf8', 0, HEAD);
    this.#parts = [];
    this.#partial = 0;
    this.#skipping = true;
    lines.push({ kind: 'cut', head, end: this.#offset });
  }

  #finish(lines: WireLine[]): void {
    if (this.#skipping) {
      this.#skipping = false;
      return;
    }
    const first = this.#parts[0];
    const joined = this.#parts.length === 1 && first !== undefined ? first : Buffer.concat(this.#parts);
    this.#parts = [];
    this.#partial = 0;
    const text = joined.toString('utf8');
    lines.push({ kind: 'line', text: text.endsWith('\r') ? text.slice(0, -1) : text, end: this.#offset });
  }
}
