/** What a read-only session may still do: look. Everything that writes, runs, or cannot be told from that is denied. Pure. */
import { commandPattern } from './pattern.ts';
import { commandsOf, type Call } from './judge.ts';

/** Commands that only look, in any words but those that make them write. */
const LOOKING = [
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
]
  .concat(['status', 'log', 'diff', 'show', 'rev-parse', 'ls-files', 'blame'].map((verb) => `git ${verb} *`))
  .map(commandPattern);

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
      const commands = commandsOf(call);
      return commands === undefined || !commands.every((command) => LOOKING.some((looks) => looks(command)));
    }
    case 'other':
      return NEVER.has(call.name);
  }
}
