/**
 * One connection of an event stream: from its head to its end, silence or abort. Comes back never; see stream.ts.
 */
import { createParser, type EventSourceMessage } from 'eventsource-parser';
import { PilotlightError } from '../protocol/index.ts';
import { Silence } from './wait.ts';
import type { Wire } from './wire.ts';

export interface ConnectionOptions {
  readonly path: string;
  readonly lastEventId: number;
  readonly signal: AbortSignal;
  /** No byte for so long (a comment comes every 15 s): the connection is dead, whatever TCP says. */
  readonly silenceMs: number;
}

export interface Connection extends Disposable {
  /** The epoch of the journal behind it, where the daemon tells it. */
  readonly epoch: string | undefined;
  /** What came together; throws when the connection breaks, ends when the daemon ends it. */
  readonly batches: AsyncIterable<readonly EventSourceMessage[]>;
}

export async function openConnection(wire: Wire, options: ConnectionOptions): Promise<Connection> {
  const dead = new AbortController();
  const silence = new Silence(options.silenceMs, () => {
    dead.abort(
      new PilotlightError('timeout', `The event stream was silent for ${String(options.silenceMs)} ms`),
    );
  });
  const dispose = (): void => {
    silence[Symbol.dispose]();
    dead.abort();
  };
  try {
    const headers = { accept: 'text/event-stream', 'last-event-id': String(options.lastEventId) };
    const response = await wire.open(options.path, headers, AbortSignal.any([options.signal, dead.signal]));
    silence.touch();
    return {
      epoch: response.headers.get('pilotlight-epoch') ?? undefined,
      batches: batchesOf(response, silence),
      [Symbol.dispose]: dispose,
    };
  } catch (error) {
    dispose();
    throw error;
  }
}

async function* batchesOf(
  response: Response,
  silence: Silence,
): AsyncGenerator<readonly EventSourceMessage[]> {
  if (
    response.body === null ||
    response.headers.get('content-type')?.startsWith('text/event-stream') !== true
  )
    throw new PilotlightError('protocol', 'The answer is no event stream');
  const body: ReadableStreamDefaultReader<Uint8Array> = response.body.getReader();
  const decoder = new TextDecoder();
  let batch: EventSourceMessage[] = [];
  const parser = createParser({ onEvent: (message) => batch.push(message) });
  for (;;) {
    const { done, value } = await body.read();
    if (done) return;
    silence.touch();
    parser.feed(decoder.decode(value, { stream: true }));
    if (batch.length === 0) continue;
    const ready = batch;
    batch = [];
    // The consumer's own pauses are no silence of the daemon.
    silence.rest();
    yield ready;
    silence.listen();
  }
}
