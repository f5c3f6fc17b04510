/**
 * Asks whoever sits at the terminal what an agent wants to know. Tools are decided by one key; questions are answered by the number of an option
 * or in words. Owns the keyboard while it asks. Knows no events: it is told of a request, and of its end when somebody else was faster.
 */
import { createInterface } from 'node:readline/promises';
import type { ClientSession } from '../client/index.ts';
import { messageOf, PilotlightError, type AnswerPermission, type EventData } from '../protocol/index.ts';
import type { Format } from './output.ts';

type Request = EventData<'permission.requested'>;
type Say = (format: Format, text: string) => void;

/** What is done with requests: asked here; denied at once, as nobody is here; left to other clients. */
export type AskHow = 'terminal' | 'deny' | 'wait';

const NOBODY = 'Denied: nobody is at the terminal to ask. Run with --ask wait to leave it to other clients.';

/** Calls the person at the terminal, where there is one: a file of what was said has no bell. */
export function ring(terminal: Pick<NodeJS.WriteStream, 'isTTY' | 'write'> = process.stderr): void {
  if (terminal.isTTY) terminal.write('\u0007');
}

export class Asker implements Disposable {
  readonly #session: ClientSession;
  readonly #how: AskHow;
  readonly #say: Say;
  readonly #open = new Map<string, AbortController>();
  #turn: Promise<void> = Promise.resolve();

  constructor(session: ClientSession, how: AskHow, say: Say) {
    this.#session = session;
    this.#how = how;
    this.#say = say;
  }

  /** One request after the other; the answer is sent, and what becomes of it is an event. */
  requested(request: Request): void {
    if (this.#how === 'wait') {
      this.#say('dim', `  waiting: pilotlight allow ${this.#session.id} ${request.id}   (or deny)`);
      return;
    }
    const abort = new AbortController();
    this.#open.set(request.id, abort);
    this.#turn = this.#turn.then(() => this.#ask(request, abort.signal));
  }

  /** Somebody answered, or the turn is over. */
  resolved(id: string): void {
    this.#open.get(id)?.abort();
    this.#open.delete(id);
  }

  [Symbol.dispose](): void {
    for (const abort of this.#open.values()) abort.abort();
    this.#open.clear();
  }

  async #ask(request: Request, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    try {
      const answer = await this.#decide(request, signal);
      if (answer !== undefined) await this.#session.answer(request.id, answer);
    } catch (error) {
      if (signal.aborted) return;
      const late = error instanceof PilotlightError && error.code === 'already_resolved';
      this.#say(late ? 'dim' : 'red', `  ${messageOf(error)}`);
    }
  }

  async #decide(request: Request, signal: AbortSignal): Promise<AnswerPermission | undefined> {
    if (this.#how === 'deny') return { decision: 'deny', message: NOBODY };
    ring();
    if (request.kind === 'question') return this.#answers(request, signal);
    for (const line of shown(request)) this.#say('dim', line);
    const scope = request.sessionScope === undefined ? '' : '  [s] allow for the session';
    this.#say('bold', `  [y] allow${scope}  [n] deny  [m] deny and say why`);
    return this.#key(request, signal);
  }

  async #key(request: Request, signal: AbortSignal): Promise<AnswerPermission | undefined> {
    for (;;) {
      const key = await keyPressed(signal);
      if (key === undefined) return undefined;
      const answer = answerOfKey(key, request);
      if (answer !== undefined) return answer;
      if (key === 'm') return { decision: 'deny', message: await line('  why? ', signal) };
    }
  }

  async #answers(request: Request, signal: AbortSignal): Promise<AnswerPermission> {
    const answers: Record<string, string[]> = {};
    for (const question of request.questions ?? []) {
      this.#say('bold', `  ${question.text}`);
      const options = question.options ?? [];
      for (const [at, { label, description }] of options.entries())
        this.#say(
          'dim',
          `   ${String(at + 1)}) ${label}${description === undefined ? '' : `: ${description}`}`,
        );
      const many = question.multiple === true ? 'numbers, ' : '';
      const given = await line(options.length > 0 ? `  number, ${many}or words: ` : '  ', signal);
      answers[question.id] = chosen(given, options, question.multiple === true);
    }
    return { decision: 'allow', answers };
  }
}

/** What a key decides about a tool; undefined for the others. */
export function answerOfKey(key: string, request: Request): AnswerPermission | undefined {
  if (key === 'y') return { decision: 'allow' };
  if (key === 'n') return { decision: 'deny', message: 'The user denied this' };
  return key === 's' && request.sessionScope !== undefined ? { decision: 'allow_for_session' } : undefined;
}

function chosen(given: string, options: readonly { readonly label: string }[], multiple: boolean): string[] {
  const parts = multiple ? given.split(/[\s,]+/).filter((part) => part !== '') : [given.trim()];
  const labels = parts.map((part) => options[Number(part) - 1]?.label);
  const all = labels.filter((label) => label !== undefined);
  return all.length === parts.length && all.length > 0 ? all : [given];
}

const MOST_LINES = 40;

/** The command whole, or the change: what is decided must be seen. */
export function shown({ tool, diff, reason }: Request): string[] {
  const command: unknown =
    typeof tool?.input === 'object' && tool.input !== null ? Reflect.get(tool.input, 'command') : undefined;
  const text =
    diff ??
    (typeof command === 'string' ? command : tool === undefined ? '' : JSON.stringify(tool.input, null, 2));
  const lines = text.split('\n');
  const cut =
    lines.length > MOST_LINES
      ? [...lines.slice(0, MOST_LINES), `… ${String(lines.length - MOST_LINES)} lines more`]
      : lines;
  return [
    ...(reason === undefined || reason === text ? [] : [`  ${reason}`]),
    ...cut.map((one) => `    ${plain(one)}`),
  ];
}

/** What an agent prints may hold escapes that would paint over the question. */
function plain(text: string): string {
  // oxlint-disable-next-line eslint/no-control-regex -- these are what is looked for
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '�');
}

/** One key; undefined when nobody waits any more. Ctrl-C stays what it is everywhere. */
async function keyPressed(signal: AbortSignal): Promise<string | undefined> {
  if (signal.aborted) return undefined;
  const stdin = process.stdin;
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  const onData = (data: Buffer): void => {
    const key = data.toString();
    if (key === '\u0003') process.kill(process.pid, 'SIGINT');
    resolve(key.toLowerCase().slice(0, 1));
  };
  const onAbort = (): void => resolve(undefined);
  stdin.setRawMode(true);
  stdin.resume();
  stdin.once('data', onData);
  signal.addEventListener('abort', onAbort);
  try {
    return await promise;
  } finally {
    stdin.off('data', onData);
    signal.removeEventListener('abort', onAbort);
    stdin.setRawMode(false);
    stdin.pause();
  }
}

async function line(prompt: string, signal: AbortSignal): Promise<string> {
  const reader = createInterface({ input: process.stdin, output: process.stderr });
  reader.on('SIGINT', () => process.kill(process.pid, 'SIGINT'));
  try {
    return await reader.question(prompt, { signal });
  } finally {
    reader.close();
  }
}
