/** What is said of a session that is not there. */
import { PilotlightError } from '../protocol/index.ts';

export function noSession(id: string): PilotlightError {
  return new PilotlightError('not_found', `There is no session ${id}`, {
    fix: '`pilotlight ls --all` lists them.',
  });
}
