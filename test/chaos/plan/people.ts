/** How the people of a session answer what its agent asks: how many, how quickly, with what. */
import type { Dice } from './dice.ts';

export type Decision = 'allow' | 'allow_for_session' | 'deny';

export interface PlannedAnswer {
  /** After it was seen to be open. */
  readonly afterMs: number;
  readonly decision: Decision;
  readonly edited: boolean;
}

/** Of one request: several may answer at once; none, and the deadline does. */
export type PlannedAnswers = readonly PlannedAnswer[];

/** Taken in turn, one a request. */
const REQUESTS = 40;

export function peopleOf(dice: Dice): PlannedAnswers[] {
  return Array.from({ length: REQUESTS }, () =>
    Array.from({ length: Number(dice.weighted({ 0: 2, 1: 6, 2: 4, 3: 2 })) }, () => ({
      afterMs: dice.chance(0.6) ? 0 : dice.between(0, 600),
      decision: dice.weighted({ allow: 6, deny: 3, allow_for_session: 1 }),
      edited: dice.chance(0.2),
    })),
  );
}
