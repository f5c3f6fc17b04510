/** The pool as a person sees it: which process is there for whom, why it may or may not be ended, who waits. Pure. */
import { verdictOf, type Lease, type PoolLimits } from '../pool/index.ts';
import type { StatusView } from '../protocol/index.ts';
import type { LetGo } from './let-go.ts';

export interface PoolShown {
  /** Those for one message too; they hold no slot and are only counted. */
  readonly leases: readonly Lease[];
  readonly limits: PoolLimits;
  /** How many stand in the line. */
  readonly waiting: number;
  /** Undefined until there is a process. */
  readonly pid: (runtime: string) => number | undefined;
  readonly ended: readonly LetGo[];
}

export function poolView({ leases, limits, waiting, pid, ended }: PoolShown): StatusView['pool'] {
  const warm = leases.filter((lease) => lease.kind === 'warm');
  return {
    maxWarm: limits.maxWarm,
    leases: warm.map((lease) => leaseView(lease, pid(lease.runtime), limits)),
    waiting,
    perMessage: leases.length - warm.length,
    maxPerMessage: limits.maxPerMessage,
    ended: [...ended],
  };
}

function leaseView(
  lease: Lease,
  pid: number | undefined,
  limits: PoolLimits,
): StatusView['pool']['leases'][number] {
  const { runtime, sessions, rssMb, idleMs } = lease;
  return {
    runtime,
    sessions: [...sessions],
    ...(pid === undefined ? {} : { pid }),
    ...(rssMb === undefined ? {} : { rssMb }),
    idleMs: Math.round(idleMs),
    ...verdictOf(lease, limits),
  };
}
