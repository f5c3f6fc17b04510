/**
 * What the signals of one runtime must add up to, whichever agent speaks: blocks and tools that begin, grow and end once, whole texts
 * that are their deltas, turns that end once.
 * Owns the sums. Knows no agent.
 */
import type { AgentSignal } from '../../src/session/ports.ts';

type Of<K extends AgentSignal['kind']> = Extract<AgentSignal, { kind: K }>;

export class Ledger {
  readonly #fault: (words: string) => void;
  /** Previews by block: what was said of it so far. */
  readonly #previews = new Map<string, string>();
  readonly #settled = new Set<string>();
  readonly #tools = new Set<string>();
  /** Tools that ended: an id that an agent uses again is told again, and the session keeps to the first. */
  readonly #returned = new Set<string>();
  readonly #asks = new Set<string>();
  readonly #turns = new Set<string>();
  readonly #received = new Set<string>();

  /** `fault` is told what does not add up, in words. */
  constructor(fault: (words: string) => void) {
    this.#fault = fault;
  }

  /** A prompt was written. */
  prompt(turn: string): void {
    this.#turns.add(turn);
  }

  signal(signal: AgentSignal): void {
    switch (signal.kind) {
      case 'text':
      case 'reasoning':
        return this.#said(signal);
      case 'text-done':
      case 'reasoning-done':
        return this.#whole(signal);
      case 'text-void':
        if (!this.#previews.delete(signal.block)) this.#fault(`${signal.block} is void and was not open`);
        this.#settled.add(signal.block);
        return;
      case 'tool':
        if (this.#tools.has(signal.id)) this.#fault(`tool ${signal.id} began twice`);
        this.#tools.add(signal.id);
        return;
      case 'tool-done':
        if (!this.#tools.delete(signal.id) && !this.#returned.has(signal.id))
          this.#fault(`tool ${signal.id} ended and never began`);
        this.#returned.add(signal.id);
        return;
      case 'ask':
        this.#asks.add(signal.ask.request);
        return;
      case 'ask-withdrawn':
        if (!this.#asks.delete(signal.request)) this.#fault(`${signal.request} was withdrawn and not open`);
        return;
      case 'receipt':
        return this.#receipt(signal);
      case 'ended':
        return this.#ended(signal);
      case 'steer':
        // Until it is known to be in another turn it has an ending of its own to come.
        if (signal.how === 'written') this.#turns.add(signal.turn);
        else this.#turns.delete(signal.turn);
        return;
      case 'woke':
      case 'tool-output':
      case 'plan':
      case 'usage':
      case 'compacted':
      case 'agent-session':
      case 'interrupt-acknowledged':
      case 'notice':
      case 'settings':
      case 'background':
        return;
    }
  }

  /** What is open: nothing may be, between two turns. */
  get open(): string[] {
    return [...this.#previews.keys(), ...this.#tools, ...this.#turns];
  }

  #said({ block, text }: Of<'text' | 'reasoning'>): void {
    if (this.#settled.has(block)) this.#fault(`${block} goes on behind its end`);
    this.#previews.set(block, (this.#previews.get(block) ?? '') + text);
  }

  #whole({ block, text }: Of<'text-done' | 'reasoning-done'>): void {
    const preview = this.#previews.get(block);
    if (this.#settled.has(block)) this.#fault(`${block} ended twice`);
    if (preview !== undefined && preview !== text)
      this.#fault(`${block} is not its deltas: ${JSON.stringify([text, preview])}`);
    this.#previews.delete(block);
    this.#settled.add(block);
  }

  #receipt({ turn }: Of<'receipt'>): void {
    if (turn === undefined) return;
    if (this.#received.has(turn)) this.#fault(`${turn} was received twice`);
    this.#received.add(turn);
  }

  #ended({ turn }: Of<'ended'>): void {
    if (turn !== undefined && !this.#turns.delete(turn)) this.#fault(`${turn} ended and was not open`);
    if (this.#turns.size > 0) return;
    for (const block of this.#previews.keys()) this.#fault(`${block} stays open behind an ending`);
    // Agents leave tools open; the session closes them with the turn.
    this.#tools.clear();
  }
}
