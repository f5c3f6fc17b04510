/** What a read-only session may still do: look. Everything that writes, runs, or cannot be told from that is denied. Pure. */
import { compilePolicy, fits } from './policy.ts';
import { scriptOf } from './subject.ts';
import type { Call } from './types.ts';

/** Commands that only look, in any words but those that make them write. */
const LOOKING = compilePolicy(
  [
    'ls *',
    'cat *',
    'head *',
    'tail *',
    'wc *',
    'pwd',
    'echo *',
    'grep *',
    'stat *',
    'which *',
    'whoami',
    'uname *',
    ...['status', 'log', 'diff', 'show', 'rev-parse', 'ls-files', 'blame'].map((verb) => `git ${verb} *`),
  ].map((match) => ({ tool: 'execute', match, decision: 'allow' })),
);

/** Leaving plan mode would let the agent write. */
const NEVER: ReadonlySet<string> = new Set(['ExitPlanMode', 'request_permissions']);

/** Whether the call may change something, as far as can be told. */
export function mayChange(call: Call): boolean {
  switch (call.kind) {
    case 'read':
    case 'search':
    case 'fetch':
    case 'think':
      return false;
    case 'edit':
    case 'mcp':
      return true;
    case 'execute': {
      const { targets, limit } = scriptOf(call);
      return limit || !targets.every((target) => LOOKING.some((rule) => fits(rule, target) === 'yes'));
    }
    case 'other':
      return NEVER.has(call.name);
  }
}
