/** The numbers of the pool, from configuration (`pool.*`). Types and defaults only. */

export interface PoolLimits {
  /** Most warm processes at once, those that are being ended included. */
  readonly maxWarm: number;
  readonly idleTimeoutMs: number;
  /** Resident memory of all process trees together, MB; undefined for no budget. */
  readonly memoryBudgetMb?: number | undefined;
  /** What a message gets when nothing is free and nothing is idle: a process of its own, or a place in a line. */
  readonly whenFull: 'per-message' | 'wait';
  /** Most processes for one message at once, whatever they are for; beyond it a message waits in the line. */
  readonly maxPerMessage: number;
  /** Most sessions in the line; beyond it a message is refused. */
  readonly maxWaiting: number;
  /** How long one waits in the line before its message runs per message after all, or fails where that is not to be had either. */
  readonly maxWaitMs: number;
  /** False: everything runs per message. */
  readonly persistent: boolean;
  /** Parts of names of models that do not work warm. */
  readonly blockedModels: readonly string[];
  /** A process past this is replaced between turns, MB. */
  readonly recycleMb: number;
  /** A process that has had so many turns is replaced between turns. */
  readonly recycleTurns: number;
  /** A process past this is ended within its turn, MB; undefined for never. */
  readonly killMb?: number | undefined;
  readonly warmOnCreate: boolean;
  /** Most sessions in one process, of an agent whose process can have several; 1 for a process each. */
  readonly sessionsPerProcess: number;
  /** Most processes that are kept for sessions to come, within `maxWarm`; 0: none. */
  readonly spares: number;
  /** So long after a session was created one is kept for the next that is started alike. */
  readonly spareForMs: number;
  /** Nothing starts and no turn is open for so long before one is started, or it was wanted for forty times as long. */
  readonly spareRestMs: number;
  /** How long background tasks hold an idle process. */
  readonly backgroundMaxMs: number;
  /** How long the end of background tasks holds it: the agent may wake and work on what they brought, once its model answers. */
  readonly backgroundRestMs: number;
}

export const DEFAULT_POOL_LIMITS: PoolLimits = {
  maxWarm: 5,
  idleTimeoutMs: 300_000,
  whenFull: 'per-message',
  maxPerMessage: 10,
  maxWaiting: 100,
  maxWaitMs: 10 * 60_000,
  persistent: true,
  blockedModels: [],
  recycleMb: 600,
  recycleTurns: 500,
  warmOnCreate: true,
  sessionsPerProcess: 50,
  spares: 0,
  spareForMs: 10 * 60_000,
  spareRestMs: 250,
  backgroundMaxMs: 6 * 60 * 60_000,
  backgroundRestMs: 30_000,
};
