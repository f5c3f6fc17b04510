/** Requests of the agent: allowed, denied, overtaken by an interrupt. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'vitest';
import { kinds } from '../agent.ts';
import type { Kit } from '../kit.ts';
import type { WarmCase } from './case.ts';

const isThere = (kit: Kit, file: string): boolean => existsSync(path.join(kit.settings.cwd, file));

export const ASKING: readonly WarmCase[] = [
  {
    name: 'a permission that is given: the tool runs, the turn goes on',
    on: 'default',
    async run(agent, kit) {
      const turn = agent.prompt(kit.words.ask('given.txt'));
      const { ask } = await turn.until('ask');
      expect(ask).toMatchObject({ kind: 'tool', tool: { name: expect.stringMatching(/\S/) } });
      agent.answer(ask.request, 'allow');
      expect((await turn.ended()).outcome.kind).toBe('completed');
      expect((await turn.until('tool-done')).status).toBe('ok');
      expect(kinds(turn.signals)).not.toContain('ask-withdrawn');
      expect(isThere(kit, 'given.txt')).toBe(kit.acts);
    },
  },
  {
    name: 'a permission that is refused: the tool is told as denied, the turn goes on',
    on: 'default',
    async run(agent, kit) {
      const turn = agent.prompt(kit.words.ask('refused.txt'));
      const { ask } = await turn.until('ask');
      agent.answer(ask.request, 'deny', { message: 'not today' });
      expect((await turn.ended()).outcome.kind).toBe('completed');
      expect((await turn.until('tool-done')).status).toBe('denied');
      expect(isThere(kit, 'refused.txt')).toBe(false);
    },
  },
  {
    name: 'an answer is taken once: a second one and one to a request that never was are dropped',
    on: 'default',
    async run(agent, kit) {
      const turn = agent.prompt(kit.words.ask('once.txt'));
      const { ask } = await turn.until('ask');
      const written = agent.written.length;
      agent.answer('no-such-request', 'allow');
      agent.answer(ask.request, 'allow');
      agent.answer(ask.request, 'deny');
      expect((await turn.ended()).outcome.kind).toBe('completed');
      expect((await turn.until('tool-done')).status).toBe('ok');
      expect(agent.written.length).toBe(written + 1);
    },
  },
  {
    name: 'an interrupt with a request open: the turn ends, a late answer is dropped, the process stays warm',
    on: 'default',
    async run(agent, kit) {
      const turn = agent.prompt(kit.words.ask('overtaken.txt'));
      const { ask } = await turn.until('ask');
      agent.interrupt();
      expect((await turn.ended()).outcome).toEqual({ kind: 'interrupted' });
      const written = agent.written.length;
      agent.answer(ask.request, 'allow');
      const next = await agent.turn(kit.words.say('still warm'));
      expect(next.ended.outcome.kind).toBe('completed');
      expect(agent.written.length).toBe(written + 1);
      expect(isThere(kit, 'overtaken.txt')).toBe(false);
    },
  },
];
