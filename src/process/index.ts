/** Processes: starting, telling apart, measuring, ending, reaping. */
export { createDirectHost } from './direct.ts';
export { isDirectory, mustBeDirectory, namesOf } from './directory.ts';
export { isAlive, processIdentity } from './identity.ts';
export { endProcess } from './ladder.ts';
export { endLeftBehind } from './left-behind.ts';
export { treeMemory } from './memory.ts';
export type * from './ports.ts';
export { reapDead } from './reap.ts';
export { socketPath } from './socket-path.ts';
export { environ, SESSION_MARK, unmarked } from './tree.ts';
