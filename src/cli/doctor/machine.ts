/** `doctor` on limits that this machine can never reach: they are taken, and guard nothing. */
import { totalmem } from 'node:os';
import { readConfig, type Config } from '../../daemon/index.ts';
import type { Context } from '../context.ts';
import type { Finding } from './finding.ts';

/** What an agent at rest has at the least (a Codex; a Claude has some 200 MB). */
const LEAST_AGENT_MB = 50;

export function machine({ home, env }: Context): Finding[] {
  try {
    return beyond(readConfig(home, env).pool, memoryMb());
  } catch {
    // Said with the agents.
    return [];
  }
}

/** Of a container, where it has less than the machine. */
function memoryMb(): number {
  const constrained = process.constrainedMemory();
  const bytes = constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
  return Math.floor(bytes / 1024 / 1024);
}

function beyond(pool: Config['pool'], hasMb: number): Finding[] {
  const has = `this machine has ${String(hasMb)} MB`;
  const memory = (['memoryBudgetMb', 'recycleMb', 'killMb'] as const).flatMap((key): Finding[] => {
    const mb = pool[key];
    if (mb === undefined || mb <= hasMb) return [];
    const says = `pool.${key} = ${String(mb)}, and ${has}: it ends nothing before memory is gone`;
    return [{ what: 'limits', state: 'warning', says, fix: `Set pool.${key} below that in config.toml.` }];
  });
  const processes = (['maxWarm', 'maxPerMessage'] as const).flatMap((key): Finding[] => {
    const count = pool[key];
    const fitting = Math.max(1, Math.floor(hasMb / LEAST_AGENT_MB));
    if (count <= fitting) return [];
    const says = `pool.${key} = ${String(count)}, and ${has}: at ${String(LEAST_AGENT_MB)} MB each not more than ${String(fitting)} processes fit`;
    const fix = `Set pool.${key} lower, or pool.memoryBudgetMb to what agents may have.`;
    return [{ what: 'limits', state: 'warning', says, fix }];
  });
  return [...memory, ...processes];
}
