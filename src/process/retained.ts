/**
 * The bytes of a stream that nobody has acknowledged yet, by offset. A list of buffers: no quadratic copying; small chunks are gathered
 * in blocks, so that a child that writes a byte at a time costs bytes and not objects.
 */
const SMALL = 4 * 1024;
const BLOCK = 64 * 1024;

export class Retained {
  #parts: Buffer[] = [];
  /** Memory whose first part the last of the parts is; undefined when the last part came whole. */
  #block: { readonly memory: Buffer; used: number } | undefined;
  #base = 0;
  #end = 0;
  /** Where the last look ended: reading goes forward, so the next one begins there. */
  #mark = { index: 0, offset: 0 };

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
    if (bytes.length === 0) return;
    this.#end += bytes.length;
    if (bytes.length > SMALL) {
      this.#block = undefined;
      this.#parts.push(bytes);
      return;
    }
    const block = this.#block;
    if (block !== undefined && block.used + bytes.length <= BLOCK && this.#parts.length > 0) {
      bytes.copy(block.memory, block.used);
      block.used += bytes.length;
      const last = this.#parts.length - 1;
      const start = block.used - bytes.length - (this.#parts[last]?.length ?? 0);
      this.#parts[last] = block.memory.subarray(start, block.used);
      return;
    }
    const memory = Buffer.allocUnsafeSlow(BLOCK);
    bytes.copy(memory);
    this.#block = { memory, used: bytes.length };
    this.#parts.push(memory.subarray(0, bytes.length));
  }

  /** Forgets everything before `offset`. */
  release(offset: number): void {
    const wanted = Math.min(offset, this.#end);
    if (wanted <= this.#base) return;
    let whole = 0;
    for (; whole < this.#parts.length; whole += 1) {
      const length = this.#parts[whole]?.length ?? 0;
      if (this.#base + length > wanted) break;
      this.#base += length;
    }
    this.#parts.splice(0, whole);
    const first = this.#parts[0];
    if (first !== undefined && wanted > this.#base) {
      this.#parts[0] = first.subarray(wanted - this.#base);
      this.#base = wanted;
    }
    if (this.#parts.length === 0) this.#block = undefined;
    this.#mark = { index: 0, offset: this.#base };
  }

  /** One stretch of what is kept from `offset` on (at most one buffer); undefined at the end. Never before the base. */
  from(offset: number): { readonly offset: number; readonly bytes: Buffer } | undefined {
    const wanted = Math.max(offset, this.#base);
    if (wanted >= this.#end) return undefined;
    let { index, offset: at } = this.#mark.offset <= wanted ? this.#mark : { index: 0, offset: this.#base };
    for (; index < this.#parts.length; index += 1) {
      const part = this.#parts[index];
      if (part === undefined) return undefined;
      if (wanted < at + part.length) {
        this.#mark = { index, offset: at };
        return { offset: wanted, bytes: part.subarray(wanted - at) };
      }
      at += part.length;
    }
    return undefined;
  }
}
