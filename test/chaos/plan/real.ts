/**
 * What is done with the real CLIs: messages in the words of the fake model, so many kills of the daemon, and what befalls agents and keepers meanwhile.
 * Pure, as plan.ts. The words: docs/fake-model.md.
 */
import type { Expectation } from '../oracle/history.ts';
import type { PlannedClient, PlannedLeg, PlannedStep } from './client.ts';
import { Dice } from './dice.ts';
import { planDeeds } from './deeds.ts';
import { peopleOf } from './people.ts';
import type { Plan } from './plan.ts';

export interface RealWish {
  readonly seed: string;
  readonly number: number;
  readonly kills: number;
  /** Left out: both. */
  readonly agent?: 'claude' | 'codex' | undefined;
}

/** Clients of each agent. */
const EACH = 2;
/** No kill takes so long, a slow start of the next daemon and the pause before it included. */
const KILL_MS = 60_000;

export function makeRealPlan({ seed, number, kills, agent }: RealWish): Plan {
  const name = `${seed}/${String(number)}/real`;
  const agents = agent === undefined ? (['claude', 'codex'] as const) : ([agent] as const);
  const clients = agents.flatMap((one, which) =>
    Array.from({ length: EACH }, (_, place) =>
      planClient(new Dice(`${name}/client/${one}/${String(place)}`), one, {
        place: which * EACH + place,
        kills,
      }),
    ),
  );
  const ms = kills * KILL_MS;
  const everywhere = legsOf(new Dice(`${name}/everywhere`), kills * 60);
  const deeds = planDeeds(new Dice(`${name}/deeds`), 'real', ms);
  return { seed, number, profile: 'real', ms, maxWarm: 8, clients, everywhere, deeds, kills };
}

function planClient(
  dice: Dice,
  agent: 'claude' | 'codex',
  wish: { readonly place: number; readonly kills: number },
): PlannedClient {
  // A kill costs a second or more, a message rarely less than 50 ms.
  const count = wish.kills * 60;
  const steps = Array.from({ length: count }, (_, number) => {
    if (dice.chance(0.02)) return { kind: 'close', pauseMs: 0 } satisfies PlannedStep;
    return sendOf(dice, `m${String(wish.place)}x${String(number)}x`);
  });
  const people = peopleOf(dice);
  return { agent, alone: false, asks: dice.chance(0.5), people, steps, followers: [legsOf(dice, count)] };
}

function sendOf(dice: Dice, marker: string): PlannedStep {
  const [input, expects] = MESSAGES[dice.weighted({ say: 2, count: 5, run: 3 })](dice, marker);
  return {
    kind: 'send',
    pauseMs: dice.chance(0.7) ? 0 : dice.between(0, 300),
    message: { marker, input, expects, calm: true, endless: false },
    whenBusy: dice.pick(['reject', 'queue'] as const),
    copies: dice.chance(0.2) ? 2 : 1,
    interruptAfterMs: dice.chance(0.05) ? dice.between(0, 600) : undefined,
    waits: dice.chance(0.8),
    again: dice.chance(0.2),
  };
}

type Made = readonly [input: string, expects: Expectation];

const MESSAGES: Readonly<Record<'say' | 'count' | 'run', (dice: Dice, marker: string) => Made>> = {
  say: (_, marker) => [`say ${marker} is all`, { kind: 'words', text: `${marker} is all` }],
  count(dice, marker) {
    const [to, every] = [dice.between(5, 60), dice.between(5, 60)];
    const numbers = Array.from({ length: to }, (_, index) => String(index + 1)).join(' ');
    const input = `say ${marker} then count to ${String(to)} every ${String(every)}ms`;
    return [input, { kind: 'words', text: `${marker} ${numbers}` }];
  },
  run(dice, marker) {
    const seconds = dice.between(0, 8) / 10;
    const input = `say ${marker} comes\nrun: sleep ${String(seconds)}; echo ${marker}`;
    return [input, { kind: 'has', text: `${marker} comes` }];
  },
};

function legsOf(dice: Dice, count: number): PlannedLeg[] {
  return Array.from({ length: count }, () => ({
    readMs: dice.between(5, 3000),
    stallMs: dice.chance(0.2) ? dice.between(50, 1500) : 0,
    // Over an hour's run the start is far away: it is read from there once, at the end.
    from: dice.chance(0.7) ? ('last' as const) : 0.8 + dice.next() / 5,
  }));
}
