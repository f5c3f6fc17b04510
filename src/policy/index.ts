/**
 * Rules for what agents ask and do. Owns what a rule means. Knows nothing of sessions, of agents' protocols and of the disk, which it asks through a port.
 */
export { judge } from './judge.ts';
export { compilePolicy, readPolicy, type Policy } from './policy.ts';
export { mayChange } from './read-only.ts';
export type { Call, Files, Verdict, Workspace } from './types.ts';
