/** From a start to an end, and the next start: conversations outlive their process. */
import { randomUUID } from 'node:crypto';
import { expect } from 'vitest';
import { kinds, StartFailed, textsOf } from '../agent.ts';
import type { OwnCase } from './case.ts';

/** The agent's own id of the conversation, as a session would keep it. */
const idOf = (agent: { readonly ready: { readonly agentSessionId?: string } }): string =>
  agent.ready.agentSessionId ?? 'none';

export const LIVES: readonly OwnCase[] = [
  {
    name: 'resumed behind an end, the conversation remembers; only one start is a new one',
    on: 'own',
    async run(start, kit) {
      const first = await start();
      await first.turn(kit.words.remember('heron'));
      await first.end();
      const second = await start({ resume: idOf(first) });
      expect(second.ready).toMatchObject({ resumed: true, agentSessionId: idOf(first) });
      const { ended, signals } = await second.turn(kit.words.recall);
      expect(textsOf(signals).join('')).toContain('heron');
      // Of this turn only, although the conversation is longer.
      expect(ended.costs.agentTurns).toBe(1);
    },
  },
  {
    name: 'killed in mid-turn: no ending is made up, and the conversation can be taken up',
    on: 'own',
    async run(start, kit) {
      const first = await start();
      await first.turn(kit.words.remember('bittern'));
      const turn = first.prompt(kit.words.longStream);
      await turn.until('text');
      first.kill();
      expect(await first.exit()).toMatchObject({ signal: 'SIGKILL', reason: 'crashed' });
      expect(kinds(turn.signals)).not.toContain('ended');
      const second = await start({ resume: idOf(first) });
      const { signals } = await second.turn(kit.words.recall);
      expect(textsOf(signals).join('')).toContain('bittern');
    },
  },
  {
    name: 'asked to end in mid-turn, it goes by itself',
    on: 'own',
    async run(start, kit) {
      const agent = await start();
      await agent.prompt(kit.words.longStream).until('text');
      const gone = await agent.end();
      expect(gone.reason).toBe('closed');
      expect(gone.signal).toBeUndefined();
    },
  },
  {
    name: 'a conversation that is not there is said aloud, never passed over',
    on: 'own',
    async run(start, kit) {
      const resume = randomUUID();
      const starting = start({ resume });
      if (kit.lostConversation === 'refused') {
        await expect(starting).rejects.toBeInstanceOf(StartFailed);
        await expect(starting).rejects.toMatchObject({ code: 'resume_failed' });
        return;
      }
      const agent = await starting;
      expect(agent.ready.resumed).toBe(false);
      expect(idOf(agent)).not.toBe(resume);
      expect(agent.notices()).toEqual(['resume_lost']);
      expect((await agent.turn(kit.words.say('anew'))).ended.outcome.kind).toBe('completed');
    },
  },
  {
    name: 'a turn that nobody asked for is told as one: it wakes, speaks and ends without a name',
    on: 'own',
    absent: (kit) => !kit.wakes,
    async run(start, kit) {
      const agent = await start();
      await agent.prompt(kit.words.wake ?? '').ended();
      await agent.until('woke');
      const woken = kinds(agent.signals).indexOf('woke');
      expect(woken).toBeGreaterThan(kinds(agent.signals).indexOf('ended'));
      const ended = await agent.until('ended', woken);
      expect(ended.turn).toBeUndefined();
      expect(ended.outcome.kind).toBe('completed');
      expect((await agent.turn(kit.words.say('mine'))).ended.outcome.kind).toBe('completed');
    },
  },
];
