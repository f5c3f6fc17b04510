/** Codex as a runtime of several sessions: one `codex app-server`, a thread for each (R9). */
import type { HandshakeChannel, AgentSettings, Greeted, SharedDialect } from '../../dialect.ts';
import { accept } from '../accept.ts';
import { ahead } from '../ahead.ts';
import { initialize } from '../channel.ts';
import { codexOptions, conversations, planShared } from '../plan.ts';
import { talkTo } from '../requester.ts';
import { leave } from './closing.ts';
import { join } from './opening.ts';
import { renderShared } from './render.ts';
import {
  beginShared,
  memberOf,
  MOST_FORSAKEN,
  replaceMember,
  reviveShared,
  stepOf,
  takeIn,
  type Member,
  type SharedState,
} from './state.ts';
import { translateShared } from './translate.ts';

export type { SharedState } from './state.ts';

export const sharedCodex: SharedDialect<SharedState> = {
  agent: 'codex',
  conversations,
  checkOptions: codexOptions,
  ahead,
  plan: planShared,
  greet,
  translate: translateShared,
  render: renderShared,
  revive: reviveShared,
  join(state, joining, ids) {
    const work = beginShared(state, ids);
    join(work, joining);
    return stepOf(work);
  },
  leave(state, seat, ids) {
    const work = beginShared(state, ids);
    leave(work, seat);
    return stepOf(work);
  },
  accept(state, { seat, command }, ids) {
    const work = beginShared(state, ids);
    const member = memberOf(state, seat);
    if (member?.phase !== 'open') return stepOf(work);
    const step = accept(member.thread, command, ids);
    replaceMember(work, { ...member, thread: step.state });
    takeIn(work, seat, step);
    return stepOf(work);
  },
  take(state, { from, to }) {
    const members = state.members.map((one): Member => (one.seat === from ? { ...one, seat: to } : one));
    return { state: { ...state, members }, signals: [], writes: [] };
  },
  forsake: (state, seat) => ({ state: forsake(state, seat), signals: [], writes: [] }),
};

async function greet(channel: HandshakeChannel, settings: AgentSettings): Promise<Greeted<SharedState>> {
  const talk = talkTo(channel, settings.limits);
  const version = await initialize(talk);
  return {
    state: { v: 1, members: [] },
    ...(version === undefined ? {} : { version }),
    resumed: false,
    signals: talk.heard(),
  };
}

/** It is closed when its answer comes after all; the oldest of those that never came are forgotten. */
function forsake(state: SharedState, seat: string): SharedState {
  const members = state.members.map((one): Member => {
    if (one.seat !== seat) return one;
    return one.phase === 'opening'
      ? { ...one, unwanted: 'forsaken' }
      : {
          phase: 'closing',
          seat,
          thread: one.thread,
          id: one.phase === 'closing' ? one.id : null,
          forsaken: true,
        };
  });
  const forsaken = members.filter(isForsaken);
  const forgotten = new Set(forsaken.slice(0, Math.max(0, forsaken.length - MOST_FORSAKEN)));
  return { ...state, members: members.filter((one) => !forgotten.has(one)) };
}

function isForsaken(member: Member): boolean {
  return (
    (member.phase === 'opening' && member.unwanted === 'forsaken') ||
    (member.phase === 'closing' && member.forsaken)
  );
}
