/** A stream that ends because the journal does not have the place from which it was read: never had it, or lost it by a power cut. */
import type { StreamReset } from '../client/index.ts';
import { PilotlightError } from '../protocol/index.ts';

export function noSuchPlace(after: number, { data }: StreamReset): PilotlightError {
  if (data.lastSeq === undefined || data.lastSeq >= after)
    return new PilotlightError('cursor_ahead', 'The journal has lost its end', {
      fix: 'Read again from the start.',
    });
  return new PilotlightError('cursor_ahead', `There is nothing at ${String(after)} yet`, {
    fix: `Read again from the start: the end is at ${String(data.lastSeq)}.`,
  });
}
