/** The dialect against the real `claude`: what it writes is taken, what comes back is understood. */
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AgentSettings, Greeted, HandshakeChannel, Step } from '../../src/agents/dialect.ts';
import { claude, type ClaudeState } from '../../src/agents/claude/index.ts';
import { PilotlightError, type TurnInput } from '../../src/protocol/index.ts';
import type { AgentSignal } from '../../src/session/ports.ts';
import { type FakeModel, startFakeModel } from '../../src/testing/index.ts';
import { JsonLinesChild } from '../support/json-lines-child.ts';
import { type RealAgents, realAgents } from '../support/real-agents.ts';

let model: FakeModel;
let agents: RealAgents;

beforeAll(async () => {
  model = await startFakeModel();
  agents = realAgents(model.url);
});
afterAll(async () => {
  await model.close();
  await agents.dispose();
});

function settings(more: Partial<AgentSettings> = {}): AgentSettings {
  return {
    session: 'ses_1',
    cwd: agents.cwd,
    mode: 'bypass',
    freshId: randomUUID(),
    agentOptions: {},
    // Retries are tested, not how patiently.
    env: { ...agents.claude.env, CLAUDE_CODE_MAX_RETRIES: '1' },
    limits: { inactivityTimeoutMs: 60_000, requestTimeoutMs: 30_000, threadTimeoutMs: 10_000 },
    ...more,
  };
}

type Of<K extends AgentSignal['kind']> = Extract<AgentSignal, { kind: K }>;

/** A process with the dialect on it, one session deep: no journal, no runtime. */
class Agent implements AsyncDisposable {
  readonly child: JsonLinesChild;
  readonly settings: AgentSettings;
  readonly signals: AgentSignal[] = [];
  readonly written: string[] = [];
  readonly #inputs = new Map<string, TurnInput>();
  greeted!: Greeted<ClaudeState>;
  #state!: ClaudeState;
  #cursor = 0;
  #n = 0;

  private constructor(settings: AgentSettings) {
    const { file, args, env } = claude.plan({ path: agents.claude.binary }, settings);
    this.settings = settings;
    this.child = new JsonLinesChild({ binary: file, args, cwd: settings.cwd, env: { ...env } });
  }

  static async start(more: Partial<AgentSettings> = {}): Promise<Agent> {
    const agent = new Agent(settings(more));
    try {
      agent.greeted = await claude.greet(agent.#channel(), agent.settings);
    } catch (error) {
      await agent[Symbol.asyncDispose]();
      throw error;
    }
    agent.#state = agent.greeted.state;
    return agent;
  }

  get state(): ClaudeState {
    return this.#state;
  }

  prompt(input: TurnInput): string {
    const turn = `trn_${randomUUID().replaceAll('-', '')}`;
    this.#inputs.set(turn, input);
    this.#take(claude.accept(this.#state, { kind: 'prompt', turn }, this.#ids()));
    return turn;
  }

  interrupt(): void {
    this.#take(claude.accept(this.#state, { kind: 'interrupt' }, this.#ids()));
  }

  answer(request: string, decision: 'allow' | 'deny', message?: string): void {
    const answer = { decision, ...(message === undefined ? {} : { message }) };
    this.#take(claude.accept(this.#state, { kind: 'answer', request, answer }, this.#ids()));
  }

  /** Reads until a signal fits; the state is read back from JSON at every line, as a takeover would. */
  async until<K extends AgentSignal['kind']>(kind: K, from = 0): Promise<Of<K>> {
    for (;;) {
      const found = this.signals.slice(from).find((signal): signal is Of<K> => signal.kind === kind);
      if (found !== undefined) return found;
      await this.#next();
    }
  }

  async turn(
    input: TurnInput,
  ): Promise<{ readonly ended: Of<'ended'>; readonly signals: readonly AgentSignal[] }> {
    const from = this.signals.length;
    const turn = this.prompt(input);
    const ended = await this.until('ended', from);
    if (ended.turn !== turn) throw new Error(`another turn ended: ${String(ended.turn)}`);
    return { ended, signals: this.signals.slice(from) };
  }

  /** Reads on until Claude has said `method`. */
  async heard(method: string): Promise<void> {
    for (;;) {
      const line = await this.#next();
      if (line['method'] === method) return;
    }
  }

  async #next(): Promise<Record<string, unknown>> {
    const at = this.#cursor;
    const line = await this.child.line(() => true, { from: at, timeoutMs: 20_000 });
    this.#cursor += 1;
    this.#state = claude.revive(JSON.parse(JSON.stringify(this.#state)));
    this.#take(claude.translate(this.#state, JSON.stringify(line), this.#ids()));
    return line;
  }

  #take(step: Step<ClaudeState>): void {
    this.#state = step.state;
    this.signals.push(...step.signals);
    for (const write of step.writes) {
      const kept: typeof write = JSON.parse(JSON.stringify(write));
      const context = { settings: this.settings, input: (turn: string) => this.#inputs.get(turn) ?? '' };
      const line = claude.render(kept, context);
      if (line.includes('\n')) throw new Error('a write is one line');
      this.written.push(line);
      this.child.send(JSON.parse(line));
    }
  }

  #ids(): { next(): number } {
    return { next: () => 3_000_000 + (this.#n += 1) };
  }

  #channel(): HandshakeChannel {
    return {
      signal: new AbortController().signal,
      send: (line) => this.child.send(JSON.parse(line)),
      receive: async (pick, { timeoutMs = 30_000 } = {}) => {
        for (;;) {
          const from = this.#cursor;
          const line = await this.child
            .line(() => true, { from, timeoutMs })
            .catch((cause: unknown) => {
              throw new PilotlightError('timeout', 'nothing came', { cause });
            });
          this.#cursor += 1;
          const value = pick(JSON.stringify(line));
          if (value !== undefined) return value;
        }
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const strange = this.signals.filter(
      (signal) => signal.kind === 'notice' && ['unknown_message', 'not_json'].includes(signal.code),
    );
    this.child.endInput();
    await this.child.finished();
    if (strange.length > 0) throw new Error(`not understood: ${JSON.stringify(strange)}`);
  }
}

const kinds = (signals: readonly AgentSignal[]): string[] => signals.map((signal) => signal.kind);
const textsOf = (signals: readonly AgentSignal[]): string[] =>
  signals.flatMap((signal) => (signal.kind === 'text-done' ? [signal.text] : []));

describe('a conversation', () => {
  test('three turns of one process: greets, answers, counts, says its version, has its system prompt', async () => {
    await using agent = await Agent.start({ systemPrompt: 'Speak plainly, zebra.' });
    expect(agent.greeted.version).toMatch(/^2\.\d+\.\d+$/);
    expect(agent.greeted.resumed).toBe(false);
    expect(agent.greeted.agentSessionId).toBe(agent.settings.freshId);
    const costs: number[] = [];
    for (const words of ['Hello there', 'And again', 'Good bye']) {
      const { ended, signals } = await agent.turn(`say ${words}`);
      expect(ended.outcome).toEqual({ kind: 'completed', stopReason: 'end_turn' });
      expect(textsOf(signals)).toEqual([words]);
      expect(kinds(signals)[0]).toBe('receipt');
      expect(kinds(signals).filter((kind) => kind === 'receipt')).toHaveLength(1);
      expect(ended.costs.model).toMatch(/^claude-/);
      expect(ended.costs.agentTurns).toBe(1);
      expect(ended.costs.usage?.totalTokens).toBeGreaterThan(0);
      expect(ended.costs.usage?.contextWindow).toBeGreaterThan(0);
      expect(ended.costs.costUsd).toBeGreaterThan(0);
      costs.push(ended.costs.costUsd ?? 0);
    }
    // Of each turn, not of all so far.
    expect(costs[2]).toBeLessThan((costs[0] ?? 0) + (costs[1] ?? 0));
    expect(agent.state.session).toBe(agent.settings.freshId);
    const request = await model.waitForRequest((one) => one.lastUserText === 'say Hello there');
    expect(JSON.stringify(request)).toContain('Speak plainly, zebra.');
  });
});

describe('tools', () => {
  test('thinks, runs commands, writes files', async () => {
    await using agent = await Agent.start();
    const { signals, ended } = await agent.turn(
      'think about tools\nrun: echo one; exit 3\nwrite: made.txt: words',
    );
    expect(ended.outcome.kind).toBe('completed');
    expect(kinds(signals)).toContain('reasoning-done');
    const tools = signals.filter((signal) => signal.kind === 'tool');
    expect(tools.map((tool) => [tool.name, tool.tool])).toEqual([
      ['Bash', 'execute'],
      ['Write', 'edit'],
    ]);
    expect(signals.filter((signal) => signal.kind === 'tool-done')).toMatchObject([
      { status: 'error', output: expect.stringContaining('one') },
      { status: 'ok' },
    ]);
    expect(existsSync(path.join(agents.cwd, 'made.txt'))).toBe(true);
  });

  test('denied, the turn goes on; allowed, the command runs', async () => {
    await using agent = await Agent.start({ mode: 'default' });
    const from = agent.signals.length;
    agent.prompt('run: touch refused.txt\nrun: touch granted.txt');
    const first = await agent.until('ask', from);
    expect(first.ask).toMatchObject({ kind: 'tool', tool: { name: 'Bash' } });
    agent.answer(first.ask.request, 'deny', 'not this one');
    const denied = await agent.until('tool-done', from);
    expect(denied).toMatchObject({ status: 'denied', output: expect.stringContaining('not this one') });
    const behind = agent.signals.length;
    const second = await agent.until('ask', behind);
    agent.answer(second.ask.request, 'allow');
    expect((await agent.until('tool-done', behind)).status).toBe('ok');
    expect((await agent.until('ended', behind)).outcome.kind).toBe('completed');
    expect(existsSync(path.join(agents.cwd, 'refused.txt'))).toBe(false);
    expect(existsSync(path.join(agents.cwd, 'granted.txt'))).toBe(true);
  });

  test('a question is asked, and answered with words', async () => {
    await using agent = await Agent.start();
    agent.prompt('ask: Which colour? Red | Blue');
    const { ask } = await agent.until('ask');
    expect(ask).toMatchObject({ kind: 'question', questions: [{ text: 'Which colour?' }] });
    agent.answer(ask.request, 'allow', 'Blue');
    const done = await agent.until('tool-done');
    expect(done).toMatchObject({ status: 'ok', output: expect.stringContaining('Blue') });
    await agent.until('ended');
  });

  test('a background task that ends wakes the agent, and that turn ends too', async () => {
    await using agent = await Agent.start();
    const first = await agent.turn('tool: Bash {"command":"sleep 1; echo late","run_in_background":true}');
    expect(first.ended.outcome.kind).toBe('completed');
    const from = agent.signals.length;
    await agent.until('woke', from);
    const ended = await agent.until('ended', from);
    expect(ended.turn).toBeUndefined();
    expect(ended.outcome.kind).toBe('completed');
    expect(agent.state.tasks).toBe(0);
    expect((await agent.turn('say mine')).ended.outcome.kind).toBe('completed');
  });
});

describe('what a person may send', () => {
  test('an image, text that is not well formed, and NUL', async () => {
    await using agent = await Agent.start();
    const data =
      'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
    const image = { type: 'image', mediaType: 'image/png', data } as const;
    const seen = await agent.turn([{ type: 'text', text: 'say seen' }, image]);
    expect(seen.ended.outcome.kind).toBe('completed');
    const request = await model.waitForRequest((one) => JSON.stringify(one).includes(data.slice(0, 60)));
    expect(JSON.stringify(request)).toContain('say seen');
    const broken = await agent.turn('say half \ud83d and \0 done');
    expect(textsOf(broken.signals)).toEqual(['half \ufffd and \ufffd done']);
  });

  test('a command of the CLI itself: its text comes, no model is asked', async () => {
    await using agent = await Agent.start();
    await agent.turn('say first');
    const { ended, signals } = await agent.turn('/context');
    expect(ended.outcome.kind).toBe('completed');
    const said = [...textsOf(signals), ended.outcome.kind === 'completed' ? ended.outcome.text : undefined];
    expect(said.join('\n')).toContain('Context Usage');
  });

  test('/clear: the conversation goes on under another id', async () => {
    await using agent = await Agent.start();
    await agent.turn('say first');
    const { ended, signals } = await agent.turn('/clear');
    expect(ended.outcome.kind).toBe('completed');
    const followed = signals.filter((signal) => signal.kind === 'agent-session').map((signal) => signal.id);
    expect(followed).toEqual([agent.state.session]);
    expect(agent.state.session).not.toBe(agent.settings.freshId);
    const behind = await agent.turn('say behind');
    expect(kinds(behind.signals)).not.toContain('agent-session');
    expect(behind.ended.costs.costUsd).toBeGreaterThan(0);
    await using next = await Agent.start({ resume: agent.state.session });
    expect((await next.turn('say taken up')).ended.outcome.kind).toBe('completed');
  });
});

describe('interrupts', () => {
  test('right behind the prompt', async () => {
    await using agent = await Agent.start();
    agent.prompt('stream 500 words every 20ms');
    agent.interrupt();
    expect((await agent.until('ended')).outcome).toEqual({ kind: 'interrupted' });
    await agent.until('interrupt-acknowledged');
    expect((await agent.turn('say warm')).ended.outcome.kind).toBe('completed');
  });

  test('in mid-stream: what was said is kept, the process stays warm', async () => {
    await using agent = await Agent.start();
    const turn = agent.prompt('stream 500 words every 20ms');
    await agent.until('text');
    agent.interrupt();
    const ended = await agent.until('ended');
    expect(ended).toMatchObject({ turn, outcome: { kind: 'interrupted' } });
    await agent.until('interrupt-acknowledged');
    expect(textsOf(agent.signals).join('')).toMatch(/^word00001 /);
    const next = await agent.turn('say warm');
    expect(textsOf(next.signals)).toEqual(['warm']);
    expect(kinds(next.signals)).not.toContain('woke');
  });

  test('in a command: the tool is cancelled and the command does not live on', async () => {
    await using agent = await Agent.start();
    agent.prompt('run: sleep 2 && touch survived.txt');
    await agent.until('tool');
    agent.interrupt();
    expect((await agent.until('ended')).outcome).toEqual({ kind: 'interrupted' });
    expect(agent.signals.findLast((signal) => signal.kind === 'tool-done')?.status).toBe('cancelled');
    expect((await agent.turn('wait 2s\nsay warm')).ended.outcome.kind).toBe('completed');
    expect(existsSync(path.join(agents.cwd, 'survived.txt'))).toBe(false);
  });

  test('while asking: the request is taken back', async () => {
    await using agent = await Agent.start({ mode: 'default' });
    agent.prompt('run: touch asked.txt');
    const { ask } = await agent.until('ask');
    agent.interrupt();
    expect((await agent.until('ask-withdrawn')).request).toBe(ask.request);
    expect((await agent.until('ended')).outcome).toEqual({ kind: 'interrupted' });
    expect(agent.state.asks).toEqual([]);
    agent.answer(ask.request, 'allow');
    expect((await agent.turn('say warm')).ended.outcome.kind).toBe('completed');
  });
});

describe('resuming', () => {
  test('a conversation is taken up by another process; its cost counts from here', async () => {
    const words = `remember: the code is ${String(Math.floor(Math.random() * 1e6))}`;
    let id: string;
    {
      await using agent = await Agent.start();
      await agent.turn(words);
      id = agent.state.session;
    }
    await using agent = await Agent.start({ resume: id });
    expect(agent.greeted).toMatchObject({ resumed: true, agentSessionId: id });
    const { ended, signals } = await agent.turn('recall');
    expect(textsOf(signals).join('')).toContain(words.slice('remember: '.length));
    expect(ended.costs.costUsd).toBeGreaterThan(0);
    expect(kinds(signals)).not.toContain('agent-session');
  });

  test('one that is not there is refused in words', async () => {
    await expect(Agent.start({ resume: randomUUID() })).rejects.toMatchObject({
      code: 'agent_unavailable',
      message: expect.stringContaining('No conversation found'),
    });
  });
});

describe('failures', () => {
  test.each([
    ['fail 401', 'auth_failed'],
    ['fail 403', 'auth_failed'],
    ['fail 429', 'rate_limited'],
    ['fail 500', 'model_error'],
    ['fail 529', 'model_error'],
    ['fail 400', 'model_error'],
    ['context-error', 'context_exceeded'],
  ])('%s is %s, and the next turn works', async (words, code) => {
    await using agent = await Agent.start();
    const failed = await agent.turn(words);
    expect(failed.ended.outcome).toMatchObject({ kind: 'failed', code });
    expect(textsOf(failed.signals)).toEqual([]);
    expect((await agent.turn('say again')).ended.outcome.kind).toBe('completed');
  });

  // The CLI either says it all again (a retry) or keeps what was said and asks for the rest, as it happens to be cut.
  test.each(['stream 5 words', 'stream 5 words 50ms'])(
    '%s, cut once: every preview has its end',
    async (words) => {
      await using agent = await Agent.start();
      const { ended, signals } = await agent.turn(`${words}\ncut once`);
      expect(ended.outcome.kind).toBe('completed');
      const blocks = (kind: string): string[] =>
        signals.flatMap((signal) => (signal.kind === kind && 'block' in signal ? [signal.block] : []));
      const settled = [...blocks('text-done'), ...blocks('text-void')];
      expect(new Set(settled).size).toBe(settled.length);
      expect(blocks('text').filter((block) => !settled.includes(block))).toEqual([]);
      expect(textsOf(signals).at(-1)?.trim()).toMatch(/word00005$/);
    },
  );
});

describe('the goodbye', () => {
  test('ends a Claude in a turn and with a background task', async () => {
    const agent = await Agent.start();
    await agent.turn('tool: Bash {"command":"sleep 60","run_in_background":true}');
    agent.prompt('stream 500 words every 20ms');
    await agent.until('text');
    const { goodbye } = claude.plan({ path: agents.claude.binary }, agent.settings);
    const began = performance.now();
    for (const line of goodbye.split('\n')) if (line !== '') agent.child.send(JSON.parse(line));
    await agent.child.finished();
    // The task would have gone on for a minute, and stdin is still open.
    expect(performance.now() - began).toBeLessThan(10_000);
    await agent[Symbol.asyncDispose]();
  });
});
