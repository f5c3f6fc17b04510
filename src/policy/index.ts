/** Rules for what agents ask and do. */
export { compilePolicy, judge, type Call, type Policy, type Verdict, type Workspace } from './judge.ts';
export { mayChange } from './read-only.ts';
