/**
 * The bytes of a stream that nobody has acknowledged yet, by offset. Copied into blocks, which are used again: a child that writes a byte at
 * a time costs bytes and not objects, and one that floods leaves nothing behind that only a full collection would free.
 */
const BLOCK = 64 * 1024;
/** Blocks of all streams that wait for their next use: 8 MiB, about what children with a reader may have outstanding together. */
const SPARE_BLOCKS = 128;
const spare: Buffer[] = [];

interface Block {
  readonly memory: Buffer;
  /** What is kept of it: `memory` from `start` up to `end`. */
  start: number;
  end: number;
}

export class Retained {
  readonly #blocks: Block[] = [];
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
    for (let at = 0; at < bytes.length;) {
      const block = this.#open();
      const count = bytes.copy(block.memory, block.end, at);
      block.end += count;
      at += count;
    }
    this.#end += bytes.length;
  }

  /** Forgets everything before `offset`. What `from` gave of it must not be in use any more. */
  release(offset: number): void {
    const wanted = Math.min(offset, this.#end);
    if (wanted <= this.#base) return;
    let whole = 0;
    for (const block of this.#blocks) {
      const length = block.end - block.start;
      if (this.#base + length > wanted) break;
      this.#base += length;
      whole += 1;
      if (spare.length < SPARE_BLOCKS) spare.push(block.memory);
    }
    this.#blocks.splice(0, whole);
    const first = this.#blocks[0];
    if (first !== undefined) first.start += wanted - this.#base;
    this.#base = wanted;
    this.#mark = { index: 0, offset: this.#base };
  }

  /** One stretch of what is kept from `offset` on (at most one block); undefined at the end. Never before the base. */
  from(offset: number): { readonly offset: number; readonly bytes: Buffer } | undefined {
    const wanted = Math.max(offset, this.#base);
    if (wanted >= this.#end) return undefined;
    let { index, offset: at } = this.#mark.offset <= wanted ? this.#mark : { index: 0, offset: this.#base };
    for (; index < this.#blocks.length; index += 1) {
      const block = this.#blocks[index];
      if (block === undefined) return undefined;
      const length = block.end - block.start;
      if (wanted < at + length) {
        this.#mark = { index, offset: at };
        return { offset: wanted, bytes: block.memory.subarray(block.start + wanted - at, block.end) };
      }
      at += length;
    }
    return undefined;
  }

  /** The last block, when it has room; else a new one. */
  #open(): Block {
    const last = this.#blocks.at(-1);
    if (last !== undefined && last.end < BLOCK) return last;
    const block = { memory: spare.pop() ?? Buffer.allocUnsafeSlow(BLOCK), start: 0, end: 0 };
    this.#blocks.push(block);
    return block;
  }
}
