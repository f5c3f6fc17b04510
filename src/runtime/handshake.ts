/**
 * The channel of the handshake: the only place where waiting for an agent's line is a promise.
 * Owns the lines that came before the runtime was ready. Everything pending settles when the process ends or time is up.
 */
import { within } from '../async/awake.ts';
import type { HandshakeChannel } from '../agents/dialect.ts';
import { PilotlightError } from '../protocol/index.ts';
import type { WireLine } from '../wire/lines.ts';

/** Agents say a few lines before they are ready; ten thousand are somebody else's. */
const MOST_LINES = 10_000;

interface Waiter {
  /** Whether the line settles the wait. Throws to reject it. */
  readonly offer: (line: string) => boolean;
  readonly reject: (error: unknown) => void;
}

export class Handshake implements HandshakeChannel {
  readonly #agent: string;
  readonly #send: (line: string) => void;
  readonly #abort = new AbortController();
  #lines: WireLine[] = [];
  #waiter: Waiter | undefined;
  #closed: PilotlightError | undefined;
  #consumed = 0;
  #taken = 0;

  /** `agent`: as errors name it; `send` writes one line without its newline. */
  constructor(agent: string, send: (line: string) => void) {
    this.#agent = agent;
    this.#send = send;
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** The offset behind the last line that was picked or passed over. */
  get consumed(): number {
    return this.#consumed;
  }

  send(line: string): void {
    this.#send(line);
  }

  async receive<T>(
    pick: (line: string) => T | undefined,
    options: { readonly timeoutMs?: number } = {},
  ): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    this.#waiter = {
      reject,
      offer: (line) => {
        const value = pick(line);
        if (value !== undefined) resolve(value);
        return value !== undefined;
      },
    };
    this.#serve();
    const { timeoutMs } = options;
    if (timeoutMs === undefined) return promise;
    return within(promise, timeoutMs, () => {
      this.#waiter = undefined;
      return new PilotlightError('timeout', `${this.#agent} did not answer within ${String(timeoutMs)} ms`);
    });
  }

  /** A line came. One that nobody waits for any more is passed over; a program that prints without end is no agent. */
  take(line: WireLine): void {
    if (this.#closed !== undefined) {
      this.#consumed = line.end;
      return;
    }
    this.#taken += 1;
    if (this.#taken > MOST_LINES) {
      const said = line.kind === 'line' ? line.text.slice(0, 200) : '';
      this.close(
        new PilotlightError(
          'protocol',
          `${this.#agent} prints lines that are no greeting, without end: ${JSON.stringify(said)}`,
          { fix: `Look whether agents.${this.#agent}.path in config.toml is that agent.` },
        ),
      );
      return;
    }
    this.#lines.push(line);
    this.#serve();
  }

  /** The handshake is over: lines that nobody asked for yet, in order. */
  rest(): readonly WireLine[] {
    const left = this.#lines;
    this.#lines = [];
    return left;
  }

  /** Nothing will come any more: pending and later reads reject. */
  close(error: PilotlightError): void {
    this.#closed ??= error;
    this.#abort.abort(error);
    this.#serve();
  }

  /** Passes lines over until one is picked. */
  #serve(): void {
    while (this.#waiter !== undefined && this.#lines.length > 0) {
      const line = this.#lines.shift();
      this.#consumed = line?.end ?? this.#consumed;
      if (line?.kind === 'line' && line.text !== '') this.#offer(this.#waiter, line.text);
    }
    if (this.#closed !== undefined) this.#waiter?.reject(this.#closed);
  }

  #offer(waiter: Waiter, text: string): void {
    try {
      if (waiter.offer(text)) this.#waiter = undefined;
    } catch (error) {
      this.#waiter = undefined;
      waiter.reject(error);
    }
  }
}
