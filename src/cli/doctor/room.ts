/** `doctor` on limits that this machine cannot hold. Pure. */
import type { Finding } from './finding.ts';

/** Of a warm agent with its helpers, MB; what the pool reckons with before it has measured one. */
const USUAL_MB = 200;

export interface Limits {
  readonly maxWarm: number;
  readonly maxPerMessage: number;
  readonly memoryBudgetMb?: number | undefined;
}

/** `haveMb`: the memory of this machine, or of the container. */
export function room(pool: Limits, haveMb: number): Finding {
  const what = 'pool';
  const { maxWarm, maxPerMessage, memoryBudgetMb } = pool;
  const have = `this machine has ${String(haveMb)} MB`;
  if (memoryBudgetMb !== undefined && memoryBudgetMb > haveMb)
    return {
      what,
      state: 'warning',
      says: `pool.memoryBudgetMb is ${String(memoryBudgetMb)} MB, ${have}: the budget would never hold anything back`,
      fix: `Set it below ${String(Math.floor(haveMb * 0.75))} in config.toml.`,
    };
  const most = (maxWarm + maxPerMessage) * USUAL_MB;
  if (memoryBudgetMb === undefined && most > haveMb)
    return {
      what,
      state: 'warning',
      says: `pool.maxWarm (${String(maxWarm)}) and pool.maxPerMessage (${String(maxPerMessage)}) let agents take some ${String(most)} MB, ${have}`,
      fix: `Lower them, or set pool.memoryBudgetMb (${String(Math.floor(haveMb * 0.75))} would leave some room) in config.toml.`,
    };
  return { what, state: 'ok', says: `at most ${String(maxWarm)} warm processes; ${have}` };
}
