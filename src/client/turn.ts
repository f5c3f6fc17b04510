/** A turn as its sender sees it: its events up to its ending, and its result. Ending the wait never ends the turn. */
import { PilotlightError, TURN_ENDINGS, type SessionEvent, type TurnView } from '../protocol/index.ts';
import { Turn } from './views.ts';
import { EventStream, type StreamSource } from './stream.ts';
import { aborted } from './wire.ts';

/**
 * Iterate it for the turn's events, from `turn.queued` to its one ending, each once however often the connection breaks.
 * `await turn.result` for the turn as it ended. Both may be done, in any order; a turn that failed is a result, not an error.
 */
export class ClientTurn implements AsyncIterable<SessionEvent>, AsyncDisposable {
  /** The turn as it was accepted. */
  readonly accepted: TurnView;
  readonly #source: StreamSource;
  readonly #streams = new Set<EventStream>();
  #ended = false;
  #result: Promise<TurnView> | undefined;

  constructor(source: StreamSource, accepted: TurnView) {
    this.#source = source;
    this.accepted = accepted;
  }

  get id(): string {
    return this.accepted.id;
  }

  get sessionId(): string {
    return this.accepted.sessionId;
  }

  /** Resolves when the turn has ended, however it did. Rejects when that can no longer be known. */
  get result(): Promise<TurnView> {
    this.#result ??= this.#awaitResult();
    return this.#result;
  }

  /** The turn as it is now. */
  view(): Promise<TurnView> {
    const path = `/v1/sessions/${encodeURIComponent(this.sessionId)}/turns/${encodeURIComponent(this.id)}`;
    return this.#source.wire.ask({ method: 'GET', path, answer: Turn });
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

  /** Ends what follows this turn here. */
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
    const stream = new EventStream(this.#source, { after: this.accepted.seq - 1 });
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
