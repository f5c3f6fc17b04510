/** What only Codex has, on the real `codex app-server`. What every agent must do is in the conformance suite. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CodexState } from '../../src/agents/codex/index.ts';
import type { AgentSettings } from '../../src/agents/dialect.ts';
import type { AgentSignal } from '../../src/session/ports.ts';
import { Agent, kinds, textsOf } from '../conformance/agent.ts';
import { realCodex, type RealKit } from '../conformance/reals.ts';

let kit: RealKit<CodexState>;
/** One process for all that leaves it idle. */
let warm: Agent<CodexState>;

beforeAll(async () => {
  kit = await realCodex();
  warm = await start({ systemPrompt: 'Speak plainly.' });
});
afterAll(async () => {
  expect(warm.faults).toEqual([]);
  await warm[Symbol.asyncDispose]();
  await kit[Symbol.asyncDispose]();
});

const start = (more: Partial<AgentSettings> = {}): Promise<Agent<CodexState>> => Agent.start(kit, more);
const made = (file: string): boolean => existsSync(path.join(kit.agents.cwd, file));

describe('a conversation', () => {
  test('has its system prompt, says its model', async () => {
    expect(warm.ready.agentSessionId).toBe(warm.state.thread);
    const { ended, signals } = await warm.turn('say Hello there');
    expect(kinds(signals)[0]).toBe('receipt');
    expect(ended.costs.model).toBe('gpt-5.5');
    const request = await kit.model.waitForRequest((one) => one.lastUserText === 'say Hello there');
    expect(JSON.stringify(request)).toContain('Speak plainly.');
  });

  test('runs commands, changes files', async () => {
    const { signals, ended } = await warm.turn('run: echo one; exit 3\nwrite: made.txt: words');
    expect(ended.outcome.kind).toBe('completed');
    const tools = signals.filter((signal) => signal.kind === 'tool');
    expect(tools.map((tool) => [tool.name, tool.tool])).toEqual([
      ['shell', 'execute'],
      ['apply_patch', 'edit'],
    ]);
    expect(signals.filter((signal) => signal.kind === 'tool-done')).toMatchObject([
      { status: 'error', output: 'one\n' },
      { status: 'ok' },
    ]);
    expect(made('made.txt')).toBe(true);
  });

  test('takes an image, and nothing at all', async () => {
    const data =
      'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
    const image = { type: 'image', mediaType: 'image/png', data } as const;
    const seen = await warm.turn([{ type: 'text', text: 'say seen' }, image]);
    expect(seen.ended.outcome.kind).toBe('completed');
    const empty = await warm.turn('');
    expect(empty.ended.outcome.kind).toBe('completed');
  });

  test('a message that is too long fails with a reason, and the next one works', async () => {
    const { ended } = await warm.turn('x'.repeat(1_100_000));
    expect(ended.outcome).toMatchObject({ kind: 'failed', code: 'agent_error' });
    expect(ended.outcome).toHaveProperty('message', expect.stringContaining('too long'));
    expect((await warm.turn('say still here')).ended.outcome.kind).toBe('completed');
  });

  test('a message for the turn that runs is taken in while text streams: what was being said is void', async () => {
    const turn = warm.prompt('stream 200 words every 20ms');
    await turn.until('text');
    const steered = warm.steer('say steered');
    expect((await turn.ended()).outcome.kind).toBe('completed');
    const steers = turn.signals.filter((signal) => signal.kind === 'steer');
    expect(steers.map((signal) => [signal.turn, signal.how])).toEqual([
      [steered, 'written'],
      [steered, 'taken'],
    ]);
    expect(textsOf(turn.signals)).toEqual(['steered']);
    expect(kinds(turn.signals)).toContain('text-void');
  });

  test('a command does not live on behind an interrupt', async () => {
    const from = warm.printed.length;
    const turn = warm.prompt('run: sleep 3 && touch survived.txt');
    await turn.until('tool');
    warm.interrupt();
    await turn.ended();
    // The command was cleaned away: Codex completes its item, long before its 3 s are over.
    await warm.heard('"type":"commandExecution"', warm.printed.indexOf('"turn/completed"', from));
    expect(made('survived.txt')).toBe(false);
  });
});

describe('asking', () => {
  test('a file change is asked with its diff', async () => {
    await using agent = await start({ mode: 'default' });
    const turn = agent.prompt('write: asked.txt: some words');
    const { ask } = await turn.until('ask');
    expect(ask.tool?.name).toBe('apply_patch');
    expect(ask.diff).toContain('some words');
    agent.answer(ask.request, 'deny');
    await turn.ended();
    expect(made('asked.txt')).toBe(false);
  });

  test('plan mode: a question, its answer, and nothing may be written', async () => {
    await using agent = await start({ mode: 'plan' });
    const turn = agent.prompt('ask: Which colour? red|blue');
    const { ask } = await turn.until('ask');
    expect(ask).toMatchObject({ kind: 'question' });
    expect(ask.questions?.[0]?.text).toContain('Which colour?');
    agent.answer(ask.request, 'allow', { answers: { [ask.questions?.[0]?.id ?? '']: ['blue'] } });
    expect((await turn.ended()).outcome.kind).toBe('completed');
    const request = await kit.model.waitForRequest(
      (one) => one.toolResults.length > 0 && one.lastUserText.startsWith('ask:'),
    );
    expect(JSON.stringify(request.toolResults)).toContain('blue');
    await agent.turn('run: touch planned.txt');
    expect(made('planned.txt')).toBe(false);
  });
});

describe('taking up a conversation', () => {
  test('with the settings given again; its tokens count from here', async () => {
    const first = await start();
    await first.turn('say mine');
    // Another process has it open.
    await expect(start({ resume: first.state.thread })).rejects.toMatchObject({
      code: 'resume_failed',
      message: expect.stringContaining('Another process has'),
    });
    await first.end();
    await using second = await start({ resume: first.state.thread, mode: 'readOnly' });
    expect(second.state.thread).toBe(first.state.thread);
    const { signals, ended } = await second.turn('say hello');
    const usage = signals.find((signal) => signal.kind === 'usage')?.usage;
    expect(ended.costs.usage?.totalTokens).toBeLessThan(usage?.totalTokens ?? 0);
    await second.turn('run: touch forbidden.txt');
    expect(made('forbidden.txt')).toBe(false);
    expect([...first.faults, ...second.faults]).toEqual([]);
  });

  test('with an id that is none, or a provider that is none, is an error', async () => {
    await expect(start({ resume: 'no-such-id' })).rejects.toMatchObject({ code: 'resume_failed' });
    await expect(start({ agentOptions: { modelProvider: 'nope' } })).rejects.toMatchObject({
      code: 'spawn_failed',
      message: expect.stringContaining('nope'),
    });
  });
});

describe('failures', () => {
  test('a stream that is cut is tried again, visibly', async () => {
    const { ended, signals } = await warm.turn('stream 5 words\ncut once');
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
    await using agent = await start({
      limits: { inactivityTimeoutMs: 900, requestTimeoutMs: 30_000, threadTimeoutMs: 10_000 },
    });
    const { ended } = await agent.turn('say one\nsilence');
    expect(ended.outcome).toMatchObject({ kind: 'failed', code: 'model_error' });
  });
});
