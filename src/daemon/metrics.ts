/**
 * What Prometheus is told: what this daemon has counted since it started, and what there is at the moment of the question.
 * Owns the numbers. Labels are agents, kinds and codes; never a session, a path, or a word that somebody wrote.
 */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import {
  EVENT_DATA,
  VERSION,
  type Costs,
  type EventData,
  type EventType,
  type StatusView,
} from '../protocol/index.ts';
import type { Followed } from '../session/ports.ts';

export interface MetricsOptions {
  /** All sessions' events of these types from now on, until the signal. */
  readonly follow: (types: ReadonlySet<string>, signal: AbortSignal) => AsyncIterable<readonly Followed[]>;
  /** The agent of a session. Throws for one that is gone. */
  readonly agentOf: (session: string) => string;
  readonly status: () => Promise<StatusView>;
  readonly report: (error: unknown) => void;
}

export interface Metrics extends Disposable {
  readonly contentType: string;
  /** In the text format of Prometheus. */
  text(): Promise<string>;
}

const SECONDS = [0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800];

/** Counts until it is disposed. */
export function openMetrics(options: MetricsOptions): Metrics {
  const register = new Registry();
  const counted = countersIn(register);
  const seen = gaugesIn(register);
  const ending = new AbortController();

  async function listen(): Promise<void> {
    for await (const batch of options.follow(new Set(Object.keys(counted)), ending.signal))
      for (const item of batch)
        if (item.kind === 'event') counted[item.event.type]?.(item.event.json, agentOf(item.event.session));
  }

  function agentOf(session: string): string {
    try {
      return options.agentOf(session);
    } catch {
      return 'unknown';
    }
  }

  listen().catch((error: unknown) => {
    if (!ending.signal.aborted) options.report(error);
  });
  return {
    contentType: register.contentType,
    async text() {
      seen(await options.status());
      return await register.metrics();
    },
    [Symbol.dispose]() {
      ending.abort();
    },
  };
}

type Count = (json: string, agent: string) => void;

/** By type of event; what is in none of them is not even read. */
function countersIn(register: Registry): Readonly<Record<string, Count>> {
  const ended = turnsIn(register);
  const startup = seconds(register, 'runtime_startup', 'Start of an agent process until it is ready');
  const ends = counter(register, {
    name: 'runtime_ends_total',
    help: 'Ends of agent processes; of a shared one, once for each of its sessions',
    labelNames: ['agent', 'reason'],
  });
  const asked = counter(register, {
    name: 'permissions_total',
    help: 'Requests of agents that were resolved. by: client, policy, deadline, turn_end or shutdown',
    labelNames: ['agent', 'decision', 'by'],
  });
  return {
    ...on('turn.completed', (agent, costs) => {
      ended({ agent, state: 'completed', code: '' }, costs);
    }),
    ...on('turn.failed', (agent, costs) => {
      ended({ agent, state: 'failed', code: costs.code }, costs);
    }),
    ...on('turn.interrupted', (agent, costs) => {
      ended({ agent, state: 'interrupted', code: '' }, costs);
    }),
    ...on('runtime.started', (agent, { startupMs }) => {
      startup.observe({ agent }, startupMs / 1000);
    }),
    ...on('runtime.ended', (agent, { reason }) => {
      ends.inc({ agent, reason });
    }),
    ...on('permission.resolved', (agent, { decision, by }) => {
      asked.inc({ agent, decision, by: by.kind });
    }),
  };
}

interface Ended {
  readonly agent: string;
  readonly state: string;
  readonly code: string;
}

function turnsIn(register: Registry): (ended: Ended, costs: Costs) => void {
  const turns = counter(register, {
    name: 'turns_total',
    help: 'Turns that ended. code: why a turn failed',
    labelNames: ['agent', 'state', 'code'],
  });
  const ttft = seconds(register, 'turn_first_token', 'From the start of a turn to its first token');
  const duration = seconds(register, 'turn_duration', 'From the start of a turn to its end');
  const tokens = counter(register, {
    name: 'tokens_total',
    help: 'Tokens of ended turns, as agents report them',
    labelNames: ['agent', 'kind'],
  });
  const cost = counter(register, {
    name: 'cost_usd_total',
    help: 'US dollars of ended turns, as agents report them',
    labelNames: ['agent'],
  });
  return (ended, { usage, costUsd, ttftMs, durationMs }) => {
    const { agent } = ended;
    turns.inc({ ...ended });
    if (ttftMs !== undefined) ttft.observe({ agent }, ttftMs / 1000);
    duration.observe({ agent }, durationMs / 1000);
    if (costUsd !== undefined) cost.inc({ agent }, Math.max(0, costUsd));
    for (const [kind, count] of Object.entries({
      input: usage?.inputTokens,
      output: usage?.outputTokens,
      cache_read: usage?.cacheReadTokens,
      cache_write: usage?.cacheWriteTokens,
    }))
      if (count !== undefined && count > 0) tokens.inc({ agent, kind }, count);
  };
}

interface Named<L> {
  /** Without the prefix that all have. */
  readonly name: string;
  readonly help: string;
  readonly labelNames?: readonly L[];
}

function counter<L extends string>(register: Registry, named: Named<L>): Counter<L> {
  return new Counter({ ...named, name: `pilotlight_${named.name}`, registers: [register] });
}

function gauge<L extends string>(register: Registry, named: Named<L>): Gauge<L> {
  return new Gauge({ ...named, name: `pilotlight_${named.name}`, registers: [register] });
}

function seconds(register: Registry, name: string, help: string): Histogram<'agent'> {
  return new Histogram({
    name: `pilotlight_${name}_seconds`,
    help,
    labelNames: ['agent'],
    buckets: SECONDS,
    registers: [register],
  });
}

function on<T extends EventType>(
  type: T,
  count: (agent: string, data: EventData<T>) => void,
): Readonly<Record<string, Count>> {
  return {
    [type]: (json, agent) => {
      const { data } = JSON.parse(json) as { readonly data: unknown };
      const parsed = EVENT_DATA[type].safeParse(data);
      // The schema is the type's own.
      if (parsed.success) count(agent, parsed.data as EventData<T>);
    },
  };
}

/** What there is now; set when somebody asks. */
function gaugesIn(register: Registry): (status: StatusView) => void {
  const info = gauge(register, { name: 'info', help: 'This daemon', labelNames: ['version'] });
  const started = gauge(register, {
    name: 'start_time_seconds',
    help: 'When this daemon started, seconds since 1970',
  });
  const resident = gauge(register, { name: 'resident_memory_bytes', help: 'Memory of the daemon' });
  const keeper = gauge(register, { name: 'keeper_resident_memory_bytes', help: 'Memory of the keeper' });
  const agents = gauge(register, {
    name: 'runtimes_resident_memory_bytes',
    help: 'Memory of all agents in the pool, with their tools',
  });
  const runtimes = gauge(register, {
    name: 'runtimes',
    help: 'Agent processes in the pool. evictable: whether the pool may end it now',
    labelNames: ['evictable'],
  });
  const most = gauge(register, { name: 'runtimes_max', help: 'Places in the pool (pool.maxWarm)' });
  const waiting = gauge(register, { name: 'sessions_waiting', help: 'Sessions that wait for a place' });
  const sessions = gauge(register, {
    name: 'sessions',
    help: 'Sessions that are not closed',
    labelNames: ['state'],
  });
  const bytes = gauge(register, { name: 'journal_bytes', help: 'Size of the journal' });
  const events = gauge(register, { name: 'journal_events', help: 'Events in the journal' });
  const full = gauge(register, { name: 'journal_full', help: '1 while the disk is full' });
  return (status) => {
    const { leases } = status.pool;
    info.set({ version: VERSION }, 1);
    started.set(Date.parse(status.daemon.startedAt) / 1000);
    resident.set(megabytes(status.daemon.rssMb));
    keeper.set(megabytes(status.keeper?.rssMb));
    agents.set(leases.reduce((sum, { rssMb }) => sum + megabytes(rssMb), 0));
    const evictable = leases.filter((lease) => lease.evictable).length;
    runtimes.set({ evictable: 'true' }, evictable);
    runtimes.set({ evictable: 'false' }, leases.length - evictable);
    most.set(status.pool.maxWarm);
    waiting.set(status.pool.waiting);
    sessions.set({ state: 'working' }, status.sessions.working);
    sessions.set({ state: 'idle' }, Math.max(0, status.sessions.open - status.sessions.working));
    bytes.set(status.journal.bytes);
    events.set(status.journal.events);
    full.set(status.journal.full ? 1 : 0);
  };
}

function megabytes(count = 0): number {
  return count * 1024 * 1024;
}
