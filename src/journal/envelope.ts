/** The one text of an event as every follower receives it. `data` is put in as it is: it was made by JSON.stringify and is never parsed here. */
import type { StoredEvent } from '../session/ports.ts';
import type { DraftedEvent } from './draft.ts';

export function storedEvent(cursor: number, event: DraftedEvent): StoredEvent {
  const { session, seq, turn, time, type, data } = event;
  const of = turn === undefined ? '' : `"turn":${JSON.stringify(turn)},`;
  return {
    cursor,
    session,
    seq,
    type,
    json: `{"session":${JSON.stringify(session)},"seq":${String(seq)},${of}"time":"${time}","type":"${type}","data":${data}}`,
  };
}
