/**
 * Followers of the log: replay by pages, then what is committed as it is committed.
 * One text of an event is shared by all. What a follower does not take in time is dropped here and read again from the journal,
 * so that no consumer's pace costs memory or slows a commit. Nothing polls.
 */
import type { Followed, StoredEvent } from '../session/ports.ts';
import type { EventReader, Page } from './read.ts';

const PAGE_EVENTS = 1000;
const MOST_WAITING_EVENTS = 1000;
const MOST_WAITING_CHARS = 4 * 1024 * 1024;

export interface Follow {
  /** Undefined: of all sessions, by global cursor. */
  readonly session: string | undefined;
  readonly after: number;
  readonly signal: AbortSignal;
  /** Only of these types, and nobody is woken for another. Default: all. */
  readonly types?: ReadonlySet<string>;
}

export class Followers {
  readonly #reader: EventReader;
  readonly #ofAll = new Set<Tail>();
  readonly #bySession = new Map<string, Set<Tail>>();
  #closed = false;

  constructor(reader: EventReader) {
    this.#reader = reader;
  }

  async *follow({ session, after, signal, types }: Follow): AsyncGenerator<readonly Followed[]> {
    const tail = this.#join(session, types);
    const end = (): void => {
      tail.end();
    };
    signal.addEventListener('abort', end, { once: true });
    if (signal.aborted) end();
    try {
      yield* this.#batches(tail, session, after);
    } finally {
      signal.removeEventListener('abort', end);
      this.#leave(tail, session);
    }
  }

  async *#batches(
    tail: Tail,
    session: string | undefined,
    after: number,
  ): AsyncGenerator<readonly Followed[]> {
    let position = after;
    let live = false;
    while (!tail.ended) {
      if (tail.tailing) {
        const batch = tail.take();
        if (batch === undefined) {
          await tail.changed();
          continue;
        }
        position = positionOf(batch, session) ?? position;
        yield batch;
        continue;
      }
      const lastSeq = this.#reader.end(session);
      if (position > lastSeq) {
        yield [{ kind: 'reset', lastSeq }];
        return;
      }
      const page = this.#reader.page(session, position, PAGE_EVENTS);
      position = page.through;
      // In the same turn as the read: nothing can be committed in between.
      if (page.atEnd) tail.start();
      const all = itemsOf(page, session);
      const items = tail.choosy ? all.filter((item) => tail.wants(item)) : all;
      if (page.atEnd && !live) {
        live = true;
        items.push({ kind: 'live', through: position });
      }
      if (items.length > 0) yield items;
      // A reader that is always ready would otherwise keep everything else waiting for the whole of its replay.
      if (!page.atEnd) await nextTurn();
    }
  }

  /** Hands on what was committed. */
  publish(events: readonly StoredEvent[]): void {
    if (events.length === 0) return;
    if (this.#ofAll.size > 0) send(this.#ofAll, events);
    if (this.#bySession.size === 0) return;
    for (const [session, own] of Map.groupBy(events, ({ session }) => session)) {
      const tails = this.#bySession.get(session);
      if (tails !== undefined) send(tails, own);
    }
  }

  /** Every iteration ends; one that starts later ends at once. */
  close(): void {
    this.#closed = true;
    for (const tail of this.#ofAll) tail.end();
    for (const tails of this.#bySession.values()) for (const tail of tails) tail.end();
  }

  #join(session: string | undefined, types: ReadonlySet<string> | undefined): Tail {
    const tail = new Tail(types);
    if (this.#closed) tail.end();
    if (session === undefined) this.#ofAll.add(tail);
    else {
      const tails = this.#bySession.get(session) ?? new Set();
      this.#bySession.set(session, tails.add(tail));
    }
    return tail;
  }

  #leave(tail: Tail, session: string | undefined): void {
    this.#ofAll.delete(tail);
    if (session === undefined) return;
    const tails = this.#bySession.get(session);
    tails?.delete(tail);
    if (tails?.size === 0) this.#bySession.delete(session);
  }
}

type Live = Extract<Followed, { kind: 'event' }>;

interface Batch {
  readonly items: readonly Followed[];
  readonly chars: number;
}

function send(tails: ReadonlySet<Tail>, events: readonly StoredEvent[]): void {
  const items = events.map((event) => ({ kind: 'event', event }) as const);
  const batch: Batch = { items, chars: charsOf(items) };
  for (const tail of tails) tail.push(tail.choosy ? chosen(items, tail) : batch);
}

function chosen(all: readonly Live[], tail: Tail): Batch {
  const items = all.filter((item) => tail.wants(item));
  return { items, chars: charsOf(items) };
}

function charsOf(items: readonly Live[]): number {
  return items.reduce((sum, { event }) => sum + event.json.length, 0);
}

/** What waits for one follower that has reached the end. */
class Tail {
  #phase: 'reading' | 'tailing' | 'ended' = 'reading';
  #waiting: Batch[] = [];
  #events = 0;
  #chars = 0;
  #wake: (() => void) | undefined;
  readonly #types: ReadonlySet<string> | undefined;

  constructor(types?: ReadonlySet<string>) {
    this.#types = types;
  }

  get choosy(): boolean {
    return this.#types !== undefined;
  }

  wants(item: Followed): boolean {
    return item.kind !== 'event' || this.#types === undefined || this.#types.has(item.event.type);
  }

  get tailing(): boolean {
    return this.#phase === 'tailing';
  }

  get ended(): boolean {
    return this.#phase === 'ended';
  }

  start(): void {
    if (this.#phase === 'reading') this.#phase = 'tailing';
  }

  push(batch: Batch): void {
    if (this.#phase !== 'tailing' || batch.items.length === 0) return;
    this.#events += batch.items.length;
    this.#chars += batch.chars;
    // One batch of any size is taken by a follower that keeps up: its events are shared.
    const tooMuch = this.#events > MOST_WAITING_EVENTS || this.#chars > MOST_WAITING_CHARS;
    if (tooMuch && this.#waiting.length > 0) {
      this.#drop();
      this.#phase = 'reading';
    } else this.#waiting.push(batch);
    this.#wakeUp();
  }

  take(): readonly Followed[] | undefined {
    const [first, ...more] = this.#waiting;
    if (first === undefined) return undefined;
    this.#drop();
    return more.length === 0 ? first.items : [first, ...more].flatMap(({ items }) => items);
  }

  /** Resolves with the next push, or the end. */
  changed(): Promise<void> {
    if (this.#phase !== 'tailing' || this.#waiting.length > 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  end(): void {
    this.#phase = 'ended';
    this.#drop();
    this.#wakeUp();
  }

  #wakeUp(): void {
    this.#wake?.();
    this.#wake = undefined;
  }

  #drop(): void {
    this.#waiting = [];
    this.#events = 0;
    this.#chars = 0;
  }
}

/** Events and gaps in the order of their places. */
function itemsOf(page: Page, session: string | undefined): Followed[] {
  const items: Followed[] = [];
  let next = 0;
  const gapsUpTo = (place: number): void => {
    for (; next < page.gaps.length && page.gaps[next]!.position <= place; next += 1) {
      const { gap, position } = page.gaps[next]!;
      items.push({ kind: 'gap', gap, cursor: position });
    }
  };
  for (const event of page.events) {
    gapsUpTo(session === undefined ? event.cursor : event.seq);
    items.push({ kind: 'event', event });
  }
  gapsUpTo(page.through);
  return items;
}

function positionOf(batch: readonly Followed[], session: string | undefined): number | undefined {
  const last = batch.at(-1);
  if (last?.kind !== 'event') return undefined;
  return session === undefined ? last.event.cursor : last.event.seq;
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
