/**
 * The conformance suite: what every dialect must do with its agent, stated once, run for each agent that there is (real or fake).
 * Owns the processes: cases that leave theirs idle share one, so that a start serves many. Knows no agent.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Agent } from './agent.ts';
import { ASKING } from './cases/asking.ts';
import type { Case, OwnCase, Traits, WarmCase } from './cases/case.ts';
import { INTERRUPTS } from './cases/interrupts.ts';
import { LIVES } from './cases/lives.ts';
import { MISHAPS } from './cases/mishaps.ts';
import { SETTINGS } from './cases/settings.ts';
import { STEERING } from './cases/steering.ts';
import { TURNS } from './cases/turns.ts';
import type { Kit } from './kit.ts';

const CASES: readonly Case[] = [
  ...TURNS,
  ...INTERRUPTS,
  ...STEERING,
  ...ASKING,
  ...SETTINGS,
  ...LIVES,
  ...MISHAPS,
];

/** Notices that say "this was not understood". */
const STRANGE = new Set(['unknown_message', 'not_json', 'line_too_long', 'untranslatable']);

export function conformance(name: string, traits: Traits, open: () => Promise<Kit>): void {
  describe(name, () => {
    let kit: Kit;
    const warm = new Map<string, Agent>();

    beforeAll(async () => {
      kit = await open();
    });
    afterAll(async () => {
      for (const agent of warm.values()) await agent[Symbol.asyncDispose]();
      await kit[Symbol.asyncDispose]();
    });

    for (const one of CASES) {
      if (one.absent?.(traits) === true) continue;
      test(one.name, async () => {
        const complaints = one.on === 'own' ? await onItsOwn(one, kit) : await onWarm(one, kit, warm);
        expect(complaints).toEqual([]);
      });
    }
  });
}

/** On the process that the case before has left; one that a case has failed on is not used again. */
async function onWarm(one: WarmCase, kit: Kit, warm: Map<string, Agent>): Promise<string[]> {
  const agent = warm.get(one.on) ?? (await Agent.start(kit, { mode: one.on }));
  warm.delete(one.on);
  const from = agent.signals.length;
  let complaints = ['the case failed'];
  try {
    await one.run(agent, kit);
    complaints = [...agent.open.map((open) => `${open} is left open`), ...complaintsOf(agent, one, from)];
    return complaints;
  } finally {
    if (complaints.length === 0) warm.set(one.on, agent);
    else await agent[Symbol.asyncDispose]();
  }
}

async function onItsOwn(one: OwnCase, kit: Kit): Promise<string[]> {
  const agents: Agent[] = [];
  try {
    await one.run(async (more, of = kit) => {
      const agent = await Agent.start(of, more);
      agents.push(agent);
      return agent;
    }, kit);
    return agents.flatMap((agent) => complaintsOf(agent, one, 0));
  } finally {
    for (const agent of agents) await agent[Symbol.asyncDispose]();
  }
}

/** What a case did not look at and must hold in every case: all was understood, and it adds up. */
function complaintsOf(agent: Agent, one: Case, from: number): string[] {
  const notices = agent
    .notices(from)
    .filter((code) => STRANGE.has(code) && one.notices?.includes(code) !== true);
  const faults = agent.faults.splice(0).filter((words) => one.contradicts?.test(words) !== true);
  return [...notices, ...faults];
}
