import { expect, test } from 'vitest';
import { makePlan, type Profile } from './plan/plan.ts';
import { reportOf } from './report.ts';
import { run } from './run/run.ts';

/**
 * Short runs of fixed seeds: real daemons, keepers and fake agents, killed and frozen at the moments that the seed says. The long ones: `npm run chaos`.
 * What is asked is that no promise is broken, not how much was done: a busy machine does less in the same time.
 */
const MS = 2000;
const RUNS: readonly (readonly [Profile, string])[] = [
  ['daemon', 'its daemon is killed, frozen and detached: every calm turn completes, whole and once'],
  ['agents', 'agents are killed and frozen, alone and with their daemon'],
  ['keeper', 'the keeper is killed and frozen, alone and with the daemon'],
  ['all', 'all of it, agents that misbehave, a disk that fills up and stops in the middle'],
];

for (const [number, [profile, what]] of RUNS.entries())
  test(`${profile}: ${what}`, async () => {
    const outcome = await run(makePlan({ seed: 'npm test', number, ms: MS, profile }));
    expect(outcome.violations, reportOf(outcome)).toEqual([]);
  }, 120_000);
