/** Messages for the turn that runs. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'vitest';
import { textsOf } from '../agent.ts';
import type { WarmCase } from './case.ts';

export const STEERING: readonly WarmCase[] = [
  {
    name: 'a message written while a tool runs is taken into the turn, and has no ending of its own',
    on: 'bypass',
    async run(agent, kit) {
      const turn = agent.prompt(kit.words.toolUntil('steered'));
      await turn.until('tool');
      const steered = agent.steer(kit.words.say('steered'));
      expect((await turn.until('steer')).how).toBe('written');
      writeFileSync(path.join(kit.settings.cwd, 'steered'), '');
      expect((await turn.ended()).outcome.kind).toBe('completed');
      const steers = turn.signals.filter((signal) => signal.kind === 'steer');
      expect(steers.map((signal) => [signal.turn, signal.how])).toEqual([
        [steered, 'written'],
        [steered, 'taken'],
      ]);
      expect(textsOf(turn.signals).join('\n')).toContain('steered');
    },
  },
  {
    name: 'a message that is taken back before it could be written is never written',
    on: 'bypass',
    async run(agent, kit) {
      const turn = agent.prompt(kit.words.longStream);
      agent.unsteer(agent.steer(kit.words.say('taken back')));
      await turn.until('text');
      agent.interrupt();
      await turn.ended();
      expect(turn.signals.filter((signal) => signal.kind === 'steer')).toEqual([]);
      expect(agent.written.join('\n')).not.toContain('taken back');
    },
  },
  {
    name: 'a message for a turn that is over is missed, and not written',
    on: 'bypass',
    async run(agent, kit) {
      await agent.turn(kit.words.say('over'));
      const written = agent.written.length;
      const steered = agent.steer(kit.words.say('too late'));
      expect(await agent.until('steer', agent.signals.length)).toMatchObject({
        turn: steered,
        how: 'missed',
      });
      expect(agent.written.length).toBe(written);
    },
  },
];
