/** `status`: the daemon, its keeper, each warm process and why it may or may not be ended. */
import type { StatusView } from '../../protocol/index.ts';
import type { Context } from '../context.ts';
import { table } from '../output.ts';

export async function run(context: Context): Promise<number> {
  const { output } = context;
  const client = await context.client();
  const status = await client.status();
  output.object(status);
  for (const line of lines(status)) output.line(line);
  return 0;
}

function lines(status: StatusView): string[] {
  const { daemon, keeper, pool, sessions, journal } = status;
  const leases = pool.leases.map((lease) => [
    `  ${lease.pid === undefined ? '-' : String(lease.pid)}`,
    lease.sessions.length === 0 ? '-' : lease.sessions.join(', '),
    lease.rssMb === undefined ? '' : `${String(lease.rssMb)} MB`,
    lease.evictable ? 'may be ended' : 'is kept',
    lease.reason,
  ]);
  return [
    `daemon    ${String(daemon.pid)}, version ${daemon.version}, ${String(daemon.rssMb)} MB, since ${daemon.startedAt}, home ${daemon.home}`,
    keeper === undefined
      ? 'keeper    none'
      : `keeper    ${String(keeper.pid)}, version ${keeper.version}${keeper.rssMb === undefined ? '' : `, ${String(keeper.rssMb)} MB`}, ${String(keeper.children)} processes`,
    `sessions  ${String(sessions.open)} open, ${String(sessions.working)} working`,
    `journal   ${(journal.bytes / 1024 / 1024).toFixed(1)} MB, ${String(journal.events)} events${journal.full ? ', THE DISK IS FULL' : ''}`,
    `pool      ${poolLine(pool)}`,
    ...(leases.length === 0 ? [] : [table(leases)]),
    ...ended(pool.ended ?? []),
  ];
}

function ended(newest: NonNullable<StatusView['pool']['ended']>): string[] {
  if (newest.length === 0) return [];
  const rows = newest.map(({ at, pid, sessions: of, words }) => [
    `  ${pid === undefined ? '-' : String(pid)}`,
    of.length === 0 ? '(spare)' : of.join(', '),
    at.slice(11, 19),
    words,
  ]);
  return ['ended     by the pool, newest first; the next message brings a session back', table(rows)];
}

function poolLine({ leases, maxWarm, waiting, perMessage = 0, maxPerMessage }: StatusView['pool']): string {
  const most = maxPerMessage === undefined ? '' : ` of at most ${String(maxPerMessage)}`;
  const beside = perMessage === 0 ? '' : `, ${String(perMessage)}${most} for one message`;
  const line = waiting === 0 ? '' : `, ${String(waiting)} waiting for a process`;
  const spares = leases.filter(({ sessions }) => sessions.length === 0).length;
  const spare = spares === 0 ? '' : ` (${String(spares)} spare)`;
  return `${String(leases.length)} of ${String(maxWarm)} warm${spare}${beside}${line}`;
}
