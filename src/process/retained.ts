/**
 * The bytes of a stream that nobody has acknowledged yet, by offset. No quadratic copying: a list of the buffers as they came.
 */
export class Retained {
  #parts: Buffer[] = [];
  #base = 0;
  #end = 0;

  /** The offset of the first byte that is kept. */
  get base(): number {
    return this.#base;
  }

  /** The offset behind the last byte that came. */
  get end(): number {
    return this.#end;
  }

  get size(): number {
    return this.#end - this.#base;
  }

  push(bytes: Buffer): void {
    this.#parts.push(bytes);
    this.#end += bytes.length;
  }

  /** Forgets everything before `offset`. */
  release(offset: number): void {
    let from = Math.min(offset, this.#end);
    while (from > this.#base) {
      const first = this.#parts[0];
      if (first === undefined) break;
      const step = from - this.#base;
      if (first.length <= step) {
        this.#parts.shift();
        this.#base += first.length;
      } else {
        this.#parts[0] = first.subarray(step);
        this.#base = from;
      }
      from = Math.min(offset, this.#end);
    }
  }

  /** One stretch of what is kept from `offset` on (at least what one buffer holds); undefined at the end. Never before the base. */
  from(offset: number): { readonly offset: number; readonly bytes: Buffer } | undefined {
    let at = this.#base;
    const wanted = Math.max(offset, at);
    for (const part of this.#parts) {
      if (wanted < at + part.length) return { offset: wanted, bytes: part.subarray(wanted - at) };
      at += part.length;
    }
    return undefined;
  }
}
