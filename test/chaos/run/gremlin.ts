/**
 * Does the planned deeds: kills, freezes, fills the disk, stops the daemon. Whatever it froze or filled is put right again.
 * Owns the deeds and their count.
 */
import { setTimeout as pass } from 'node:timers/promises';
import { gone } from '../../support/daemon.ts';
import type { Identity } from '../../support/processes.ts';
import type { DeedKind, PlannedDeed } from '../plan/deeds.ts';
import type { Caller } from './caller.ts';
import { keeperOf, signal, type World } from './world.ts';

export class Gremlin {
  readonly #world: World;
  readonly #caller: Caller;
  readonly #over: AbortSignal;
  /** What will be put right by itself. */
  readonly #mending: Promise<void>[] = [];
  /** What was done, for whoever reads a violation. */
  readonly log: string[] = [];
  #began = performance.now();

  constructor(world: World, caller: Caller, over: AbortSignal) {
    this.#world = world;
    this.#caller = caller;
    this.#over = over;
  }

  /** Until the deeds or the time are over, or the daemon was killed so often. */
  async run(deeds: readonly PlannedDeed[], kills = Number.POSITIVE_INFINITY): Promise<void> {
    this.#began = performance.now();
    for (const deed of deeds) {
      if (this.#world.done.daemonKills >= kills) break;
      // A machine that is busy starts daemons slowly: what is killed before it answers proves little, so that is a deed of its own.
      if (deed.kind !== 'kill-starting-daemon') await this.#world.reach(this.#over).catch(() => undefined);
      await pass(deed.afterMs, undefined, { signal: this.#over }).catch(() => undefined);
      if (this.#over.aborted) break;
      await this.#do(deed);
    }
    await Promise.all(this.#mending);
  }

  async #do(deed: PlannedDeed): Promise<void> {
    this.log.push(`${String(Math.round(performance.now() - this.#began))} ms ${deed.kind}`);
    await this.#DEEDS[deed.kind](deed);
  }

  readonly #DEEDS: Readonly<Record<DeedKind, (deed: PlannedDeed) => void | Promise<void>>> = {
    'kill-daemon': (deed) => this.#killDaemon(deed),
    'kill-starting-daemon': (deed) => this.#killStarting(deed),
    'freeze-daemon': (deed) => this.#freeze('daemonStops', this.#world.recorded(), deed),
    'detach-daemon': (deed) => this.#endDaemon(deed, 'SIGTERM'),
    'kill-agent': (deed) => this.#kill('agentKills', this.#agent(deed)),
    'freeze-agent': (deed) => this.#freeze('agentStops', this.#agent(deed), deed),
    'kill-keeper': () => this.#kill('keeperKills', keeperOf(this.#world.home.path)),
    'freeze-keeper': (deed) => this.#freeze('keeperStops', keeperOf(this.#world.home.path), deed),
    'kill-daemon-and-agent': (deed) => {
      this.#kill('agentKills', this.#agent(deed));
      this.#killDaemon(deed);
    },
    'kill-daemon-and-keeper': (deed) => {
      this.#kill('keeperKills', keeperOf(this.#world.home.path));
      this.#killDaemon(deed);
    },
    'freeze-keeper-kill-daemon': async (deed) => {
      this.#freeze('keeperStops', keeperOf(this.#world.home.path), deed);
      await pass(Math.min(deed.forMs, 200));
      this.#killDaemon(deed);
    },
    shutdown: (deed) => this.#shutdown(deed),
    'fill-disk': (deed) => this.#fill(deed),
    'fill-disk-kill-daemon': async (deed) => {
      this.#fill(deed);
      await pass(Math.min(deed.forMs, 300));
      this.#killDaemon(deed);
    },
  };

  #killDaemon(deed: PlannedDeed): void {
    this.#endDaemon(deed, 'SIGKILL');
  }

  /** One that runs, and with it one that comes up in its place. */
  async #killStarting(deed: PlannedDeed): Promise<void> {
    const before = this.#world.recorded();
    this.#killDaemon(deed);
    for (let looks = 0; looks < 100 && !this.#over.aborted; looks += 1) {
      const next = this.#world.processes().find(({ role, pid }) => role === 'daemon' && pid !== before?.pid);
      await pass(20);
      if (next === undefined) continue;
      await pass(deed.forMs / 3);
      this.#world.felled.add(next.pid);
      if (signal(next, 'SIGKILL')) this.#world.done.daemonKills += 1;
      return;
    }
  }

  #endDaemon({ starter }: PlannedDeed, name: NodeJS.Signals): void {
    const daemon = this.#world.recorded();
    if (daemon === undefined) return;
    this.#world.fell(daemon.pid, starter);
    if (signal(daemon, name)) this.#world.done[name === 'SIGKILL' ? 'daemonKills' : 'detaches'] += 1;
  }

  #agent({ victim }: PlannedDeed): Identity | undefined {
    const agents = this.#world.processes().filter(({ role }) => role === 'agent');
    return agents.length === 0 ? undefined : agents[victim % agents.length];
  }

  #kill(what: 'agentKills' | 'keeperKills', target: Identity | undefined): void {
    if (target !== undefined && signal(target, 'SIGKILL')) this.#world.done[what] += 1;
  }

  #freeze(
    what: 'agentStops' | 'daemonStops' | 'keeperStops',
    target: Identity | undefined,
    { forMs }: PlannedDeed,
  ): void {
    if (target === undefined || !signal(target, 'SIGSTOP')) return;
    this.#world.done[what] += 1;
    this.#mending.push(pass(forMs).then(() => void signal(target, 'SIGCONT')));
  }

  #fill({ forMs }: PlannedDeed): void {
    const { disk } = this.#world;
    if (disk === undefined) return;
    disk.fill();
    this.#world.done.diskFills += 1;
    this.#mending.push(
      pass(forMs).then(() => {
        disk.free();
      }),
    );
  }

  /** Everything ends, by the public way, and is started again a moment later. */
  async #shutdown({ forMs, starter }: PlannedDeed): Promise<void> {
    const daemon = this.#world.recorded();
    if (daemon === undefined) return;
    this.#world.done.shutdowns += 1;
    this.#world.down = true;
    await this.#world.started();
    this.#world.fell(daemon.pid, starter);
    try {
      await this.#caller
        .ask({ method: 'POST', path: '/v1/daemon/stop', body: { now: true } }, AbortSignal.timeout(5000))
        .catch(() => undefined);
      await gone(daemon, 10_000).catch(() => undefined);
      await pass(forMs / 4);
    } finally {
      this.#world.down = false;
    }
  }
}
