/**
 * Requests of agents as clients see them: what is open, read from the event that asked; who answered what is not open any more.
 */
import { z } from 'zod';
import { By, PermissionView, PilotlightError } from '../protocol/index.ts';
import type { Draft, Journal } from '../session/ports.ts';
import type { Session } from '../session/session.ts';
import type { Answering } from './face.ts';
import type { OpenAsk, SessionState } from '../session/state.ts';

type Events = Pick<Journal, 'events'>;

export function openPermissions(journal: Events, state: SessionState): PermissionView[] {
  return state.asks.map((ask) => permissionView(journal, state.spec.id, ask));
}

const Requested = z.object({ turn: z.string().optional(), time: z.string(), data: z.looseObject({}) });

function permissionView(journal: Events, session: string, ask: OpenAsk): PermissionView {
  const [event] = journal.events(session, ask.seq - 1, 1).events;
  const read = Requested.parse(JSON.parse(event?.json ?? '{}'));
  const { turn, time, data } = read;
  return PermissionView.parse({ ...data, ...(turn === undefined ? {} : { turn }), requestedAt: time });
}

/** Answers in this draft; throws when it is not open, saying who answered. */
export function answerIn(
  draft: Draft,
  what: {
    readonly journal: Events;
    readonly session: Session | undefined;
    readonly id: string;
    readonly answer: Answering;
    readonly by: By;
  },
): PermissionView {
  const { journal, session, id, by } = what;
  const { request, ...answer } = what.answer;
  const open = session?.state.asks.find((one) => one.id === request);
  const resolved = session?.resolved(request);
  if (resolved !== undefined) throw alreadyResolved(resolved);
  if (session === undefined || open === undefined) throw notOpen(journal, id, request);
  const view = permissionView(journal, id, open);
  session.apply(draft, [{ kind: 'answer', id: request, answer, by }]);
  return { ...view, decision: answer.decision, by };
}

function alreadyResolved({ id, decision, by }: z.infer<typeof Resolved>['data']): PilotlightError {
  const who = by.name ?? by.kind;
  return new PilotlightError(
    'already_resolved',
    `Request ${id} was answered already: ${decision}, by ${who}`,
    { detail: { decision, by } },
  );
}

const PAGE = 1000;
const Resolved = z.object({
  data: z.object({ id: z.string(), decision: z.string(), by: By }),
});

/** Why a request that is not open cannot be answered: it was resolved, and by whom; or there never was one. */
function notOpen(journal: Events, session: string, id: string): PilotlightError {
  for (let after = 0; ;) {
    const page = journal.events(session, after, PAGE);
    for (const event of page.events) {
      if (event.type !== 'permission.resolved') continue;
      const { data } = Resolved.parse(JSON.parse(event.json));
      if (data.id !== id) continue;
      return alreadyResolved(data);
    }
    if (page.next === undefined) break;
    after = page.next;
  }
  return new PilotlightError('not_found', `Session ${session} has no permission request ${id}`, {
    fix: 'See which are open: GET /v1/sessions/{id}/permissions.',
  });
}
