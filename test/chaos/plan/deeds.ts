/** What is done to processes and to the disk, when and for how long. */
import type { Dice } from './dice.ts';
import type { Profile } from './plan.ts';

export type DeedKind =
  | 'kill-daemon'
  | 'kill-starting-daemon'
  | 'freeze-daemon'
  | 'detach-daemon'
  | 'kill-agent'
  | 'freeze-agent'
  | 'kill-keeper'
  | 'freeze-keeper'
  | 'kill-daemon-and-agent'
  | 'kill-daemon-and-keeper'
  | 'freeze-keeper-kill-daemon'
  | 'shutdown'
  | 'fill-disk'
  | 'fill-disk-kill-daemon';

export interface PlannedDeed {
  readonly kind: DeedKind;
  /** After the deed before, and after a daemon answers. */
  readonly afterMs: number;
  /** Picks among the processes that are there then. */
  readonly victim: number;
  /** How long a freeze or a full disk lasts. */
  readonly forMs: number;
  /** Who starts a daemon that was killed: its keeper, or the test at once. */
  readonly starter: 'keeper' | 'test';
}

type Weights = Partial<Readonly<Record<DeedKind, number>>>;

const DAEMON: Weights = {
  'kill-daemon': 6,
  'kill-starting-daemon': 1,
  'freeze-daemon': 1,
  'detach-daemon': 1,
};

const WEIGHTS: Readonly<Record<Profile, Weights>> = {
  daemon: DAEMON,
  agents: { 'kill-daemon': 3, 'kill-agent': 5, 'freeze-agent': 3, 'kill-daemon-and-agent': 3 },
  keeper: {
    'kill-daemon': 3,
    'kill-keeper': 3,
    'freeze-keeper': 3,
    'kill-daemon-and-keeper': 2,
    'freeze-keeper-kill-daemon': 3,
  },
  faults: { 'kill-daemon': 3, 'freeze-daemon': 1 },
  shutdown: { ...DAEMON, shutdown: 5 },
  real: {
    'kill-daemon': 8,
    'kill-starting-daemon': 1,
    'freeze-daemon': 1,
    'kill-agent': 2,
    'freeze-agent': 2,
    'kill-daemon-and-agent': 1,
    'kill-keeper': 1,
    'freeze-keeper': 1,
    'kill-daemon-and-keeper': 1,
    'freeze-keeper-kill-daemon': 1,
  },
  disk: { 'kill-daemon': 3, 'fill-disk': 4, 'fill-disk-kill-daemon': 4 },
  all: {
    'kill-daemon': 5,
    'kill-starting-daemon': 1,
    'freeze-daemon': 1,
    'detach-daemon': 1,
    'kill-agent': 3,
    'freeze-agent': 2,
    'kill-keeper': 1,
    'freeze-keeper': 2,
    'kill-daemon-and-agent': 1,
    'kill-daemon-and-keeper': 1,
    'freeze-keeper-kill-daemon': 1,
    shutdown: 1,
    'fill-disk': 2,
    'fill-disk-kill-daemon': 1,
  },
};

/** Fault messages need a daemon that lives for a while: their bounds are seconds. */
const PACE_MS: Readonly<Record<Profile, readonly [number, number]>> = {
  daemon: [50, 900],
  agents: [50, 900],
  keeper: [200, 1500],
  faults: [500, 3000],
  shutdown: [200, 1500],
  real: [50, 1500],
  disk: [600, 3500],
  all: [200, 2000],
};

/** For longer than `ms`: a busy machine is given more time. */
export function planDeeds(dice: Dice, profile: Profile, ms: number): PlannedDeed[] {
  const deeds: PlannedDeed[] = [];
  const [low, high] = PACE_MS[profile];
  for (let at = 0; at < 6 * ms;) {
    const afterMs = dice.between(low, high);
    at += afterMs;
    deeds.push({
      kind: dice.weighted<DeedKind>(WEIGHTS[profile] as Record<DeedKind, number>),
      afterMs,
      victim: dice.between(0, 1000),
      forMs: dice.between(20, 1500),
      starter: dice.chance(0.15) ? 'keeper' : 'test',
    });
  }
  return deeds;
}
