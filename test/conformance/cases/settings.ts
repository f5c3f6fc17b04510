/** Another mode or model for a process that runs: told, answered, obeyed; what it cannot take is said, and left for a start. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'vitest';
import { type Agent, kinds, textsOf, type Turn } from '../agent.ts';
import type { Kit } from '../kit.ts';
import type { OwnCase } from './case.ts';

type Settings = Parameters<Agent['tell']>[0];

async function taken(agent: Agent, settings: Settings): Promise<void> {
  const from = agent.signals.length;
  agent.tell(settings);
  expect(await agent.until('settings', from)).toEqual({ kind: 'settings', how: 'taken' });
}

async function refused(agent: Agent, settings: Settings): Promise<void> {
  const from = agent.signals.length;
  agent.tell(settings);
  const answer = await agent.until('settings', from);
  expect(answer).toMatchObject({ how: 'refused', message: expect.stringMatching(/\S/) });
}

/** Denied: the turn goes on, and nothing was done. */
async function asksAndIsDenied(agent: Agent, kit: Kit, turn: Turn): Promise<void> {
  const { ask } = await turn.until('ask');
  agent.answer(ask.request, 'deny', { message: 'not now' });
  expect((await turn.ended()).outcome.kind).toBe('completed');
  const done = turn.signals.find((signal) => signal.kind === 'tool-done' && signal.id === ask.tool?.id);
  expect(done).toMatchObject({ status: 'denied' });
  expect(existsSync(path.join(kit.settings.cwd, 'asked.txt'))).toBe(false);
}

export const SETTINGS: readonly OwnCase[] = [
  {
    name: 'from bypass to default on one process: what passed is asked about; and back',
    on: 'own',
    async run(start, kit) {
      const agent = await start({ mode: 'bypass' });
      await agent.turn(kit.words.say('warm'));
      await taken(agent, { mode: 'default' });
      await asksAndIsDenied(agent, kit, agent.prompt(kit.words.ask('asked.txt')));
      await taken(agent, { mode: 'bypass' });
      const free = await agent.turn(kit.words.ask('free.txt'));
      expect(kinds(free.signals)).not.toContain('ask');
      expect(existsSync(path.join(kit.settings.cwd, 'free.txt'))).toBe(kit.acts);
    },
  },
  {
    name: 'from default through plan to default: what is asked about in the end was asked about before',
    on: 'own',
    async run(start, kit) {
      const agent = await start({ mode: 'default' });
      await taken(agent, { mode: 'plan' });
      expect((await agent.turn(kit.words.say('a plan'))).ended.outcome.kind).toBe('completed');
      await taken(agent, { mode: 'default' });
      await asksAndIsDenied(agent, kit, agent.prompt(kit.words.ask('asked.txt')));
    },
  },
  {
    name: 'bypass, where it was not started with it: taken and obeyed, or refused and not obeyed',
    on: 'own',
    async run(start, kit) {
      const agent = await start({ mode: 'default' });
      if (kit.bypass === 'any time') {
        await taken(agent, { mode: 'bypass' });
        expect(kinds((await agent.turn(kit.words.ask('free.txt'))).signals)).not.toContain('ask');
      } else {
        await refused(agent, { mode: 'bypass' });
        await asksAndIsDenied(agent, kit, agent.prompt(kit.words.ask('asked.txt')));
      }
    },
  },
  {
    name: 'another model on one process: the next turn is of that one',
    on: 'own',
    async run(start, kit) {
      const agent = await start({ model: 'model-one' });
      expect((await agent.turn(kit.words.say('one'))).ended.costs.model).toBe('model-one');
      await taken(agent, { mode: 'bypass', model: 'model-two' });
      const { ended, signals } = await agent.turn(kit.words.say('two'));
      expect(ended.costs.model).toBe('model-two');
      expect(textsOf(signals)).toEqual(['two']);
    },
  },
  {
    name: 'settings that are so already: nothing is written',
    on: 'own',
    async run(start) {
      const agent = await start({ mode: 'acceptEdits', model: 'model-one' });
      const before = agent.written.length;
      await taken(agent, { mode: 'acceptEdits', model: 'model-one' });
      await taken(agent, { mode: 'acceptEdits' });
      expect(agent.written.length).toBe(before);
    },
  },
  {
    name: 'in the middle of a turn: answered, the turn is not touched, the next one is in it',
    on: 'own',
    async run(start, kit) {
      const agent = await start({ mode: 'bypass' });
      const turn = agent.prompt(kit.words.toolUntil('go.txt'));
      await turn.until('tool');
      await taken(agent, { mode: 'default', model: 'model-two' });
      agent.interrupt();
      expect((await turn.ended()).outcome).toEqual({ kind: 'interrupted' });
      await asksAndIsDenied(agent, kit, agent.prompt(kit.words.ask('asked.txt')));
    },
  },
  {
    name: 'many changes at once: one word that all are taken, and the last one holds',
    on: 'own',
    async run(start, kit) {
      const agent = await start({ mode: 'bypass' });
      for (const mode of ['plan', 'acceptEdits', 'bypass', 'default'] as const) agent.tell({ mode });
      await agent.until('settings');
      await asksAndIsDenied(agent, kit, agent.prompt(kit.words.ask('asked.txt')));
      const answers = agent.signals.filter((signal) => signal.kind === 'settings');
      expect(new Set(answers.map((signal) => signal.how))).toEqual(new Set(['taken']));
    },
  },
  {
    name: 'a change that the agent refuses: said in its words',
    on: 'own',
    absent: ({ faults }) => !faults,
    async run(start, kit) {
      const agent = await start({ mode: 'default' }, kit.faulty?.('settings-refused'));
      await refused(agent, { mode: 'plan' });
      await refused(agent, { mode: 'plan', model: 'model-two' });
    },
  },
];
