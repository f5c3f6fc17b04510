/**
 * One agent process with its dialect under watch, on the real runtime: a child of this process, a journal in memory, no session.
 * Owns what the agent said, in signals and in bytes. Knows no agent and no session rules: what is written is what a case says.
 */
import { randomUUID } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import type { AgentBinary, AgentSettings, Dialect } from '../../src/agents/dialect.ts';
import { createDirectHost } from '../../src/process/index.ts';
import type { TurnInput } from '../../src/protocol/index.ts';
import { Lifetime } from '../../src/runtime/lifetime.ts';
import type { AgentCommand, AgentSignal, AskAnswer, RuntimeInput } from '../../src/session/ports.ts';
import { MemoryJournal } from '../support/memory-journal.ts';
import { Ledger } from './ledger.ts';
import { strict } from './strict.ts';

/** Whose agent it is: the dialect, where it is installed, and what every session of it is started with. */
export interface Installed<S = unknown> {
  readonly dialect: Dialect<S>;
  readonly binary: AgentBinary;
  readonly settings: Pick<AgentSettings, 'cwd' | 'env'> & Partial<AgentSettings>;
  /** Bytes of the longest line. */
  readonly maxLine?: number;
}

export type Of<K extends AgentSignal['kind']> = Extract<AgentSignal, { kind: K }>;
type Life<K extends RuntimeInput['kind']> = Extract<RuntimeInput, { kind: K }>;

/** Nothing is waited for longer. */
const PATIENCE_MS = 20_000;
const MAX_LINE = 16 * 1024 * 1024;
const LIMITS = { inactivityTimeoutMs: 60_000, requestTimeoutMs: 30_000, threadTimeoutMs: 10_000 };

/** The start failed: `code` and `stderrTail` as a session would be told. */
export class StartFailed extends Error {
  readonly code: string;
  readonly stderrTail: string;

  constructor({ code, message, stderrTail = '' }: Life<'runtime-failed'>) {
    super(message);
    this.code = code;
    this.stderrTail = stderrTail;
  }
}

export class Agent<S = unknown> implements AsyncDisposable {
  readonly settings: AgentSettings;
  readonly signals: AgentSignal[] = [];
  /** Everything that was written to it and that it printed, as text. */
  readonly written: string[] = [];
  printed = '';
  state!: S;
  ready!: Life<'runtime-ready'>;
  gone: Life<'runtime-ended'> | undefined;
  /** What must never be, of any agent in any case. */
  readonly faults: string[] = [];
  readonly #ledger = new Ledger((words) => this.faults.push(words));
  readonly #inputs = new Map<string, TurnInput>();
  readonly #journal = new MemoryJournal();
  readonly #children = createDirectHost({ homeId: 'conformance' });
  readonly #news = new EventEmitter();
  readonly #lifetime: Lifetime;
  #failed: Life<'runtime-failed'> | undefined;

  private constructor(installed: Installed<S>, more: Partial<AgentSettings>) {
    this.settings = {
      session: 'ses_1',
      mode: 'bypass',
      freshId: randomUUID(),
      agentOptions: {},
      limits: LIMITS,
      ...installed.settings,
      ...more,
    };
    const { settings } = this;
    const { binary, maxLine = MAX_LINE } = installed;
    const apply = (_: unknown, inputs: readonly RuntimeInput[]): void =>
      inputs.forEach((one) => this.#hear(one));
    this.#lifetime = new Lifetime({
      // The mark by which its tree is found and ended: nobody else's.
      id: `rt_${randomUUID()}`,
      sessions: [{ id: 'ses_1', apply, output: () => undefined, pause: () => undefined }],
      onGone: () => undefined,
      ports: {
        children: this.#children,
        committer: this.#journal,
        dialect: this.#watched(installed.dialect),
        generation: 3,
        bounds: { startTimeoutMs: PATIENCE_MS, stdinTimeoutMs: PATIENCE_MS, maxLine },
        input: (turn) => this.#inputs.get(turn) ?? '',
        memory: async () => undefined,
        place: () => undefined,
        settings: async () => ({ settings, binary }),
        report: (error) => this.faults.push(`reported: ${String(error)}`),
        trace: (way, text) => this.#trace(way, text),
      },
    });
  }

  /** Rejects with {@link StartFailed}. */
  static async start<S>(installed: Installed<S>, more: Partial<AgentSettings> = {}): Promise<Agent<S>> {
    const agent = new Agent(installed, more);
    await agent.#journal.commit((draft) => agent.#lifetime.start(draft));
    await agent.#until(() => agent.#failed ?? (agent.ready as Life<'runtime-ready'> | undefined));
    if (agent.#failed !== undefined) throw new StartFailed(agent.#failed);
    return agent;
  }

  /** What is still open: nothing, between two turns. */
  get open(): readonly string[] {
    return this.#ledger.open;
  }

  prompt(input: TurnInput): Turn {
    const id = this.#minted(input);
    this.#ledger.prompt(id);
    const turn = new Turn(this, id);
    this.#say({ kind: 'prompt', turn: id });
    return turn;
  }

  /** Says it and waits for its ending. */
  async turn(
    input: TurnInput,
  ): Promise<{ readonly ended: Of<'ended'>; readonly signals: readonly AgentSignal[] }> {
    const turn = this.prompt(input);
    const ended = await turn.ended();
    return { ended, signals: turn.signals };
  }

  interrupt(): void {
    this.#say({ kind: 'interrupt' });
  }

  tell(settings: Omit<Extract<AgentCommand, { kind: 'settings' }>, 'kind'>): void {
    this.#say({ kind: 'settings', ...settings });
  }

  /** A message for the turn that runs: its id. */
  steer(input: TurnInput): string {
    const turn = this.#minted(input);
    this.#say({ kind: 'steer', turn });
    return turn;
  }

  unsteer(turn: string): void {
    this.#say({ kind: 'unsteer', turn });
  }

  answer(request: string, decision: 'allow' | 'deny', more: Partial<AskAnswer> = {}): void {
    this.#say({ kind: 'answer', request, answer: { decision, ...more } });
  }

  /** The first signal of a kind, from number `from` on. */
  until<K extends AgentSignal['kind']>(kind: K, from = 0): Promise<Of<K>> {
    return this.#until(() =>
      this.signals.slice(from).find((signal): signal is Of<K> => signal.kind === kind),
    );
  }

  /** Waits until it has printed `text`, from a place in {@link printed} on. */
  async heard(text: string, from = 0): Promise<void> {
    await this.#until(() => this.printed.indexOf(text, from) >= 0 || undefined);
  }

  notices(from = 0): string[] {
    return this.signals.slice(from).flatMap((signal) => (signal.kind === 'notice' ? [signal.code] : []));
  }

  /** Asks it to end, by the ladder from the goodbye on. */
  async end(): Promise<Life<'runtime-ended'>> {
    await this.#journal.commit((draft) => this.#lifetime.end(draft, 'closed'));
    return this.exit();
  }

  kill(): void {
    process.kill(this.ready.pid, 'SIGKILL');
  }

  exit(): Promise<Life<'runtime-ended'>> {
    return this.#until(() => this.gone);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#children[Symbol.asyncDispose]();
  }

  #watched(dialect: Dialect<S>): Dialect<S> {
    const watched = strict(dialect, (words) => this.faults.push(words));
    const keep = <T extends { readonly state: S }>(step: T): T => {
      this.state = step.state;
      return step;
    };
    return {
      ...watched,
      greet: async (channel, settings) => keep(await watched.greet(channel, settings)),
      accept: (state, command, ids) => keep(watched.accept(state, command, ids)),
      translate: (state, line, ids) => keep(watched.translate(state, line, ids)),
    };
  }

  #minted(input: TurnInput): string {
    const id = `trn_${randomUUID().replaceAll('-', '')}`;
    this.#inputs.set(id, input);
    return id;
  }

  #say(command: AgentCommand): void {
    this.#journal
      .commit((draft) => {
        for (const signal of this.#lifetime.say(draft, command)) this.#signal(signal);
      })
      .then(
        () => this.#news.emit('news'),
        (error: unknown) => this.faults.push(`not said: ${String(error)}`),
      );
  }

  #hear(input: RuntimeInput): void {
    if (input.kind === 'agent') this.#signal(input.signal);
    if (input.kind === 'runtime-ready') this.ready = input;
    if (input.kind === 'runtime-failed') this.#failed = input;
    if (input.kind === 'runtime-ended') this.gone = input;
    if (input.kind === 'runtime-broken') this.faults.push(`broken: ${input.code}`);
    // Behind the commit that it is a part of.
    setImmediate(() => this.#news.emit('news'));
  }

  #signal(signal: AgentSignal): void {
    this.signals.push(signal);
    this.#ledger.signal(signal);
  }

  #trace(way: 'in' | 'out' | 'err', text: string): void {
    if (way === 'in') this.written.push(text);
    if (way === 'out') this.printed += text;
    this.#news.emit('news');
  }

  async #until<T>(found: () => T | undefined): Promise<T> {
    const signal = AbortSignal.timeout(PATIENCE_MS);
    for (;;) {
      const value = found();
      if (value !== undefined) return value;
      if (this.gone !== undefined) throw new Error(`It ended (${JSON.stringify(this.gone)})${this.#story()}`);
      await once(this.#news, 'news', { signal }).catch((cause: unknown) => {
        throw new Error(`It did not come.${this.#story()}`, { cause });
      });
    }
  }

  #story(): string {
    const last = this.signals.slice(-8).map((signal) => JSON.stringify(signal).slice(0, 300));
    return `\nLast signals:\n${last.join('\n')}\nLast words:\n${this.printed.slice(-2000)}`;
  }
}

/** A turn as seen from its prompt on. */
export class Turn {
  readonly id: string;
  readonly #agent: Agent;
  readonly #from: number;

  constructor(agent: Agent, id: string) {
    this.#agent = agent;
    this.id = id;
    this.#from = agent.signals.length;
  }

  get signals(): readonly AgentSignal[] {
    return this.#agent.signals.slice(this.#from);
  }

  until<K extends AgentSignal['kind']>(kind: K): Promise<Of<K>> {
    return this.#agent.until(kind, this.#from);
  }

  /** Its ending; fails when another turn's comes first. */
  async ended(): Promise<Of<'ended'>> {
    const ended = await this.until('ended');
    if (ended.turn !== this.id) throw new Error(`Another turn ended: ${String(ended.turn)}`);
    return ended;
  }
}

export const kinds = (signals: readonly AgentSignal[]): string[] => signals.map((signal) => signal.kind);
export const textsOf = (signals: readonly AgentSignal[]): string[] =>
  signals.flatMap((signal) => (signal.kind === 'text-done' ? [signal.text] : []));
