/** Interrupts in every phase of a turn. Each leaves a process that answers the next message. */
import { expect } from 'vitest';
import { type Agent, kinds, textsOf, type Turn } from '../agent.ts';
import type { Kit } from '../kit.ts';
import type { WarmCase } from './case.ts';

/** The turn ends as interrupted, the interrupt is acknowledged, and what follows is not touched by either. */
async function interrupted(agent: Agent, kit: Kit, turn: Turn): Promise<void> {
  const ended = await turn.ended();
  expect(ended.outcome).toEqual({ kind: 'interrupted' });
  await turn.until('interrupt-acknowledged');
  const next = await agent.turn(kit.words.say('still warm'));
  expect(next.ended.outcome.kind).toBe('completed');
  expect(textsOf(next.signals)).toEqual(['still warm']);
  expect(kinds(next.signals)).not.toContain('woke');
}

export const INTERRUPTS: readonly WarmCase[] = [
  {
    name: 'an interrupt directly behind the prompt',
    on: 'bypass',
    async run(agent, kit) {
      const turn = agent.prompt(kit.words.longStream);
      agent.interrupt();
      await interrupted(agent, kit, turn);
    },
  },
  {
    name: 'an interrupt before the first token',
    on: 'bypass',
    async run(agent, kit) {
      const turn = agent.prompt(kit.words.silence);
      await turn.until('receipt');
      agent.interrupt();
      await interrupted(agent, kit, turn);
      expect(kinds(turn.signals).indexOf('ended')).toBeLessThan(kinds(turn.signals).indexOf('text-done'));
    },
  },
  {
    name: 'an interrupt while text streams',
    on: 'bypass',
    async run(agent, kit) {
      const turn = agent.prompt(kit.words.longStream);
      await turn.until('text');
      agent.interrupt();
      await interrupted(agent, kit, turn);
    },
  },
  {
    name: 'an interrupt in a tool: the call is told as cancelled',
    on: 'bypass',
    async run(agent, kit) {
      const turn = agent.prompt(kit.words.longTool);
      await turn.until('tool');
      agent.interrupt();
      await turn.ended();
      expect((await turn.until('tool-done')).status).toBe('cancelled');
      await interrupted(agent, kit, turn);
    },
  },
  {
    name: 'two interrupts of one turn end it once',
    on: 'bypass',
    async run(agent, kit) {
      const turn = agent.prompt(kit.words.longStream);
      await turn.until('text');
      agent.interrupt();
      agent.interrupt();
      await interrupted(agent, kit, turn);
      expect(kinds(turn.signals).filter((kind) => kind === 'ended')).toHaveLength(2);
    },
  },
  {
    name: 'an interrupt with nothing to interrupt harms no turn',
    on: 'bypass',
    async run(agent, kit) {
      agent.interrupt();
      const { ended } = await agent.turn(kit.words.say('undisturbed'));
      expect(ended.outcome.kind).toBe('completed');
    },
  },
];
