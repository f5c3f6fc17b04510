/** What a command's failure comes to: one line that says what happened, one that says what to do, an exit code. */
import { messageOf, PilotlightError } from '../protocol/errors.ts';
import type { Output } from './output.ts';

/** Ends a command with this code, everything having been said already. */
export class Exit extends Error {
  readonly code: number;

  constructor(code: number) {
    super(`exit ${String(code)}`);
    this.code = code;
  }
}

/** Wrong usage: exit code 2. */
export class UsageError extends Error {}

/** What to do where nobody said anything closer. */
const LOOK = '`pilotlight doctor` and `pilotlight logs` may say more.';

/** Says what went wrong and gives the exit code. */
export function explain(error: unknown, output: Output): number {
  if (error instanceof Exit) return error.code;
  const { code, message, fix, exit } = shapeOf(error);
  output.error({ code, message, ...(fix === undefined ? {} : { fix }) });
  return exit;
}

function shapeOf(error: unknown): {
  readonly code: string;
  readonly message: string;
  readonly fix?: string;
  readonly exit: number;
} {
  if (error instanceof PilotlightError) {
    const { code, message, fix = LOOK, exitCode } = error;
    return { code, message, exit: exitCode, ...(code === 'aborted' ? {} : { fix }) };
  }
  if (error instanceof UsageError)
    return { code: 'usage', message: error.message, exit: 2, fix: '`pilotlight --help` shows the commands.' };
  return { code: 'internal', message: messageOf(error), exit: 1, fix: '`pilotlight logs` may say more.' };
}
