/**
 * Events → a terminal. The answer's text goes to stdout; tools, notices and the ending's costs go to stderr, so that a pipe gets the text alone.
 * Deltas are previews: what was shown and is then discarded is said so, and a message that came only whole is shown whole.
 */
import type { Costs, EventData, SessionEvent } from '../protocol/index.ts';
import { harmless, type Output } from './output.ts';

export class Renderer {
  readonly #output: Output;
  /** Characters of each open message that were shown. */
  readonly #shown = new Map<string, number>();
  #column = 0;

  constructor(output: Output) {
    this.#output = output;
  }

  show(event: SessionEvent): void {
    if (this.#output.json) {
      this.#output.object(event);
      return;
    }
    switch (event.type) {
      case 'message.delta':
        if (event.data.parent === undefined) this.#delta(event.data);
        return;
      case 'message.completed':
        if (event.data.parent === undefined) this.#completed(event.data);
        return;
      case 'message.discarded':
        this.#discarded(event.data);
        return;
      case 'tool.started':
        this.#aside('cyan', `● ${event.data.name} ${briefly(event.data.input)}`);
        return;
      case 'tool.completed':
        if (event.data.status !== 'ok')
          this.#aside('yellow', `  ${event.data.status}: ${firstLine(event.data.output)}`);
        return;
      case 'permission.resolved':
        this.#aside('yellow', `  ${event.data.decision}: ${event.data.message ?? ''}`);
        return;
      case 'notice':
        if (event.data.level !== 'info')
          this.#aside(event.data.level === 'error' ? 'red' : 'yellow', `! ${event.data.message}`);
        return;
      case 'turn.completed':
      case 'turn.failed':
      case 'turn.interrupted':
        this.#ending(event);
        return;
      default:
        return;
    }
  }

  #delta(data: EventData<'message.delta'>): void {
    this.#shown.set(data.message, (this.#shown.get(data.message) ?? 0) + data.text.length);
    this.#write(data.text);
  }

  #completed(data: EventData<'message.completed'>): void {
    const shown = this.#shown.get(data.message) ?? 0;
    this.#shown.delete(data.message);
    this.#write(data.text.slice(shown));
    if (this.#column > 0) this.#write('\n');
  }

  #discarded(data: EventData<'message.discarded'>): void {
    if (!this.#shown.delete(data.message)) return;
    if (this.#column > 0) this.#write('\n');
    this.#aside('dim', `(the text above is void: ${data.reason})`);
  }

  #ending(
    event: Extract<SessionEvent, { type: 'turn.completed' | 'turn.failed' | 'turn.interrupted' }>,
  ): void {
    if (this.#column > 0) this.#write('\n');
    if (event.type === 'turn.failed') {
      this.#aside('red', `✗ ${event.data.code}: ${event.data.message}`);
      if (event.data.stderrTail !== undefined) this.#aside('dim', event.data.stderrTail.trimEnd());
      if (event.data.effects === 'none')
        this.#aside('dim', '  The agent never saw the message: it can be sent again.');
    }
    if (event.type === 'turn.interrupted')
      this.#aside('yellow', `■ interrupted by ${event.data.by.name ?? event.data.by.kind}`);
    if (this.#output.tty) this.#aside('dim', costsLine(event.data));
  }

  #write(text: string): void {
    if (text === '') return;
    this.#output.text(text);
    this.#column = text.endsWith('\n') ? 0 : 1;
  }

  #aside(format: 'cyan' | 'yellow' | 'red' | 'dim', text: string): void {
    if (this.#column > 0) this.#write('\n');
    this.#output.note(this.#output.style(format, harmless(text)));
  }
}

function costsLine(costs: Costs): string {
  const parts = [
    costs.ttftMs === undefined ? undefined : `first token ${String(costs.ttftMs)} ms`,
    `${(costs.durationMs / 1000).toFixed(1)} s`,
    costs.usage === undefined ? undefined : `${String(costs.usage.totalTokens)} tokens`,
    costs.costUsd === undefined ? undefined : `$${costs.costUsd.toFixed(4)}`,
  ];
  return `  ${parts.filter((part) => part !== undefined).join(' · ')}`;
}

function briefly(input: unknown): string {
  if (typeof input !== 'object' || input === null) return '';
  for (const key of ['command', 'file_path', 'path', 'pattern', 'url', 'query']) {
    const value: unknown = Reflect.get(input, key);
    if (typeof value === 'string') return firstLine(value);
  }
  return firstLine(JSON.stringify(input));
}

function firstLine(text: string): string {
  const line = text.split('\n', 1)[0] ?? '';
  return line.length > 120 ? `${line.slice(0, 119)}…` : line;
}
