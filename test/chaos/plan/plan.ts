/**
 * What a run will do, drawn from its seed before it begins: clients with their messages, followers with their manners, deeds with their moments.
 * Pure: the same seed and number give the same plan. Which process a deed meets, and in what it is busy then, is the machine's affair.
 */
import { legsOf, planClient, type PlannedClient, type PlannedLeg } from './client.ts';
import { planDeeds, type PlannedDeed } from './deeds.ts';
import { Dice } from './dice.ts';

export const PROFILES = ['daemon', 'agents', 'keeper', 'faults', 'shutdown', 'disk', 'all'] as const;
/** `real`: the real CLIs on the fake model (real.ts); the others are for the fakes. */
export type Profile = (typeof PROFILES)[number] | 'real';

export interface Plan {
  /** What replays it. */
  readonly seed: string;
  readonly number: number;
  readonly profile: Profile;
  readonly ms: number;
  readonly maxWarm: number;
  readonly clients: readonly PlannedClient[];
  /** How somebody follows all sessions. */
  readonly everywhere: readonly PlannedLeg[];
  readonly deeds: readonly PlannedDeed[];
  /** The deeds end when the daemon was killed so often: one that met nobody does not count. */
  readonly kills?: number;
}

export interface PlanWish {
  readonly seed: string;
  readonly number: number;
  readonly ms: number;
  /** Left out: the profiles take turns. */
  readonly profile?: Profile | undefined;
}

export function makePlan({ seed, number, ms, profile = PROFILES[number % PROFILES.length] }: PlanWish): Plan {
  if (profile === undefined) throw new Error(`no profile for ${String(number)}`);
  const name = `${seed}/${String(number)}`;
  const dice = new Dice(name);
  const count = dice.between(2, 5);
  const clients = Array.from({ length: count }, (_, place) =>
    planClient(new Dice(`${name}/client/${String(place)}`), { place, profile, ms }),
  );
  const deeds = planDeeds(new Dice(`${name}/deeds`), profile, ms);
  const everywhere = legsOf(new Dice(`${name}/everywhere`), ms);
  return { seed, number, profile, ms, maxWarm: dice.pick([2, 5, 8]), clients, everywhere, deeds };
}
