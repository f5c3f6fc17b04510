/** The Codex dialect with its state, driven line by line: the state is read back from JSON at every step, as a takeover would. */
import { codex, type CodexState } from '../../src/agents/codex/index.ts';
import { newState } from '../../src/agents/codex/state.ts';
import type { OutgoingWrite, Step } from '../../src/agents/dialect.ts';
import type { AgentCommand, AgentSignal } from '../../src/session/ports.ts';

export const THREAD = '01a20220-a2c2-7df1-99b0-971031a95220';
export const TURN = 'trn_0192f0c1000070008000000000000001';
export const NEXT = 'trn_0192f0c1000070008000000000000002';
/** Ids that Codex gives to turns. */
export const C1 = '01a20220-a2dc-7270-9c31-0043339d5667';
export const C2 = '01a20220-a325-7151-8f86-6a670e3eae4c';

export class DrivenCodex {
  state: CodexState = newState({ thread: THREAD, model: 'gpt-5.5', effort: null, plan: false });
  signals: AgentSignal[] = [];
  writes: OutgoingWrite[] = [];
  #n = 2_000_000;

  accept(command: AgentCommand): this {
    return this.#take(codex.accept(this.state, command, this.#ids()));
  }

  line(message: object): this {
    return this.raw(JSON.stringify(message));
  }

  raw(line: string): this {
    return this.#take(codex.translate(this.state, line, this.#ids()));
  }

  /** A notification of our thread. */
  said(method: string, params: object = {}): this {
    return this.line({ method, params: { threadId: THREAD, ...params } });
  }

  item(method: 'started' | 'completed', item: object, turnId = C1): this {
    return this.said(`item/${method}`, { item, turnId });
  }

  delta(itemId: string, delta: string, turnId = C1): this {
    return this.said('item/agentMessage/delta', { turnId, itemId, delta });
  }

  prompt(turn = TURN): this {
    return this.accept({ kind: 'prompt', turn });
  }

  /** The answer to the last write. */
  answer(body: object): this {
    return this.line({ id: this.lastId, ...body });
  }

  taken(codexTurn = C1): this {
    return this.answer({ result: { turn: { id: codexTurn, status: 'inProgress', items: [] } } });
  }

  started(codexTurn = C1): this {
    return this.said('turn/started', { turn: { id: codexTurn, status: 'inProgress', items: [] } });
  }

  completed(status = 'completed', more: object = {}, codexTurn = C1): this {
    return this.said('turn/completed', { turn: { id: codexTurn, status, error: null, items: [], ...more } });
  }

  running(): this {
    return this.prompt().taken().started().forget();
  }

  /** From here on. */
  forget(): this {
    this.signals = [];
    this.writes = [];
    return this;
  }

  get lastId(): unknown {
    const ref = this.#last?.ref;
    return typeof ref === 'object' && ref !== null && !Array.isArray(ref) && 'id' in ref
      ? ref['id']
      : undefined;
  }

  #last: OutgoingWrite | undefined;

  get kinds(): string[] {
    return this.signals.map((signal) => signal.kind);
  }

  ended(): Extract<AgentSignal, { kind: 'ended' }>[] {
    return this.signals.filter((signal) => signal.kind === 'ended');
  }

  #ids(): { next(): number } {
    return { next: () => (this.#n += 1) };
  }

  #take(step: Step<CodexState>): this {
    this.state = codex.revive(JSON.parse(JSON.stringify(step.state)));
    this.signals.push(...step.signals);
    this.writes.push(...step.writes);
    this.#last = step.writes.at(-1) ?? this.#last;
    return this;
  }
}

export const start = (): DrivenCodex => new DrivenCodex();
