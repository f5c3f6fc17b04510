/**
 * Requests answered by a key while attached: the first key of an empty line decides the oldest one. Whoever is typing a message decides nothing.
 */
import type { Interface } from 'node:readline';
import type { ClientSession } from '../client/index.ts';
import { messageOf, type EventData } from '../protocol/index.ts';
import { answerOfKey, ring, shown } from './asker.ts';
import type { Format } from './output.ts';

type Request = EventData<'permission.requested'>;

export class AttachedKeys {
  readonly #session: ClientSession;
  readonly #say: (format: Format, text: string) => void;
  #open: readonly Request[] = [];

  constructor(session: ClientSession, say: (format: Format, text: string) => void) {
    this.#session = session;
    this.#say = say;
  }

  requested(request: Request): void {
    if (this.#open.some((one) => one.id === request.id)) return;
    this.#open = [...this.#open, request];
    if (!process.stdin.isTTY) return;
    ring();
    for (const line of shown(request)) this.#say('dim', line);
    if (request.kind === 'question') {
      this.#say('bold', '  a question: `pilotlight run --session` asks it, or answer it by the API');
      return;
    }
    const scope = request.sessionScope === undefined ? '' : '  [s] allow for the session';
    this.#say('bold', `  [y] allow${scope}  [n] deny   (on an empty line)`);
  }

  resolved(id: string): void {
    this.#open = this.#open.filter((one) => one.id !== id);
  }

  listen(lines: Interface): Disposable {
    const onKey = (text: string | undefined): void => {
      const request = this.#open.find((one) => one.kind === 'tool');
      // The key itself is in the line already.
      if (request === undefined || text === undefined || lines.line !== text) return;
      const answer = answerOfKey(text, request);
      if (answer === undefined) return;
      lines.write(null, { ctrl: true, name: 'u' });
      this.resolved(request.id);
      this.#session
        .answer(request.id, answer)
        .catch((error: unknown) => this.#say('yellow', messageOf(error)));
    };
    process.stdin.on('keypress', onKey);
    return {
      [Symbol.dispose]() {
        process.stdin.off('keypress', onKey);
      },
    };
  }
}
