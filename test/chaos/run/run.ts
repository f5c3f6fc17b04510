/** One run of a plan: a home, its clients and the deeds at once, then the end, then the judgement. */
import { setTimeout as pass } from 'node:timers/promises';
import { isEnding } from '../../support/daemon.ts';
import type { History, Received, Violation } from '../oracle/history.ts';
import { judge } from '../oracle/oracle.ts';
import type { Plan } from '../plan/plan.ts';
import { Caller } from './caller.ts';
import { ChaosClient } from './client.ts';
import { ChaosFollower } from './follower.ts';
import { configFor, hasShortBounds } from './config.ts';
import { Decoys } from './decoys.ts';
import { Gremlin } from './gremlin.ts';
import { settle } from './settle.ts';
import { World } from './world.ts';

/** Messages of each client that were answered, and how much longer than planned that may take. */
const LEAST = 4;
const MOST_TIMES = 5;
/** Room for some floods. */
const DISK_MB = 512;

export interface Outcome {
  readonly plan: Plan;
  readonly history: History;
  readonly violations: readonly Violation[];
  readonly deeds: readonly string[];
  readonly counts: Counts;
  readonly logs: readonly string[];
}

export interface Counts {
  readonly kills: number;
  readonly freezes: number;
  readonly fills: number;
  readonly sessions: number;
  readonly turns: number;
  readonly completed: number;
  /** Requests of agents. */
  readonly asked: number;
  readonly events: number;
  readonly followed: number;
}

/** What runs where the fakes would: see real.ts. */
export interface OtherAgents {
  readonly root: string;
  readonly paths: { readonly claude: string; readonly codex: string };
  /** What a session of this agent needs. */
  readonly session: (agent: string) => Record<string, unknown>;
  /** User messages as they arrived, of which a session's own are those with its markers. */
  readonly received: (markers: readonly string[]) => Received[];
}

/** Ends when the plan's time is over, or with its last deed. */
export async function run(plan: Plan, others?: OtherAgents): Promise<Outcome> {
  const onDisk = plan.profile === 'disk' || plan.profile === 'all';
  await using world = World.create({
    config: configFor(plan, others?.paths),
    diskMb: onDisk ? DISK_MB : undefined,
    root: others?.root,
  });
  using decoys = await Decoys.start(world);
  const caller = new Caller(world);
  const ending = new AbortController();
  const over = ending.signal;
  const clients = plan.clients.map(
    (client, place) => new ChaosClient(client, String(place), { world, caller, over, more: others?.session }),
  );
  const gremlin = new Gremlin(world, caller, over);
  const everywhere = new ChaosFollower(world, undefined);
  const mischief = gremlin.run(plan.deeds, plan.kills);
  const working = Promise.all([
    ...clients.map((client) => client.run()),
    everywhere.run(plan.everywhere, over),
    mischief,
  ]);
  await Promise.race([plan.kills === undefined ? longEnough(plan, clients) : mischief, working]);
  ending.abort();
  await working;
  const sessions = clients.flatMap((client) => client.sessions);
  const seen = await settle({ world, caller, sessions, everywhere, received: others?.received });
  const history: History = {
    ...seen,
    everywhere,
    done: world.done,
    shortBounds: hasShortBounds(plan),
    secrets: others !== undefined,
    decoys: decoys.seen(),
    troubles: world.troubles,
  };
  return {
    plan,
    history,
    violations: judge(history),
    deeds: gremlin.log,
    counts: countsOf(history),
    logs: world.logs(),
  };
}

/** The plan's time; on a machine that is busy with other things so much longer that every client has done something. */
async function longEnough(plan: Plan, clients: readonly ChaosClient[]): Promise<void> {
  const most = performance.now() + MOST_TIMES * plan.ms;
  await pass(plan.ms);
  while (clients.some(({ answered }) => answered < LEAST) && performance.now() < most) await pass(50);
}

function countsOf({ sessions, done }: History): Counts {
  const events = sessions.flatMap(({ journal }) => journal);
  return {
    kills: done.daemonKills + done.agentKills + done.keeperKills,
    freezes: done.daemonStops + done.agentStops + done.keeperStops,
    fills: done.diskFills,
    sessions: sessions.length,
    turns: events.filter(isEnding).length,
    completed: events.filter(({ type }) => type === 'turn.completed').length,
    asked: events.filter(({ type }) => type === 'permission.requested').length,
    events: events.length,
    followed: sessions
      .flatMap(({ followers }) => followers.flatMap(({ legs }) => legs.map(({ seen }) => seen.length)))
      .reduce((sum, count) => sum + count, 0),
  };
}
