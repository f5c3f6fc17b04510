import { expect, test } from 'vitest';
import { Dice } from './dice.ts';
import { makePlan, PROFILES } from './plan.ts';

test('the same seed and number give the same plan, another seed or number another', () => {
  const plan = makePlan({ seed: 'seven', number: 3, ms: 5000 });
  expect(makePlan({ seed: 'seven', number: 3, ms: 5000 })).toEqual(plan);
  expect(makePlan({ seed: 'eight', number: 3, ms: 5000 }).clients).not.toEqual(plan.clients);
  expect(makePlan({ seed: 'seven', number: 4, ms: 5000 }).clients).not.toEqual(plan.clients);
});

test('every marker of a plan stands for one message', () => {
  for (const profile of PROFILES) {
    const { clients } = makePlan({ seed: 'markers', number: 0, ms: 20_000, profile });
    const markers = clients.flatMap(({ steps }) =>
      steps.flatMap((step) => (step.kind === 'send' ? [step.message.marker] : [])),
    );
    expect(new Set(markers).size).toBe(markers.length);
    // No marker is a part of another: the agents' logs are searched for them.
    expect(markers.every((marker) => /^m\d+x\d+x$/.test(marker))).toBe(true);
  }
});

test('dice stay within their bounds and come to both ends', () => {
  const dice = new Dice('bounds');
  const thrown = Array.from({ length: 1000 }, () => dice.between(1, 6));
  expect(new Set(thrown)).toEqual(new Set([1, 2, 3, 4, 5, 6]));
  const drawn = Array.from({ length: 1000 }, () => dice.weighted({ often: 9, seldom: 1, never: 0 }));
  expect(drawn.filter((name) => name === 'never')).toHaveLength(0);
  expect(drawn.filter((name) => name === 'often').length).toBeGreaterThan(800);
});
