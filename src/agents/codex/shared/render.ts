/**
 * The bytes of a write that opens or closes a thread; every other is as in a process of one session. Deterministic.
 * What a session wants of its thread is looked up, not kept: secrets are in it.
 */
import { z } from 'zod';
import type { Json, OutgoingWrite, RenderContext } from '../../dialect.ts';
import type { ConfigView } from '../messages.ts';
import { render } from '../render.ts';
import { threadSettings } from '../settings.ts';
import { Seen } from './state.ts';

const Request = z.object({ id: z.number() });
const OfSeat = Request.extend({ seat: z.string() });
const Start = OfSeat.extend({ seen: Seen.nullable() });
const Resume = Start.extend({ thread: z.string() });
const Unsubscribe = z.object({ id: z.number(), thread: z.string() });

export function renderShared(write: OutgoingWrite, context: RenderContext): string {
  switch (write.kind) {
    case 'config/read': {
      const { id, seat } = OfSeat.parse(write.ref);
      const settings = context.seat?.(seat);
      return settings === undefined
        ? withdrawn(id)
        : request(id, 'config/read', { includeLayers: false, cwd: settings.cwd });
    }
    case 'thread/start': {
      const { id, seat, seen } = Start.parse(write.ref);
      const settings = context.seat?.(seat);
      return settings === undefined
        ? withdrawn(id)
        : request(id, 'thread/start', threadSettings(settings, viewOf(seen)));
    }
    case 'thread/resume': {
      const { id, seat, seen, thread } = Resume.parse(write.ref);
      const settings = context.seat?.(seat);
      if (settings === undefined) return withdrawn(id);
      const table = threadSettings(settings, viewOf(seen));
      return request(id, 'thread/resume', { threadId: thread, excludeTurns: true, ...table });
    }
    case 'thread/unsubscribe': {
      const { id, thread } = Unsubscribe.parse(write.ref);
      return request(id, 'thread/unsubscribe', { threadId: thread });
    }
    case 'turn/start':
      return prompt(write, context);
    default:
      return render(write, context);
  }
}

/** One message that cannot be read any more is no reason to end the process of all. */
function prompt(write: OutgoingWrite, context: RenderContext): string {
  try {
    return render(write, context);
  } catch {
    return withdrawn(Request.parse(write.ref).id);
  }
}

/** What the session wants is not known any more (its secrets went with a daemon, or it could not be read): a number must be written all the same, and Codex refuses this. */
function withdrawn(id: number): string {
  return request(id, 'pilotlight/withdrawn', {});
}

function viewOf(seen: Seen | null): ConfigView | undefined {
  if (seen === null) return undefined;
  const providers = Object.entries(seen.idle).map(
    ([name, ms]): [string, { readonly stream_idle_timeout_ms: number | null }] => [
      name,
      { stream_idle_timeout_ms: ms },
    ],
  );
  return {
    model_provider: seen.provider,
    model_providers: Object.fromEntries(providers),
    ...(seen.plain ? {} : { sandbox_workspace_write: 'configured' }),
  };
}

function request(id: number, method: string, params: Json): string {
  return JSON.stringify({ id, method, params });
}
