/**
 * Masks known secrets in what a runtime tells its sessions, before it is committed (P9).
 * Owns the ends of streams that are held back because they may be the beginning of a secret. Knows no agent and no session.
 *
 * What is held back lives in memory: a daemon that dies in that moment loses the last characters of a preview; the whole text follows with its completion.
 */
import type { Addressed, Told } from '../agents/dialect.ts';
import type { Redaction } from '../redact/index.ts';
import type { RuntimeInput } from '../session/ports.ts';

type Question = NonNullable<Extract<Addressed, { kind: 'ask' }>['ask']['questions']>[number];
type Streamed = Extract<Addressed, { kind: 'text' | 'reasoning' | 'tool-output' }>;

export class Redacting {
  #redaction: Redaction;
  /** Stream → the delta that its end was held back from, with only that end. */
  #held = new Map<string, Streamed>();

  constructor(redaction: Redaction) {
    this.#redaction = redaction;
  }

  /** Call the result to put back what is held, when what was made of it is not kept. */
  remember(): () => void {
    const before = new Map(this.#held);
    return () => {
      this.#held = before;
    };
  }

  signals(signals: readonly Addressed[]): Addressed[];
  signals(signals: readonly Told[]): Told[];
  signals(signals: readonly Told[]): Told[] {
    return signals.flatMap((signal) => this.#signal(signal));
  }

  /** More is known to be secret; what is held back stays. */
  become(redaction: Redaction): void {
    this.#redaction = redaction;
  }

  /** Words about the process: its own error messages are in them. */
  input<T extends RuntimeInput>(input: T): T {
    const message = 'message' in input ? { message: this.#redaction.maskCut(input.message) } : {};
    const tail = 'stderrTail' in input ? input.stderrTail : undefined;
    return {
      ...input,
      ...message,
      ...(tail === undefined ? {} : { stderrTail: this.#redaction.maskCut(wholeLines(tail)) }),
    };
  }

  #signal(signal: Told): readonly Told[] {
    const { mask } = this;
    switch (signal.kind) {
      case 'text':
      case 'reasoning':
      case 'tool-output':
        return this.#streamed(signal);
      case 'text-done':
      case 'reasoning-done':
        return this.#completed(streamOf(signal), { ...signal, text: mask(signal.text) }, signal.text);
      case 'text-void':
        this.#held.delete(streamOf(signal));
        return [signal];
      case 'tool-done':
        return this.#completed(streamOf(signal), { ...signal, output: mask(signal.output) }, signal.output);
      case 'tool':
        return [{ ...signal, input: this.#deep(signal.input) }];
      case 'plan':
        return [{ ...signal, entries: signal.entries.map((one) => ({ ...one, text: mask(one.text) })) }];
      case 'compacted':
        return [signal.summary === undefined ? signal : { ...signal, summary: mask(signal.summary) }];
      case 'ask':
        return [{ ...signal, ask: this.#ask(signal.ask) }];
      case 'ended':
        return [...this.#rest(signal.to), { ...signal, outcome: this.#outcome(signal.outcome) }];
      case 'notice':
        return [this.#notice(signal)];
      case 'settings':
        return [signal.how === 'refused' ? { ...signal, message: mask(signal.message) } : signal];
      case 'join-failed':
        return [{ ...signal, message: this.#redaction.maskCut(signal.message) }];
      case 'joined':
      case 'left':
      case 'steer':
      case 'receipt':
      case 'woke':
      case 'usage':
      case 'ask-withdrawn':
      case 'background':
      case 'agent-session':
      case 'interrupt-acknowledged':
        return [signal];
    }
  }

  readonly mask = (text: string): string => this.#redaction.mask(text);

  #streamed(signal: Streamed): readonly Addressed[] {
    const stream = streamOf(signal);
    const text = (this.#held.get(stream)?.text ?? '') + signal.text;
    const { shown, held } = this.#redaction.split(text);
    if (held === '') this.#held.delete(stream);
    else this.#held.set(stream, { ...signal, text: held });
    return shown === '' ? [] : [{ ...signal, text: shown }];
  }

  /** The stream is complete: what was held back of it is said, if the whole ends with that. A secret may have gone on in what was not streamed. */
  #completed(stream: string, done: Told, whole: string): readonly Told[] {
    const held = this.#held.get(stream);
    this.#held.delete(stream);
    return held !== undefined && whole.endsWith(held.text) && this.mask(whole).endsWith(held.text)
      ? [held, done]
      : [done];
  }

  /** What is held back for this one is not waited for any more: it is gone. */
  forget(to: string): void {
    this.#take(to);
  }

  /** The turn is over and these streams of it were never completed: what was held back is said. Those of others go on. */
  #rest(to: string | undefined): Addressed[] {
    return this.#take(to).map((one) => ({ ...one, text: this.mask(one.text) }));
  }

  #take(to: string | undefined): readonly Streamed[] {
    const taken = [...this.#held].filter(([, one]) => one.to === to);
    for (const [stream] of taken) this.#held.delete(stream);
    return taken.map(([, one]) => one);
  }

  #outcome(outcome: Extract<Addressed, { kind: 'ended' }>['outcome']): typeof outcome {
    if (outcome.kind === 'failed') return { ...outcome, message: this.#redaction.maskCut(outcome.message) };
    if (outcome.kind === 'completed' && outcome.text !== undefined)
      return { ...outcome, text: this.mask(outcome.text) };
    return outcome;
  }

  #notice(signal: Extract<Addressed, { kind: 'notice' }>): Addressed {
    const message = this.#redaction.maskCut(signal.message);
    return signal.raw === undefined
      ? { ...signal, message }
      : { ...signal, message, raw: this.#deep(signal.raw, (text) => this.#redaction.maskCut(text)) };
  }

  /** What of a runtime's own state would be written. */
  json(value: unknown): unknown {
    const text = JSON.stringify(value);
    const masked = this.mask(text);
    return masked === text ? value : JSON.parse(masked);
  }

  #ask(ask: Extract<Addressed, { kind: 'ask' }>['ask']): typeof ask {
    const { tool, diff, reason, questions } = ask;
    return {
      ...ask,
      ...(tool === undefined ? {} : { tool: { ...tool, input: this.#deep(tool.input) } }),
      ...(diff === undefined ? {} : { diff: this.mask(diff) }),
      ...(reason === undefined ? {} : { reason: this.mask(reason) }),
      ...(questions === undefined ? {} : { questions: questions.map((one) => this.#question(one)) }),
    };
  }

  #question(question: Question): Question {
    const { text, options } = question;
    const masked = options?.map(({ label, description }) => ({
      label: this.mask(label),
      ...(description === undefined ? {} : { description: this.mask(description) }),
    }));
    return { ...question, text: this.mask(text), ...(masked === undefined ? {} : { options: masked }) };
  }

  /** Every text in a value, names of fields too. */
  #deep(value: unknown, mask = this.mask): unknown {
    if (typeof value === 'string') return mask(value);
    if (Array.isArray(value)) return value.map((one) => this.#deep(one, mask));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [mask(key), this.#deep(one, mask)]));
  }
}

function streamOf(signal: Addressed & ({ readonly block: string } | { readonly id: string })): string {
  const to = signal.to ?? '';
  return 'block' in signal ? `${to} block ${signal.block}` : `${to} tool ${signal.id}`;
}

/** A tail of 8 KiB begins anywhere, in a secret too: what stands before its first line break is left out. */
function wholeLines(tail: string): string {
  return tail.length < 8000 ? tail : tail.slice(tail.indexOf('\n') + 1);
}
