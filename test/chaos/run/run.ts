/** One run of a plan: a home, its clients and the deeds at once, then the end, then the judgement. */
import { setTimeout as pass } from 'node:timers/promises';
import { isEnding } from '../../support/daemon.ts';
import type { History, Violation } from '../oracle/history.ts';
import { judge } from '../oracle/oracle.ts';
import type { Plan } from '../plan/plan.ts';
import { Caller } from './caller.ts';
import { ChaosClient } from './client.ts';
import { configFor } from './config.ts';
import { Decoys } from './decoys.ts';
import { Gremlin } from './gremlin.ts';
import { settle } from './settle.ts';
import { World } from './world.ts';

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
  readonly events: number;
  readonly followed: number;
}

export async function run(plan: Plan): Promise<Outcome> {
  const onDisk = plan.profile === 'disk' || plan.profile === 'all';
  await using world = World.create({ config: configFor(plan), ...(onDisk ? { diskMb: 96 } : {}) });
  using decoys = await Decoys.start(world);
  const caller = new Caller(world);
  const ending = new AbortController();
  const over = ending.signal;
  const clients = plan.clients.map(
    (client, place) => new ChaosClient(client, String(place), { world, caller, over }),
  );
  const gremlin = new Gremlin(world, caller, over);
  const working = Promise.all([...clients.map((client) => client.run()), gremlin.run(plan.deeds)]);
  await Promise.race([pass(plan.ms), working]);
  ending.abort();
  await working;
  const sessions = clients.flatMap((client) => client.sessions);
  const seen = await settle({ world, caller, sessions });
  const history: History = { ...seen, done: world.done, decoys: decoys.seen(), troubles: world.troubles };
  return {
    plan,
    history,
    violations: judge(history),
    deeds: gremlin.log,
    counts: countsOf(history),
    logs: world.logs(),
  };
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
    events: events.length,
    followed: sessions
      .flatMap(({ followers }) => followers.flatMap(({ legs }) => legs.map(({ seen }) => seen.length)))
      .reduce((sum, count) => sum + count, 0),
  };
}
