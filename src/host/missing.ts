/** What is said of a session that is not there. */
import { PilotlightError } from '../protocol/index.ts';
import type { SessionRecord } from '../session/ports.ts';

export function noSession(id: string): PilotlightError {
  return new PilotlightError('not_found', `There is no session ${id}`, {
    fix: '`pilotlight ls --all` lists them.',
  });
}

/** Throws for a session that takes no command. */
export function mustBeCommandable(id: string, record: SessionRecord | undefined): SessionRecord {
  if (record === undefined) throw noSession(id);
  if (record.closed)
    throw new PilotlightError('session_closed', `Session ${id} is closed`, {
      fix: 'Create a new session.',
    });
  return record;
}
