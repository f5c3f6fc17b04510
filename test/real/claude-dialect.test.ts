/** What only Claude has, on the real `claude`. What every agent must do is in the conformance suite. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ClaudeState } from '../../src/agents/claude/index.ts';
import type { AgentSettings } from '../../src/agents/dialect.ts';
import { Agent, kinds, textsOf } from '../conformance/agent.ts';
import { realClaude, type RealKit } from '../conformance/reals.ts';

let kit: RealKit<ClaudeState>;
/** One process for all that leaves it idle. */
let warm: Agent<ClaudeState>;

beforeAll(async () => {
  kit = await realClaude();
  warm = await start({ systemPrompt: 'Speak plainly, zebra.' });
});
afterAll(async () => {
  expect(warm.faults).toEqual([]);
  await warm[Symbol.asyncDispose]();
  await kit[Symbol.asyncDispose]();
});

const start = (more: Partial<AgentSettings> = {}): Promise<Agent<ClaudeState>> => Agent.start(kit, more);
const made = (file: string): boolean => existsSync(path.join(kit.agents.cwd, file));

describe('a conversation', () => {
  test('has the id that was minted for it and its system prompt; says model, window and price of each turn', async () => {
    expect(warm.ready.agentSessionId).toBe(warm.settings.freshId);
    const costs: number[] = [];
    for (const words of ['Hello there', 'And again', 'Good bye']) {
      const { ended } = await warm.turn(`say ${words}`);
      expect(ended.costs.model).toMatch(/^claude-/);
      expect(ended.costs.usage?.contextWindow).toBeGreaterThan(0);
      expect(ended.costs.costUsd).toBeGreaterThan(0);
      costs.push(ended.costs.costUsd ?? 0);
    }
    // Of each turn, not of all so far.
    expect(costs[2]).toBeLessThan((costs[0] ?? 0) + (costs[1] ?? 0));
    expect(warm.state.session).toBe(warm.settings.freshId);
    const request = await kit.model.waitForRequest((one) => one.lastUserText === 'say Hello there');
    expect(JSON.stringify(request)).toContain('Speak plainly, zebra.');
  });
});

describe('tools', () => {
  test('runs commands, writes files', async () => {
    const { signals, ended } = await warm.turn('run: echo one; exit 3\nwrite: made.txt: words');
    expect(ended.outcome.kind).toBe('completed');
    const tools = signals.filter((signal) => signal.kind === 'tool');
    expect(tools.map((tool) => [tool.name, tool.tool])).toEqual([
      ['Bash', 'execute'],
      ['Write', 'edit'],
    ]);
    expect(signals.filter((signal) => signal.kind === 'tool-done')).toMatchObject([
      { status: 'error', output: expect.stringContaining('one') },
      { status: 'ok' },
    ]);
    expect(made('made.txt')).toBe(true);
  });

  test('two that ask in one turn; the words of a refusal reach the model; a request is taken back by an interrupt', async () => {
    await using agent = await start({ mode: 'default' });
    const turn = agent.prompt('run: touch refused.txt\nrun: touch granted.txt');
    const first = await turn.until('ask');
    agent.answer(first.ask.request, 'deny', { message: 'not this one' });
    expect((await turn.until('tool-done')).output).toContain('not this one');
    const second = await agent.until('ask', agent.signals.indexOf(first) + 1);
    agent.answer(second.ask.request, 'allow');
    expect((await turn.ended()).outcome.kind).toBe('completed');
    expect([made('refused.txt'), made('granted.txt')]).toEqual([false, true]);

    const overtaken = agent.prompt('run: touch asked.txt');
    const { ask } = await overtaken.until('ask');
    agent.interrupt();
    expect((await overtaken.until('ask-withdrawn')).request).toBe(ask.request);
    await overtaken.ended();
    expect(agent.state.asks).toEqual([]);
    expect(agent.faults).toEqual([]);
  });

  test('a question is asked, and answered with words', async () => {
    const turn = warm.prompt('ask: Which colour? Red | Blue');
    const { ask } = await turn.until('ask');
    expect(ask).toMatchObject({ kind: 'question', questions: [{ text: 'Which colour?' }] });
    warm.answer(ask.request, 'allow', { answers: { 'Which colour?': ['Blue'] } });
    const done = await turn.until('tool-done');
    expect(done).toMatchObject({ status: 'ok', output: expect.stringContaining('Blue') });
    await turn.ended();
  });

  test('a command does not live on behind an interrupt', async () => {
    const turn = warm.prompt('run: sleep 1 && touch survived.txt');
    await turn.until('tool');
    warm.interrupt();
    await turn.ended();
    expect((await turn.until('tool-done')).status).toBe('cancelled');
    expect((await warm.turn('wait 1s\nsay warm')).ended.outcome.kind).toBe('completed');
    expect(made('survived.txt')).toBe(false);
  });
});

describe('what a person may send', () => {
  test('an image, text that is not well formed, and NUL', async () => {
    const data =
      'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
    const image = { type: 'image', mediaType: 'image/png', data } as const;
    const seen = await warm.turn([{ type: 'text', text: 'say seen' }, image]);
    expect(seen.ended.outcome.kind).toBe('completed');
    const request = await kit.model.waitForRequest((one) => JSON.stringify(one).includes(data.slice(0, 60)));
    expect(JSON.stringify(request)).toContain('say seen');
    const broken = await warm.turn('say half \ud83d and \0 done');
    expect(textsOf(broken.signals)).toEqual(['half \ufffd and \ufffd done']);
  });

  test('a command of the CLI itself: its text comes, no model is asked', async () => {
    const { ended, signals } = await warm.turn('/context');
    expect(ended.outcome.kind).toBe('completed');
    const said = [...textsOf(signals), ended.outcome.kind === 'completed' ? ended.outcome.text : undefined];
    expect(said.join('\n')).toContain('Context Usage');
  });

  test('/clear: the conversation goes on under another id, which can be resumed; its price counts from there', async () => {
    await using agent = await start();
    await agent.turn('say first');
    const { ended, signals } = await agent.turn('/clear');
    expect(ended.outcome.kind).toBe('completed');
    const followed = signals.filter((signal) => signal.kind === 'agent-session').map((signal) => signal.id);
    expect(followed).toEqual([agent.state.session]);
    expect(agent.state.session).not.toBe(agent.settings.freshId);
    const behind = await agent.turn('say behind');
    expect(kinds(behind.signals)).not.toContain('agent-session');
    expect(behind.ended.costs.costUsd).toBeGreaterThan(0);
    expect(agent.faults).toEqual([]);
    await agent.end();
    await using next = await start({ resume: agent.state.session });
    const taken = await next.turn('say taken up');
    expect(taken.ended.costs.costUsd).toBeGreaterThan(0);
    expect(kinds(taken.signals)).not.toContain('agent-session');
  });
});

test('in mid-stream an interrupt keeps what was said', async () => {
  const turn = warm.prompt('stream 500 words every 20ms');
  await turn.until('text');
  warm.interrupt();
  await turn.ended();
  expect(textsOf(turn.signals).join('')).toMatch(/^word00001 /);
});

test('the goodbye ends a Claude in a turn and with a background task', async () => {
  await using agent = await start();
  await agent.turn('tool: Bash {"command":"sleep 60","run_in_background":true}');
  await agent.prompt('stream 500 words every 20ms').until('text');
  // The task would have gone on for a minute: by itself, not by a signal.
  const gone = await agent.end();
  expect(gone.reason).toBe('closed');
  expect(gone.signal).toBeUndefined();
});
