/** Interrupts in every phase of a turn. Each leaves a process that answers the next message. */
import { expect } from 'vitest';
import type { AgentSignal } from '../../../src/session/ports.ts';
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

interface Place {
  readonly name: string;
  /** What makes a turn that comes there, and stays. */
  readonly input: (kit: Kit) => string;
  /** The first signal there; absent: right behind the prompt. */
  readonly sign?: AgentSignal['kind'];
  /** What else is so when the turn has ended. */
  readonly besides?: (turn: Turn) => Promise<void> | void;
}

const PLACES: readonly Place[] = [
  { name: 'directly behind the prompt', input: ({ words }) => words.longStream },
  {
    name: 'before the first token',
    input: ({ words }) => words.silence,
    sign: 'receipt',
    // The text is that of the turn behind it.
    besides: ({ signals }) => {
      expect(kinds(signals).indexOf('ended')).toBeLessThan(kinds(signals).indexOf('text-done'));
    },
  },
  { name: 'while text streams', input: ({ words }) => words.longStream, sign: 'text' },
  {
    name: 'in a tool: the call is told as cancelled',
    input: ({ words }) => words.longTool,
    sign: 'tool',
    besides: async (turn) => expect((await turn.until('tool-done')).status).toBe('cancelled'),
  },
];

export const INTERRUPTS: readonly WarmCase[] = [
  ...PLACES.map(({ name, input, sign, besides }): WarmCase => ({
    name: `an interrupt ${name}`,
    on: 'bypass',
    async run(agent, kit) {
      const turn = agent.prompt(input(kit));
      if (sign !== undefined) await turn.until(sign);
      agent.interrupt();
      await interrupted(agent, kit, turn);
      await besides?.(turn);
    },
  })),
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
