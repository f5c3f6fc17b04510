/** Turns that go as they should, and turns that the API refuses. */
import { expect } from 'vitest';
import { kinds, textsOf } from '../agent.ts';
import type { WarmCase } from './case.ts';

export const TURNS: readonly WarmCase[] = [
  {
    name: 'is greeted: says its version and the id of a new conversation',
    on: 'bypass',
    async run(agent) {
      expect(agent.ready.version).toMatch(/^\d+\.\d+\.\d+/);
      expect(agent.ready.resumed).toBe(false);
      expect(agent.ready.agentSessionId).toMatch(/^[0-9a-f-]{36}$/);
    },
  },
  {
    name: 'three turns on one process: each is received once, said once, ended once, and priced for itself',
    on: 'bypass',
    async run(agent, kit) {
      const tokens: number[] = [];
      for (const words of ['Hello there', 'And again', 'Good bye']) {
        const { ended, signals } = await agent.turn(kit.words.say(words));
        expect(ended.outcome).toEqual({ kind: 'completed', stopReason: 'end_turn' });
        expect(textsOf(signals)).toEqual([words]);
        expect(kinds(signals).filter((kind) => kind === 'receipt')).toHaveLength(1);
        expect(ended.costs).toMatchObject({ agentTurns: 1, model: expect.any(String) });
        tokens.push(ended.costs.usage?.totalTokens ?? 0);
      }
      expect(tokens.every((count) => count > 0)).toBe(true);
      expect(tokens[2]).toBeLessThan((tokens[0] ?? 0) + (tokens[1] ?? 0));
    },
  },
  {
    name: 'text comes in deltas, and the whole text is their sum',
    on: 'bypass',
    async run(agent, kit) {
      const { signals } = await agent.turn(kit.words.stream);
      expect(kinds(signals)).toContain('text');
      const joined = signals.flatMap((signal) => (signal.kind === 'text' ? [signal.text] : [])).join('');
      expect(textsOf(signals)).toEqual([joined]);
    },
  },
  {
    name: 'thoughts come before the answer, apart from it',
    on: 'bypass',
    async run(agent, kit) {
      const { signals } = await agent.turn(kit.words.think);
      const order = kinds(signals);
      expect(order).toContain('reasoning-done');
      expect(order.indexOf('reasoning-done')).toBeLessThan(order.indexOf('text-done'));
    },
  },
  {
    name: 'a tool begins and ends inside its turn, and the answer comes behind it',
    on: 'bypass',
    async run(agent, kit) {
      const { ended, signals } = await agent.turn(kit.words.tool('after the tool'));
      expect(ended.outcome.kind).toBe('completed');
      const tools = signals.filter((signal) => signal.kind === 'tool');
      const done = signals.filter((signal) => signal.kind === 'tool-done');
      expect(tools).toHaveLength(1);
      expect(done.map((one) => [one.id, one.status])).toEqual([[tools[0]?.id, 'ok']]);
      expect(textsOf(signals).join('')).toContain('after the tool');
      expect(kinds(signals).indexOf('tool-done')).toBeLessThan(kinds(signals).lastIndexOf('text-done'));
    },
  },
  {
    name: 'text that is not well formed and NUL cost no process',
    on: 'bypass',
    async run(agent, kit) {
      const { ended, signals } = await agent.turn(kit.words.say('half \ud83d and \0 done'));
      expect(ended.outcome.kind).toBe('completed');
      expect(textsOf(signals).join('')).toContain('done');
    },
  },
  {
    name: 'a turn that the API refuses fails with the reason; the next one is answered by the same process',
    on: 'bypass',
    async run(agent, kit) {
      for (const { input, code } of kit.words.refusals) {
        const { ended, signals } = await agent.turn(input);
        expect(ended.outcome).toMatchObject({ kind: 'failed', code, message: expect.stringMatching(/\S/) });
        expect(textsOf(signals).join('')).not.toMatch(/error|refused/i);
        const next = await agent.turn(kit.words.say(`after ${code}`));
        expect(textsOf(next.signals)).toEqual([`after ${code}`]);
      }
    },
  },
  {
    name: 'a stream that is cut is taken up again: what was said of it has its end, and the truth comes whole',
    on: 'bypass',
    async run(agent, kit) {
      for (const { input, last } of kit.words.cuts) {
        const { ended, signals } = await agent.turn(input);
        expect(ended.outcome.kind).toBe('completed');
        expect(textsOf(signals).at(-1)?.trim().endsWith(last)).toBe(true);
      }
    },
  },
];
