/**
 * Numbered writes into a child's stdin: n = last + 1 is written whole, n <= last is confirmed again, anything else is refused with `last`.
 * One write at a time reaches the stream, in order; a confirmation means that the operating system has taken all of it.
 */
import type { Writable } from 'node:stream';

export interface StdinListener {
  wrote(n: number): void;
  refused(n: number, last: number, reason: string): void;
}

export class NumberedStdin {
  readonly #stream: Writable;
  readonly #listener: StdinListener;
  /** The last number taken. */
  #last = 0;
  /** The last number confirmed. */
  #confirmed = 0;
  #closed: string | undefined;

  constructor(stream: Writable, listener: StdinListener) {
    this.#stream = stream;
    this.#listener = listener;
    stream.on('error', (error: Error) => {
      this.#closed ??= error.message;
    });
    stream.on('close', () => {
      this.#closed ??= 'stdin is closed';
    });
  }

  get confirmed(): number {
    return this.#confirmed;
  }

  /** Bytes that the stream holds and the system has not taken: bounded by whoever waits for confirmations. */
  write(n: number, bytes: Uint8Array): void {
    if (n <= this.#confirmed) return this.#listener.wrote(n);
    if (n <= this.#last) return;
    if (n !== this.#last + 1) return this.#listener.refused(n, this.#last, 'out of order');
    if (this.#closed !== undefined) return this.#listener.refused(n, this.#last, this.#closed);
    this.#last = n;
    this.#stream.write(bytes, (error) => {
      if (error !== null && error !== undefined) {
        // Not taken: whoever sends it again must be answered again, and not for ever be left waiting.
        this.#closed ??= error.message;
        this.#last = Math.min(this.#last, n - 1);
        return this.#listener.refused(n, this.#confirmed, error.message);
      }
      this.#confirmed = n;
      this.#listener.wrote(n);
    });
  }

  /** The goodbye, then the end of the stream. Nothing is written after it. */
  end(goodbye: Uint8Array): void {
    if (this.#closed !== undefined) return;
    this.#closed = 'stdin was closed';
    if (goodbye.length > 0) this.#stream.write(goodbye);
    this.#stream.end();
  }
}
