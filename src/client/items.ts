/** How the messages of an event stream are read. */
import type { EventSourceMessage } from 'eventsource-parser';
import { z } from 'zod';
import {
  AnyEvent,
  messageOf,
  PilotlightError,
  type SessionEvent,
  type StreamGap,
  type StreamReset,
} from '../protocol/index.ts';

const Gap = z.object({
  from: z.number(),
  to: z.number(),
  reason: z.string(),
  session: z.string().optional(),
});
const Ready = z.object({ epoch: z.string(), through: z.number() });
const Reset = z.object({ epoch: z.string(), lastSeq: z.number() });

/** A message of a stream with its position, where it has one. */
export type Received =
  | { readonly kind: 'event'; readonly position: number; readonly event: SessionEvent }
  | { readonly kind: 'gap'; readonly position: number; readonly gap: StreamGap }
  | { readonly kind: 'ready'; readonly epoch: string; readonly through: number }
  | { readonly kind: 'reset'; readonly reset: StreamReset };

export function received({ event: type = '', id, data }: EventSourceMessage): Received {
  try {
    const value: unknown = JSON.parse(data);
    switch (type) {
      case 'stream.ready':
        return { kind: 'ready', ...Ready.parse(value) };
      case 'stream.gap':
        return { kind: 'gap', position: positionOf(id), gap: gapOf(value) };
      case 'stream.reset':
        return { kind: 'reset', reset: { type, data: Reset.parse(value) } };
      default:
        return { kind: 'event', position: positionOf(id), event: eventOf(value) };
    }
  } catch (cause) {
    throw new PilotlightError(
      'protocol',
      `A message of the event stream is not understood: ${messageOf(cause)}`,
      { cause },
    );
  }
}

export function gapOf(value: unknown): StreamGap {
  return { type: 'stream.gap', data: Gap.parse(value) };
}

/** The envelope is checked; `data` is what the daemon says that this type has. */
export function eventOf(value: unknown): SessionEvent {
  AnyEvent.parse(value);
  return value as SessionEvent;
}

function positionOf(id: string | undefined): number {
  return z.coerce.number().int().nonnegative().parse(id);
}
