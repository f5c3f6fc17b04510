/** A turn as its sender sees it: its events up to its ending, and its result. Ending the wait never ends the turn. */
import {
  PilotlightError,
  TURN_ENDINGS,
  type EventStream,
  type SessionEvent,
  type Turn,
  type TurnView,
} from '../protocol/index.ts';
import { aborted } from './wire.ts';

/** Where a turn is: behind HTTP, or in this process. */
export interface TurnSource {
  /** The events of its session behind `after`. */
  readonly open: (after: number) => EventStream;
  /** The turn as it is now. */
  readonly view: () => Promise<TurnView>;
}

/** See `Turn`. */
export class FollowedTurn implements Turn {
  readonly accepted: TurnView;
  readonly #source: TurnSource;
  readonly #streams = new Set<EventStream>();
  #ended = false;
  #result: Promise<TurnView> | undefined;

  constructor(accepted: TurnView, source: TurnSource) {
    this.accepted = accepted;
    this.#source = source;
  }

  get id(): string {
    return this.accepted.id;
  }

  get sessionId(): string {
    return this.accepted.sessionId;
  }

  get result(): Promise<TurnView> {
    this.#result ??= this.#awaitResult();
    return this.#result;
  }

  view(): Promise<TurnView> {
    return this.#source.view();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<SessionEvent, void> {
    const stream = this.#open();
    try {
      for await (const item of stream) {
        if (item.type === 'stream.gap') {
          if (await this.#endedBy(item.data.to))
            throw new PilotlightError('pruned', `Retention has removed the ending of turn ${this.id}`, {
              fix: '`turn.result` still has it.',
            });
        } else if (item.type === 'stream.reset') throw this.#lost();
        else if (item.turn === this.id) {
          this.#ended = TURN_ENDINGS.has(item.type);
          yield item;
          if (this.#ended) return;
        }
      }
    } finally {
      await this.#close(stream);
    }
    throw aborted(`Following turn ${this.id}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#streams].map((stream) => stream[Symbol.asyncDispose]()));
  }

  async #awaitResult(): Promise<TurnView> {
    if (!this.#ended) await this.#untilEnded();
    const view = await this.view();
    if (view.state === 'queued' || view.state === 'running') throw aborted(`Waiting for turn ${this.id}`);
    return view;
  }

  async #untilEnded(): Promise<void> {
    const stream = this.#open();
    try {
      for await (const item of stream) {
        if (item.type === 'stream.reset') throw this.#lost();
        if (item.type === 'stream.gap') {
          if (await this.#endedBy(item.data.to)) return;
        } else if (item.turn === this.id && TURN_ENDINGS.has(item.type)) return;
      }
    } finally {
      await this.#close(stream);
    }
  }

  async #endedBy(seq: number): Promise<boolean> {
    const { endSeq } = await this.view();
    return endSeq !== undefined && endSeq <= seq;
  }

  #open(): EventStream {
    const stream = this.#source.open(this.accepted.seq - 1);
    this.#streams.add(stream);
    return stream;
  }

  async #close(stream: EventStream): Promise<void> {
    this.#streams.delete(stream);
    await stream[Symbol.asyncDispose]();
  }

  #lost(): PilotlightError {
    return new PilotlightError(
      'cursor_ahead',
      `The journal has lost its end since turn ${this.id} was sent`,
      {
        fix: 'Read the session again: its turns are what there is.',
      },
    );
  }
}
