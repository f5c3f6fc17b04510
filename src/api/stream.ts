/**
 * A followed journal as the bytes of an SSE response: pulled, never pushed.
 *
 * Nothing is asked of the journal before the client has taken what it was given, so that a client that stops reading costs one chunk here.
 * Many events go into one chunk: 64 a chunk carry 2 million events a second where one write an event carries 250 thousand (measured on two cores).
 * Owns the follower and the pings of one stream. Knows no route.
 */
import type { ServerResponse } from 'node:http';
import type { UnderlyingSource } from 'node:stream/web';
import { every } from '../async/after.ts';
import { frameOf, PING, type Followed, type Numbering } from './frames.ts';

const CHUNK_CHARS = 64 * 1024;
/** So many pings that the client did not take: it is gone or will not read. Ticks and not time, so that host sleep does not count. */
const STALLED_TICKS = 4;

export interface StreamOptions {
  readonly follow: (signal: AbortSignal) => AsyncIterable<readonly Followed[]>;
  readonly numbering: Numbering;
  readonly epoch: string;
  readonly pingMs: number;
  /** Ends the stream: the client left, or the listener closes. */
  readonly signals: readonly (AbortSignal | undefined)[];
  /** Cuts the connection of a client that does not read. */
  readonly cut: (() => void) | undefined;
  readonly onError: (error: unknown) => void;
  /** Called once, however it ended. */
  readonly onEnd: () => void;
}

/** Where the bytes go. */
type Sink = Pick<ReadableStreamDefaultController<Uint8Array>, 'desiredSize' | 'enqueue' | 'close'>;

/** The body of an answer, which goes to one reader: by its own pulls ({@link readable}), or into a connection ({@link pour}). */
export class EventStream implements UnderlyingSource<Uint8Array> {
  readonly #options: StreamOptions;
  readonly #ending = new AbortController();
  #batches: AsyncIterator<readonly Followed[]> | undefined;
  #batch: readonly Followed[] = [];
  #at = 0;
  #waiting = false;
  #pingDue = false;
  #ticksWithoutPull = 0;
  #ticker: Disposable | undefined;
  #over = false;
  #sink: Sink | undefined;

  constructor(options: StreamOptions) {
    this.#options = options;
    const end = (): void => {
      this.#end();
    };
    // Asked for before its first byte is read (a client that left in between): signals end it, whatever comes first.
    for (const signal of this.#options.signals)
      signal?.addEventListener('abort', end, { once: true, signal: this.#ending.signal });
    this.#ticker = every(this.#options.pingMs, () => {
      this.#tick();
    });
    if (this.#options.signals.some((signal) => signal?.aborted === true)) end();
  }

  start(sink: Sink): void {
    this.#sink = sink;
    if (this.#over) sink.close();
  }

  readable(): ReadableStream<Uint8Array> {
    return new ReadableStream(this, { highWaterMark: 0 });
  }

  /** Straight to the client, without streams between, whose steps take longer than the write. Resolves when it is over. */
  async pour(into: ServerResponse): Promise<void> {
    into.once('close', () => {
      this.#release();
    });
    // It left before, and will not say so again.
    if (into.destroyed) this.#release();
    this.start(sinkOf(into));
    while (!this.#over) {
      await this.pull();
      if (into.writableNeedDrain) await drained(into);
    }
  }

  async pull(): Promise<void> {
    this.#ticksWithoutPull = 0;
    try {
      if (this.#at === this.#batch.length && !(await this.#nextBatch())) {
        this.#end();
        return;
      }
      if (this.#over) return;
      const reset = this.#write();
      if (reset) this.#end();
    } catch (error) {
      // A stream that ends is taken up again from the last id; an error would only be printed by the server.
      if (!this.#over) this.#options.onError(error);
      this.#end();
    }
  }

  cancel(): void {
    this.#release();
  }

  /** Waits for the next batch that is not empty; false when there will be none. */
  async #nextBatch(): Promise<boolean> {
    this.#batches ??= this.#options.follow(this.#ending.signal)[Symbol.asyncIterator]();
    this.#waiting = true;
    try {
      for (;;) {
        const next = await this.#batches.next();
        if (next.done === true) return false;
        if (next.value.length === 0) continue;
        this.#batch = next.value;
        this.#at = 0;
        return true;
      }
    } finally {
      this.#waiting = false;
    }
  }

  /** One chunk of what is at hand. True after a reset: nothing that follows would fit what the client has. */
  #write(): boolean {
    const { numbering, epoch } = this.#options;
    let text = this.#pingDue ? PING : '';
    this.#pingDue = false;
    let reset = false;
    while (this.#at < this.#batch.length && text.length < CHUNK_CHARS && !reset) {
      const item = this.#batch[this.#at++]!;
      text += frameOf(item, numbering, epoch);
      reset = item.kind === 'reset';
    }
    this.#sink?.enqueue(Buffer.from(text));
    return reset;
  }

  #tick(): void {
    if (this.#waiting && this.#sink?.desiredSize === 0) {
      // The client has everything and waits for us: it gets a sign of life at once.
      this.#sink.enqueue(Buffer.from(PING));
      this.#ticksWithoutPull = 0;
      return;
    }
    this.#pingDue = !this.#waiting;
    this.#ticksWithoutPull += 1;
    if (this.#ticksWithoutPull < STALLED_TICKS) return;
    this.#options.cut?.();
    this.#end();
  }

  #end(): void {
    if (this.#over) return;
    this.#release();
    this.#sink?.close();
  }

  #release(): void {
    if (this.#over) return;
    this.#over = true;
    this.#ticker?.[Symbol.dispose]();
    this.#ending.abort();
    this.#batch = [];
    this.#at = 0;
    // A generator that waits takes its `return` only after the wait; the aborted signal ends that.
    void Promise.resolve(this.#batches?.return?.()).catch(() => undefined);
    this.#options.onEnd();
  }
}

function sinkOf(response: ServerResponse): Sink {
  return {
    get desiredSize() {
      return response.writableNeedDrain ? -1 : 0;
    },
    enqueue(bytes) {
      // With its length and its end in one call of the system, now and not with the next tick.
      const { socket } = response;
      socket?.cork();
      response.write(bytes);
      socket?.uncork();
    },
    close() {
      response.end();
    },
  };
}

function drained(response: ServerResponse): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const done = (): void => {
    response.off('drain', done);
    response.off('close', done);
    resolve();
  };
  response.once('drain', done);
  response.once('close', done);
  return promise;
}
