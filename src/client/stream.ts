/**
 * Events, each once and in order, over as many connections as it takes.
 * Owns the position and the coming back. Knows nothing of turns.
 */
import { z } from 'zod';
import { PilotlightError, type EventStream, type StreamItem, type StreamOptions } from '../protocol/index.ts';
import { openConnection, type Connection } from './connection.ts';
import { eventOf, gapOf, received } from './items.ts';
import { backoffMs, pause } from './wait.ts';
import type { Wire } from './wire.ts';

export interface StreamSource {
  readonly wire: Wire;
  readonly path: string;
  /** Whether positions are global cursors, which only SSE ids carry. */
  readonly global: boolean;
  readonly silenceMs: number;
}

const MOST_BACKOFF_MS = 5000;
const PAGE = 1000;

/** See `EventStream`. It comes back by itself from where it is, for as long as it takes; a refusal (4xx) is thrown. */
export class ClientStream implements EventStream {
  readonly #source: StreamSource;
  readonly #options: StreamOptions;
  readonly #ending = new AbortController();
  readonly #signal: AbortSignal;
  readonly #items: AsyncGenerator<StreamItem>;
  #position: number;
  #epoch: string | undefined;

  constructor(source: StreamSource, options: StreamOptions) {
    this.#source = source;
    this.#options = options;
    this.#position = options.after ?? 0;
    this.#epoch = options.epoch;
    const signals = [this.#ending.signal, source.wire.closed, options.signal];
    this.#signal = AbortSignal.any(signals.filter((signal) => signal !== undefined));
    this.#items = options.follow === false ? this.#pages() : this.#follow();
  }

  get position(): number {
    return this.#position;
  }

  get epoch(): string | undefined {
    return this.#epoch;
  }

  [Symbol.asyncIterator](): AsyncGenerator<StreamItem> {
    return this.#items;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    await this.#items.return(undefined);
  }

  async *#follow(): AsyncGenerator<StreamItem> {
    for (let failures = 0; !this.#signal.aborted; failures += 1) {
      try {
        using connection = await this.#open();
        for await (const item of this.#itemsOf(connection)) {
          failures = 0;
          yield item;
          if (item.type === 'stream.reset') return;
        }
      } catch (error) {
        if (this.#signal.aborted) return;
        if (isFinal(error)) throw error;
      }
      await pause(backoffMs(failures, MOST_BACKOFF_MS), this.#signal);
    }
  }

  #open(): Promise<Connection> {
    const { wire, path, silenceMs } = this.#source;
    return openConnection(wire, { path, lastEventId: this.#position, signal: this.#signal, silenceMs });
  }

  async *#itemsOf(connection: Connection): AsyncGenerator<StreamItem> {
    const { epoch } = connection;
    // Before the first event: what an epoch has added behind our position does not fit what we have from the one before.
    if (this.#epoch !== undefined && epoch !== undefined && epoch !== this.#epoch) {
      yield { type: 'stream.reset', data: { epoch } };
      return;
    }
    this.#epoch ??= epoch;
    for await (const batch of connection.batches)
      for (const message of batch) {
        const item = this.#take(received(message));
        if (item !== undefined) yield item;
      }
  }

  #take(message: ReturnType<typeof received>): StreamItem | undefined {
    switch (message.kind) {
      case 'ready':
        this.#epoch = message.epoch;
        this.#options.onLive?.(message.through);
        return undefined;
      case 'reset':
        return message.reset;
      case 'gap':
        this.#position = Math.max(this.#position, message.position);
        return message.gap;
      case 'event':
        if (message.position <= this.#position) return undefined;
        this.#position = message.position;
        return message.event;
    }
  }

  async *#pages(): AsyncGenerator<StreamItem> {
    const { wire, path, global } = this.#source;
    for (;;) {
      const page = await wire.ask({
        method: 'GET',
        path,
        query: { after: this.#position, limit: PAGE },
        answer: EventPage,
        signal: this.#signal,
      });
      for (const gap of page.gaps) yield gapOf(gap);
      for (const value of page.events) {
        const event = eventOf(value);
        if (!global) this.#position = event.seq;
        yield event;
      }
      if (page.next === undefined) return;
      this.#position = page.next;
    }
  }
}

const EventPage = z.object({
  events: z.array(z.unknown()),
  next: z.number().optional(),
  gaps: z.array(z.unknown()),
});

/** Refused, or not understood: the same would come again. */
function isFinal(error: unknown): boolean {
  if (!(error instanceof PilotlightError)) return false;
  const status = error.detail?.['httpStatus'];
  if (typeof status === 'number') return status >= 400 && status < 500;
  return error.code === 'protocol';
}
