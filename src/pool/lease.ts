/**
 * One process that holds a slot, as the policy sees it, and the verdict on it in words. Pure.
 * Knows no session and no process: who holds and why is told by the host.
 */
import type { PoolLimits } from './limits.ts';

/** Why a process may not be ended for another: something of it is open. */
export interface Hold {
  readonly kind: 'starting' | 'ending' | 'turn' | 'permission' | 'queued' | 'background';
  /** As a person reads it. */
  readonly words: string;
}

export interface Lease {
  readonly runtime: string;
  readonly sessions: readonly string[];
  readonly kind: 'warm' | 'per-message';
  /** Sessions of this domain may take a seat in it. */
  readonly domain?: string;
  /** Awake time since it came to rest, ms; 0 while it is held. */
  readonly idleMs: number;
  /** When its session last wanted something of it, on one scale for all: the least is ended first. */
  readonly usedAt: number;
  readonly hold?: Hold;
  /** No session has it yet: why it is there, in words. It is ended before any that a session has. */
  readonly spare?: string;
  /** Awake time since background tasks began to run in it, ms. */
  readonly backgroundMs?: number;
  /** Memory of its tree as last sampled, MB. */
  readonly rssMb?: number;
}

export interface LeaseVerdict {
  readonly evictable: boolean;
  readonly reason: string;
}

/** Whether a process may be ended for another, and why (not). */
export function verdictOf(lease: Lease, limits: PoolLimits): LeaseVerdict {
  const { hold, spare } = lease;
  if (lease.kind === 'per-message')
    return { evictable: false, reason: `runs one message${hold === undefined ? '' : `: ${hold.words}`}` };
  if (spare !== undefined) return { evictable: hold === undefined, reason: spare };
  if (hold === undefined) {
    const left = Math.max(0, limits.idleTimeoutMs - lease.idleMs);
    return {
      evictable: true,
      reason: `idle for ${seconds(lease.idleMs)}, ends in ${seconds(left)} or when its slot is needed`,
    };
  }
  if (outlasted(lease, limits))
    return { evictable: true, reason: `${hold.words} for longer than ${seconds(limits.backgroundMaxMs)}` };
  return { evictable: false, reason: hold.words };
}

/** Background tasks hold a process only so long (P5). */
export function outlasted(lease: Lease, limits: PoolLimits): boolean {
  return lease.hold?.kind === 'background' && (lease.backgroundMs ?? 0) >= limits.backgroundMaxMs;
}

/** Those that may be ended: spares, then the least recently used. */
export function evictable(leases: readonly Lease[], limits: PoolLimits): Lease[] {
  return leases.filter((lease) => verdictOf(lease, limits).evictable).sort(byUse);
}

function byUse(a: Lease, b: Lease): number {
  const first = Number(a.spare === undefined) - Number(b.spare === undefined);
  return first === 0 ? a.usedAt - b.usedAt : first;
}

/** Those that were idle for too long (R17), and those whose background tasks never end. Spares have their own end. */
export function overdue(leases: readonly Lease[], limits: PoolLimits): Lease[] {
  return leases.filter(
    (lease) =>
      outlasted(lease, limits) ||
      (lease.kind === 'warm' &&
        lease.spare === undefined &&
        lease.hold === undefined &&
        lease.idleMs >= limits.idleTimeoutMs),
  );
}

/** Why a process that is idle now is replaced by a fresh one, in words; undefined when it is not. */
export function worn(
  size: { readonly rssMb: number | undefined; readonly turns: number },
  limits: PoolLimits,
): string | undefined {
  const { rssMb, turns } = size;
  if (rssMb !== undefined && rssMb > limits.recycleMb)
    return `it has grown to ${String(rssMb)} MB (pool.recycleMb is ${String(limits.recycleMb)})`;
  if (turns >= limits.recycleTurns) return `it has had ${String(turns)} turns (pool.recycleTurns)`;
  return undefined;
}

export function seconds(ms: number): string {
  return `${String(Math.round(ms / 1000))} s`;
}
