/** The dialect against the real `codex app-server`: what it writes is taken, what comes back is understood. */
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AgentSettings, Greeted, HandshakeChannel, Step } from '../../src/agents/dialect.ts';
import { codex, type CodexState } from '../../src/agents/codex/index.ts';
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

/** No waiting between retries of requests: what is retried is tested, not how patiently. */
const IMPATIENT = {
  'model_providers.mock.request_max_retries': 0,
  'model_providers.mock.stream_max_retries': 2,
};

function settings(more: Partial<AgentSettings> = {}): AgentSettings {
  return {
    session: 'ses_1',
    cwd: agents.cwd,
    mode: 'bypass',
    freshId: randomUUID(),
    agentOptions: { config: IMPATIENT },
    env: agents.codex.env,
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
  greeted!: Greeted<CodexState>;
  #state!: CodexState;
  #cursor = 0;
  #n = 0;

  private constructor(settings: AgentSettings) {
    const { file, args, env } = codex.plan({ path: agents.codex.binary }, settings);
    this.settings = settings;
    this.child = new JsonLinesChild({ binary: file, args, cwd: settings.cwd, env: { ...env } });
  }

  static async start(more: Partial<AgentSettings> = {}): Promise<Agent> {
    const agent = new Agent(settings(more));
    try {
      agent.greeted = await codex.greet(agent.#channel(), agent.settings);
    } catch (error) {
      await agent[Symbol.asyncDispose]();
      throw error;
    }
    agent.#state = agent.greeted.state;
    return agent;
  }

  get state(): CodexState {
    return this.#state;
  }

  prompt(input: TurnInput): string {
    const turn = `trn_${randomUUID().replaceAll('-', '')}`;
    this.#inputs.set(turn, input);
    this.#take(codex.accept(this.#state, { kind: 'prompt', turn }, this.#ids()));
    return turn;
  }

  interrupt(): void {
    this.#take(codex.accept(this.#state, { kind: 'interrupt' }, this.#ids()));
  }

  answer(request: string, decision: 'allow' | 'deny', message?: string): void {
    const answer = { decision, ...(message === undefined ? {} : { message }) };
    this.#take(codex.accept(this.#state, { kind: 'answer', request, answer }, this.#ids()));
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

  /** Reads on until Codex has said `method`. */
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
    this.#state = codex.revive(JSON.parse(JSON.stringify(this.#state)));
    this.#take(codex.translate(this.#state, JSON.stringify(line), this.#ids()));
    return line;
  }

  #take(step: Step<CodexState>): void {
    this.#state = step.state;
    this.signals.push(...step.signals);
    for (const write of step.writes) {
      const kept: typeof write = JSON.parse(JSON.stringify(write));
      const context = { settings: this.settings, input: (turn: string) => this.#inputs.get(turn) ?? '' };
      const line = codex.render(kept, context);
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

describe('a conversation', () => {
  test('greets, answers, counts and says its version', async () => {
    await using agent = await Agent.start({ systemPrompt: 'Speak plainly.' });
    expect(agent.greeted.version).toMatch(/^0\.\d+\.\d+$/);
    expect(agent.greeted.resumed).toBe(false);
    expect(agent.greeted.agentSessionId).toBe(agent.state.thread);
    const { ended, signals } = await agent.turn('say Hello there');
    expect(ended.outcome).toEqual({ kind: 'completed', stopReason: 'end_turn' });
    expect(signals.filter((signal) => signal.kind === 'text-done').map((signal) => signal.text)).toEqual([
      'Hello there',
    ]);
    expect(kinds(signals).indexOf('receipt')).toBe(0);
    expect(ended.costs.model).toBe('gpt-5.5');
    expect(ended.costs.agentTurns).toBe(1);
    expect(ended.costs.usage?.totalTokens).toBeGreaterThan(0);
    const request = await model.waitForRequest((one) => one.lastUserText === 'say Hello there');
    expect(JSON.stringify(request)).toContain('Speak plainly.');
  });

  test('thinks, runs commands, changes files', async () => {
    await using agent = await Agent.start();
    const { signals, ended } = await agent.turn(
      'think about tools\nrun: echo one; exit 3\nwrite: made.txt: words',
    );
    expect(ended.outcome.kind).toBe('completed');
    expect(kinds(signals)).toContain('reasoning-done');
    const tools = signals.filter((signal) => signal.kind === 'tool');
    expect(tools.map((tool) => [tool.name, tool.tool])).toEqual([
      ['shell', 'execute'],
      ['apply_patch', 'edit'],
    ]);
    expect(signals.filter((signal) => signal.kind === 'tool-done')).toMatchObject([
      { status: 'error', output: 'one\n' },
      { status: 'ok' },
    ]);
    expect(existsSync(path.join(agents.cwd, 'made.txt'))).toBe(true);
  });

  test('takes an image, text that is not well formed, and nothing at all', async () => {
    await using agent = await Agent.start();
    const data =
      'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
    const image = { type: 'image', mediaType: 'image/png', data } as const;
    const seen = await agent.turn([{ type: 'text', text: 'say seen' }, image]);
    expect(seen.ended.outcome.kind).toBe('completed');
    const broken = await agent.turn('say half \ud83d done');
    expect(broken.ended.outcome.kind).toBe('completed');
    const empty = await agent.turn('');
    expect(empty.ended.outcome.kind).toBe('completed');
  });

  test('a message that is too long fails with a reason, and the next one works', async () => {
    await using agent = await Agent.start();
    const { ended } = await agent.turn('x'.repeat(1_100_000));
    expect(ended.outcome).toMatchObject({ kind: 'failed', code: 'agent_error' });
    expect(ended.outcome).toHaveProperty('message', expect.stringContaining('too long'));
    expect((await agent.turn('say still here')).ended.outcome.kind).toBe('completed');
  });

  test('a message while a turn runs is taken into it', async () => {
    await using agent = await Agent.start();
    agent.prompt('stream 200 words every 20ms');
    await agent.until('text');
    const steered = agent.prompt('say steered');
    const from = agent.signals.length;
    expect((await agent.until('receipt', from)).turn).toBe(steered);
    const ended = await agent.until('ended', from);
    expect(ended.turn).not.toBe(steered);
    expect(agent.signals.slice(from).filter((signal) => signal.kind === 'text-done')).toMatchObject([
      { text: 'steered' },
    ]);
    expect(kinds(agent.signals.slice(from))).toContain('text-void');
  });
});

describe('interrupts', () => {
  test('right behind the prompt: written once the turn runs', async () => {
    await using agent = await Agent.start();
    agent.prompt('stream 500 words every 20ms');
    agent.interrupt();
    expect(agent.written.some((line) => line.includes('turn/interrupt'))).toBe(false);
    const ended = await agent.until('ended');
    expect(ended.outcome).toEqual({ kind: 'interrupted' });
    await agent.until('interrupt-acknowledged');
    expect((await agent.turn('say warm')).ended.outcome.kind).toBe('completed');
  });

  test('in a command: the tool is cancelled and the command does not live on', async () => {
    await using agent = await Agent.start();
    agent.prompt('run: sleep 3 && touch survived.txt');
    await agent.until('tool');
    agent.interrupt();
    const ended = await agent.until('ended');
    expect(ended.outcome).toEqual({ kind: 'interrupted' });
    expect(agent.signals.findLast((signal) => signal.kind === 'tool-done')?.status).toBe('cancelled');
    // The command was cleaned away: Codex completes its item, long before its 3 s are over.
    await agent.heard('item/completed');
    expect(existsSync(path.join(agents.cwd, 'survived.txt'))).toBe(false);
    expect((await agent.turn('say warm')).ended.outcome.kind).toBe('completed');
  });
});

describe('asking', () => {
  test('denied, the turn goes on; allowed, the command runs', async () => {
    await using agent = await Agent.start({ mode: 'default' });
    const from = agent.signals.length;
    agent.prompt('run: touch denied.txt');
    const first = (await agent.until('ask')).ask;
    expect(first).toMatchObject({ kind: 'tool', tool: { name: 'shell' } });
    agent.answer(first.request, 'deny', 'not today');
    expect((await agent.until('ended', from)).outcome.kind).toBe('completed');
    expect(agent.signals.find((signal) => signal.kind === 'tool-done')?.status).toBe('denied');
    expect(existsSync(path.join(agents.cwd, 'denied.txt'))).toBe(false);

    const then = agent.signals.length;
    agent.prompt('run: touch allowed.txt');
    const second = (await agent.until('ask', then)).ask;
    agent.answer(second.request, 'allow');
    expect((await agent.until('ended', then)).outcome.kind).toBe('completed');
    expect(existsSync(path.join(agents.cwd, 'allowed.txt'))).toBe(true);
    expect(kinds(agent.signals)).not.toContain('ask-withdrawn');
  });

  test('a file change is asked with its diff', async () => {
    await using agent = await Agent.start({ mode: 'default' });
    agent.prompt('write: asked.txt: some words');
    const { ask } = await agent.until('ask');
    expect(ask.tool?.name).toBe('apply_patch');
    expect(ask.diff).toContain('some words');
    agent.answer(ask.request, 'deny');
    await agent.until('ended');
    expect(existsSync(path.join(agents.cwd, 'asked.txt'))).toBe(false);
  });

  test('plan mode: a question, its answer, and nothing may be written', async () => {
    await using agent = await Agent.start({ mode: 'plan' });
    agent.prompt('ask: Which colour? red|blue');
    const { ask } = await agent.until('ask');
    expect(ask).toMatchObject({ kind: 'question' });
    expect(ask.questions?.[0]?.text).toContain('Which colour?');
    agent.answer(ask.request, 'allow', 'blue');
    const ended = await agent.until('ended');
    expect(ended.outcome.kind).toBe('completed');
    const request = await model.waitForRequest(
      (one) => one.toolResults.length > 0 && one.lastUserText.startsWith('ask:'),
    );
    expect(JSON.stringify(request.toolResults)).toContain('blue');
    await agent.turn('run: touch planned.txt');
    expect(existsSync(path.join(agents.cwd, 'planned.txt'))).toBe(false);
  });

  test('an interrupt with a request open', async () => {
    await using agent = await Agent.start({ mode: 'default' });
    agent.prompt('run: touch never.txt');
    const { ask } = await agent.until('ask');
    agent.interrupt();
    expect((await agent.until('ended')).outcome).toEqual({ kind: 'interrupted' });
    agent.answer(ask.request, 'deny');
    expect((await agent.turn('say on')).ended.outcome.kind).toBe('completed');
  });
});

describe('taking up a conversation', () => {
  test('goes on where it was, with the settings given again', async () => {
    let thread: string;
    {
      await using first = await Agent.start();
      await first.turn('remember: the word is heron');
      thread = first.state.thread;
    }
    await using second = await Agent.start({ resume: thread, mode: 'readOnly' });
    expect(second.greeted.resumed).toBe(true);
    expect(second.state.thread).toBe(thread);
    const { signals, ended } = await second.turn('recall');
    expect(signals.find((signal) => signal.kind === 'text-done')?.text).toContain('heron');
    // Of this turn only, although the conversation is longer.
    expect(ended.costs.agentTurns).toBe(1);
    const usage = signals.find((signal) => signal.kind === 'usage')?.usage;
    expect(ended.costs.usage?.totalTokens).toBeLessThan(usage?.totalTokens ?? 0);
    await second.turn('run: touch forbidden.txt');
    expect(existsSync(path.join(agents.cwd, 'forbidden.txt'))).toBe(false);
  });

  test('that is not there: a new one, said aloud', async () => {
    const resume = randomUUID();
    await using agent = await Agent.start({ resume });
    expect(agent.greeted.resumed).toBe(false);
    expect(agent.greeted.agentSessionId).not.toBe(resume);
    const lost = agent.greeted.signals.find(
      (signal) => signal.kind === 'notice' && signal.code === 'resume_lost',
    );
    expect(lost).toHaveProperty('message', expect.stringContaining(resume));
    expect((await agent.turn('say hello')).ended.outcome.kind).toBe('completed');
  });

  test('that another process has open is refused', async () => {
    await using first = await Agent.start();
    await first.turn('say mine');
    await expect(Agent.start({ resume: first.state.thread })).rejects.toMatchObject({
      code: 'agent_session_in_use',
    });
  });

  test('with an id that is none, or a provider that is none, is an error', async () => {
    await expect(Agent.start({ resume: 'no-such-id' })).rejects.toMatchObject({ code: 'agent_unavailable' });
    await expect(Agent.start({ agentOptions: { modelProvider: 'nope' } })).rejects.toMatchObject({
      code: 'agent_unavailable',
      message: expect.stringContaining('nope'),
    });
  });
});

describe('failures', () => {
  test.each([
    ['fail 401', 'auth_failed'],
    ['fail 500', 'model_error'],
    ['fail 400', 'agent_error'],
    ['context-error', 'context_exceeded'],
    ['cut', 'model_error'],
  ])('%s is %s, and the next turn works', async (words, code) => {
    await using agent = await Agent.start();
    const failed = await agent.turn(words);
    expect(failed.ended.outcome).toMatchObject({ kind: 'failed', code });
    expect((await agent.turn('say again')).ended.outcome.kind).toBe('completed');
  });

  test('a stream that is cut is tried again, visibly', async () => {
    await using agent = await Agent.start();
    const { ended, signals } = await agent.turn('stream 5 words\ncut once');
    expect(ended.outcome.kind).toBe('completed');
    const retry = signals.findIndex((signal) => signal.kind === 'notice' && signal.code === 'api_retry');
    expect(retry).toBeGreaterThan(0);
    // Each attempt is a block of its own.
    const blocks = (list: readonly AgentSignal[]): Set<string> =>
      new Set(list.flatMap((signal) => (signal.kind === 'text' ? [signal.block] : [])));
    const [before, behind] = [blocks(signals.slice(0, retry)), blocks(signals.slice(retry))];
    expect(behind.size).toBe(1);
    expect([...before].filter((block) => behind.has(block))).toEqual([]);
  });

  test('a stream that falls silent is given up after two thirds of our own bound', async () => {
    await using agent = await Agent.start({
      limits: { inactivityTimeoutMs: 1_500, requestTimeoutMs: 30_000, threadTimeoutMs: 10_000 },
    });
    const began = performance.now();
    const { ended } = await agent.turn('say one\nsilence');
    expect(ended.outcome).toMatchObject({ kind: 'failed', code: 'model_error' });
    expect(performance.now() - began).toBeLessThan(15_000);
  });
});
