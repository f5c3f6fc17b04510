/**
 * `npm run chaos`: runs one after the other until the time is over or a seed's run is done.
 *   --minutes N   so long (1)          --seed S     the seed (the clock's)
 *   --run R       only this run of it  --seconds T  one run's time (20)     --profile P  only this kind
 *   --keep-going  do not end with the first violation
 *   --real --kills K [--agent claude|codex]  the real CLIs on the fake model, until the daemon was killed so often (20 kills a run)
 */
import { parseArgs } from 'node:util';
import { makePlan, PROFILES, type Profile } from './plan/plan.ts';
import { runReal } from './real.ts';
import { reportOf } from './report.ts';
import { run, type Outcome } from './run/run.ts';
import { World } from './run/world.ts';

/** Of a run with the real CLIs: a home lives as long. */
const KILLS_A_RUN = 20;

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '1' },
    seed: { type: 'string', default: String(Date.now()) },
    run: { type: 'string' },
    seconds: { type: 'string', default: '20' },
    profile: { type: 'string' },
    'keep-going': { type: 'boolean', default: false },
    real: { type: 'boolean', default: false },
    kills: { type: 'string', default: '20' },
    agent: { type: 'string' },
  },
});
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => void leave());
process.exitCode = await main();

async function main(): Promise<number> {
  const ends = performance.now() + Number(values.minutes) * 60_000;
  const [first, last] =
    values.run === undefined ? [0, Number.POSITIVE_INFINITY] : [Number(values.run), Number(values.run)];
  const total = {
    runs: 0,
    daemonKills: 0,
    kills: 0,
    freezes: 0,
    fills: 0,
    turns: 0,
    asked: 0,
    events: 0,
    followed: 0,
    violations: 0,
  };
  console.log(`seed ${values.seed}`);
  for (let number = first; number <= last; number += 1) {
    if (
      number > first &&
      (values.real ? total.daemonKills >= Number(values.kills) : performance.now() > ends)
    )
      break;
    const outcome = await (values.real
      ? real(number, Number(values.kills) - total.daemonKills)
      : fake(number));
    console.log(reportOf(outcome));
    total.runs += 1;
    total.daemonKills += outcome.history.done.daemonKills;
    total.violations += outcome.violations.length;
    for (const name of ['kills', 'freezes', 'fills', 'turns', 'asked', 'events', 'followed'] as const)
      total[name] += outcome.counts[name];
    if (outcome.violations.length > 0 && !values['keep-going']) break;
  }
  console.log(`seed ${values.seed} in all: ${JSON.stringify(total)}`);
  return total.violations === 0 ? 0 : 1;
}

/** Interrupted: nothing of it stays. */
async function leave(): Promise<void> {
  for (const world of World.living) {
    world.down = true;
    await world[Symbol.asyncDispose]();
  }
  process.exit(130);
}

function fake(number: number): Promise<Outcome> {
  const ms = Number(values.seconds) * 1000;
  return run(makePlan({ seed: values.seed, number, ms, profile: profileOf(values.profile) }));
}

function real(number: number, left: number): Promise<Outcome> {
  const { agent, seed } = values;
  if (agent !== undefined && agent !== 'claude' && agent !== 'codex')
    throw new Error(`--agent ${agent}: claude or codex`);
  return runReal({ seed, number, kills: Math.min(left, KILLS_A_RUN), agent });
}

function profileOf(name: string | undefined): Profile | undefined {
  const found = PROFILES.find((profile) => profile === name);
  if (name !== undefined && found === undefined)
    throw new Error(`--profile ${name}: one of ${PROFILES.join(', ')}`);
  return found;
}
