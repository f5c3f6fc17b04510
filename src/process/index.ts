/** Processes: starting, telling apart, measuring, ending, reaping. */
export { createDirectHost } from './direct.ts';
export { isAlive, processIdentity } from './identity.ts';
export { endProcess } from './ladder.ts';
export { treeMemory } from './memory.ts';
export type * from './ports.ts';
export { reapDead } from './reap.ts';
export { socketPath } from './socket-path.ts';
export { unmarked } from './tree.ts';
