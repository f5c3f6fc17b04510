/** Events of a host in this process, as a stream like the client's. */
import type { Host } from '../host/index.ts';
import {
  AnyEvent,
  PilotlightError,
  type EventStream,
  type SessionEvent,
  type StreamGap,
  type StreamItem,
  type StreamOptions,
} from '../protocol/index.ts';
import type { Followed, Gap, StoredEvent } from '../session/ports.ts';

export interface LocalSource {
  readonly host: Host;
  /** Undefined: all sessions, positions are global cursors. */
  readonly session?: string;
  /** Aborts when the host is disposed. */
  readonly closed: AbortSignal;
}

const PAGE = 1000;

export class LocalStream implements EventStream {
  readonly #source: LocalSource;
  readonly #options: StreamOptions;
  readonly #ending = new AbortController();
  readonly #signal: AbortSignal;
  readonly #items: AsyncGenerator<StreamItem>;
  #position: number;

  constructor(source: LocalSource, options: StreamOptions) {
    this.#source = source;
    this.#options = options;
    this.#position = options.after ?? 0;
    const signals = [this.#ending.signal, source.closed, options.signal];
    this.#signal = AbortSignal.any(signals.filter((signal) => signal !== undefined));
    this.#items = this.#all();
  }

  get position(): number {
    return this.#position;
  }

  get epoch(): string {
    return this.#source.host.epoch;
  }

  [Symbol.asyncIterator](): AsyncGenerator<StreamItem> {
    return this.#items;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    await this.#items.return(undefined);
  }

  async *#all(): AsyncGenerator<StreamItem> {
    const { epoch, follow = true } = this.#options;
    if (epoch !== undefined && epoch !== this.epoch) {
      yield { type: 'stream.reset', data: { epoch: this.epoch } };
      return;
    }
    yield* follow ? this.#follow() : this.#pages();
  }

  async *#follow(): AsyncGenerator<StreamItem> {
    const { host, session } = this.#source;
    for await (const batch of host.follow(session, this.#position, this.#signal))
      for (const one of batch) {
        if (this.#signal.aborted) return;
        const item = this.#take(one);
        if (item !== undefined) yield item;
      }
  }

  #take(one: Followed): StreamItem | undefined {
    switch (one.kind) {
      case 'live':
        this.#options.onLive?.(one.through);
        return undefined;
      case 'reset':
        return { type: 'stream.reset', data: { epoch: this.epoch, lastSeq: one.lastSeq } };
      case 'gap':
        this.#position = Math.max(this.#position, this.#global ? one.cursor : one.gap.to);
        return gapOf(one.gap);
      case 'event':
        this.#position = this.#positionOf(one.event);
        return eventOf(one.event);
    }
  }

  async *#pages(): AsyncGenerator<StreamItem> {
    const { host, session } = this.#source;
    while (!this.#signal.aborted) {
      const page = host.events(session, this.#position, PAGE);
      for (const gap of page.gaps) yield gapOf(gap);
      for (const event of page.events) {
        this.#position = this.#positionOf(event);
        yield eventOf(event);
      }
      if (page.next === undefined) return;
      this.#position = page.next;
    }
  }

  #positionOf(event: StoredEvent): number {
    return this.#global ? event.cursor : event.seq;
  }

  get #global(): boolean {
    return this.#source.session === undefined;
  }
}

function gapOf({ session, from, to, reason }: Gap): StreamGap {
  return { type: 'stream.gap', data: { from, to, reason, session } };
}

function eventOf({ json }: StoredEvent): SessionEvent {
  const parsed = AnyEvent.safeParse(JSON.parse(json));
  if (!parsed.success)
    throw new PilotlightError('internal', 'An event of the journal could not be read', {
      cause: parsed.error,
    });
  // The journal of this process wrote it, with the schema of its type.
  return parsed.data as unknown as SessionEvent;
}
