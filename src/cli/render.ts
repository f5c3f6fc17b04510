/**
 * Events → a terminal. The answer's text goes to stdout; tools, notices and the ending's costs go to stderr, so that a pipe gets the text alone.
 * Deltas are previews: what was shown and does not hold is said to be void, and the true text follows whole.
 */
import type { Costs, EventData, SessionEvent } from '../protocol/index.ts';
import type { Format, Output } from './output.ts';

export interface RenderOptions {
  /** Whether to show this text of a message that was sent. Default: none is shown, whoever sent it knows it. */
  readonly showsQuestion?: (text: string) => boolean;
}

export class Renderer {
  readonly #output: Output;
  readonly #showsQuestion: (text: string) => boolean;
  /** What was shown of each open message. */
  readonly #shown = new Map<string, string>();
  /** Whether the last text left the cursor inside a line. */
  #midLine = false;

  constructor(output: Output, options: RenderOptions = {}) {
    this.#output = output;
    this.#showsQuestion = options.showsQuestion ?? (() => false);
  }

  show(event: SessionEvent): void {
    if (this.#output.json) return this.#output.object(event);
    switch (event.type) {
      case 'turn.queued':
        return this.#question(event.data);
      case 'message.delta':
        return this.#delta(event.data);
      case 'message.completed':
        return this.#completed(event.data);
      case 'message.discarded':
        return this.#discarded(event.data);
      case 'tool.started':
        return this.aside('cyan', `● ${event.data.name} ${briefly(event.data.input)}`);
      case 'tool.completed':
        if (event.data.status !== 'ok')
          this.aside('yellow', `  ${event.data.status}: ${firstLine(event.data.output)}`);
        return;
      case 'permission.requested':
        return this.aside('yellow', asks(event.data));
      case 'permission.resolved':
        return this.aside('yellow', resolved(event.data));
      case 'notice':
        if (event.data.level !== 'info')
          this.aside(event.data.level === 'error' ? 'red' : 'yellow', `! ${event.data.message}`);
        return;
      case 'turn.completed':
      case 'turn.failed':
      case 'turn.interrupted':
        return this.#ending(event);
      default:
        return;
    }
  }

  #question({ input }: EventData<'turn.queued'>): void {
    const text = inputText(input);
    if (this.#showsQuestion(text)) this.aside('bold', `› ${text}`);
  }

  #delta(data: EventData<'message.delta'>): void {
    if (data.parent !== undefined) return;
    this.#shown.set(data.message, (this.#shown.get(data.message) ?? '') + data.text);
    this.#write(data.text);
  }

  #completed(data: EventData<'message.completed'>): void {
    if (data.parent !== undefined) return;
    const shown = this.#shown.get(data.message) ?? '';
    this.#shown.delete(data.message);
    if (data.text.startsWith(shown)) this.#write(data.text.slice(shown.length));
    else {
      this.#void('the answer is another one');
      this.#write(data.text);
    }
    this.#endLine();
  }

  #discarded(data: EventData<'message.discarded'>): void {
    if (this.#shown.delete(data.message)) this.#void(data.reason);
  }

  #void(reason: string): void {
    this.#endLine();
    this.aside('dim', `(the text above is void: ${reason})`);
  }

  #ending(
    event: Extract<SessionEvent, { type: 'turn.completed' | 'turn.failed' | 'turn.interrupted' }>,
  ): void {
    this.#shown.clear();
    this.#endLine();
    if (event.type === 'turn.failed') {
      this.aside('red', `✗ ${event.data.code}: ${event.data.message}`);
      if (event.data.stderrTail !== undefined) this.aside('dim', event.data.stderrTail.trimEnd());
      if (event.data.effects === 'none')
        this.aside('dim', '  The agent never saw the message: it can be sent again.');
    }
    if (event.type === 'turn.interrupted')
      this.aside('yellow', `■ interrupted by ${event.data.by.name ?? event.data.by.kind}`);
    if (this.#output.attended) this.aside('dim', costsLine(event.data));
  }

  #write(text: string): void {
    if (text === '') return;
    this.#output.text(text);
    this.#midLine = !text.endsWith('\n');
  }

  #endLine(): void {
    if (this.#midLine) this.#write('\n');
  }

  /** A message beside the text, from here or from whoever renders. Only where both are seen together does it end the text's line. */
  aside(format: Format, text: string): void {
    if (this.#output.oneScreen) this.#endLine();
    this.#output.note(text, format);
  }
}

/** A message that was sent, as text. */
export function inputText(input: EventData<'turn.queued'>['input']): string {
  if (typeof input === 'string') return input;
  return input.map((block) => (block.type === 'text' ? block.text : `(${block.mediaType})`)).join('\n');
}

/** What a turn cost, in one line. */
export function costsLine(costs: Costs): string {
  const parts = [
    costs.ttftMs === undefined ? undefined : `first token ${String(Math.round(costs.ttftMs))} ms`,
    `${(costs.durationMs / 1000).toFixed(1)} s`,
    costs.usage === undefined ? undefined : `${String(costs.usage.totalTokens)} tokens`,
    costs.costUsd === undefined ? undefined : `$${costs.costUsd.toFixed(4)}`,
    costs.rssMb === undefined ? undefined : `${String(costs.rssMb)} MB`,
  ];
  return `  ${parts.filter((part) => part !== undefined).join(' · ')}`;
}

function asks(data: EventData<'permission.requested'>): string {
  if (data.kind === 'tool' && data.tool !== undefined)
    return `? wants to use ${data.tool.name} ${briefly(data.tool.input)}`;
  const questions = (data.questions ?? []).map(({ text }) => firstLine(text));
  return `? asks: ${questions.join(' / ')}`;
}

function resolved(data: EventData<'permission.resolved'>): string {
  const words = { allow: 'allowed', allow_for_session: 'allowed for the session', deny: 'denied' };
  const word = data.decision === 'cancelled' ? 'cancelled' : words[data.decision];
  const why = data.message === undefined ? '' : `: ${firstLine(data.message)}`;
  return `  ${word} by ${data.by.name ?? data.by.kind}${why}`;
}

function briefly(input: unknown): string {
  if (typeof input !== 'object' || input === null) return '';
  for (const key of ['command', 'file_path', 'path', 'pattern', 'url', 'query']) {
    const value: unknown = Reflect.get(input, key);
    if (typeof value === 'string') return firstLine(value);
  }
  // What a question asks is shown where it is asked.
  if ('questions' in input) return '';
  return firstLine(JSON.stringify(input));
}

function firstLine(text: string): string {
  const line = text.split('\n', 1)[0] ?? '';
  return line.length > 140 ? `${line.slice(0, 139)}…` : line;
}
