/**
 * One line of a Codex that several sessions share → the thread that it is about, and what it says there. A line about none of ours is for nobody; one about no
 * thread is for all. Every request is answered, once. Pure.
 */
import type { RequestIds, SharedStep, Told } from '../../dialect.ts';
import { envelopeOf, isRecord, type Envelope } from '../messages.ts';
import { cutText } from '../state.ts';
import { translateMessage, type Said } from '../translate.ts';
import { closedUnder, closingAnswered, closingHeard } from './closing.ts';
import { openingAnswered } from './opening.ts';
import {
  beginShared,
  replaceMember,
  stepOf,
  takeIn,
  writeShared,
  type Closing,
  type Member,
  type Open,
  type SharedState,
  type SharedWork,
} from './state.ts';

export function translateShared(state: SharedState, line: string, ids: RequestIds): SharedStep<SharedState> {
  const work = beginShared(state, ids);
  const said: Said = { line, message: envelopeOf(line) };
  const { message } = said;
  if (message === undefined) toAll(work, said);
  else if (message.method === undefined) return answered(work, message, said);
  else {
    const owner = ownerOf(state, threadOf(message.params));
    if (owner !== undefined) {
      heard(work, owner, said);
      return stepOf(work, owner.seat);
    }
    if (message.id !== undefined) refuse(work, message);
    else if (concernsAll(message)) toAll(work, said);
  }
  return stepOf(work);
}

type Talking = Open | Closing;

function isTalking(member: Member): member is Talking {
  return member.phase !== 'opening';
}

/** The seat whose thread, or whose subagent's thread, it is. One that is open goes before one that is being closed: it may be the same thread. */
function ownerOf({ members }: SharedState, thread: string | undefined): Talking | undefined {
  if (thread === undefined) return undefined;
  const has = (one: Member): boolean =>
    isTalking(one) && (one.thread.thread === thread || one.thread.children.includes(thread));
  const owners = members.filter(isTalking).filter(has);
  return owners.find((one) => one.phase === 'open') ?? owners[0];
}

function threadOf(params: unknown): string | undefined {
  if (!isRecord(params)) return undefined;
  const thread = params['threadId'] ?? params['conversationId'];
  return typeof thread === 'string' ? thread : undefined;
}

/** About the process or the account; of a thread that is not ours only what tells of a new subagent, or that a request is settled. */
function concernsAll({ method = '', params }: Envelope): boolean {
  if (method === 'serverRequest/resolved' || method === 'thread/started') return true;
  return threadOf(params) === undefined;
}

/** With several, none is shown the line itself: whose words are in it is not known. */
function toAll(work: SharedWork, said: Said): void {
  const { members } = work.state;
  const before = work.signals.length;
  for (const member of members) if (isTalking(member)) heard(work, member, said);
  if (members.length > 1) work.signals.push(...work.signals.splice(before).map(withoutLine));
}

function withoutLine(told: Told): Told {
  if (told.kind !== 'notice' || told.raw === undefined) return told;
  const { raw: _, ...rest } = told;
  return rest;
}

function heard(work: SharedWork, member: Talking, said: Said): void {
  if (member.phase === 'closing') return closingHeard(work, member, said);
  const step = translateMessage(member.thread, said, work.ids);
  if (step.state !== member.thread) replaceMember(work, { ...member, thread: step.state });
  takeIn(work, member.seat, step);
  const { method, params } = said.message ?? {};
  if (method === 'thread/closed' && threadOf(params) === member.thread.thread) closedUnder(work, member);
}

/** Its id is one of ours: the request of an opening, of a closing, or of a thread's own. */
function answered(work: SharedWork, message: Envelope, said: Said): SharedStep<SharedState> {
  for (const member of work.state.members) {
    if (member.phase === 'opening' && member.id === message.id) openingAnswered(work, member, message);
    else if (member.phase === 'closing' && member.id === message.id) closingAnswered(work, member, message);
    else if (isTalking(member) && member.thread.pending.some((open) => open.id === message.id))
      heard(work, member, said);
    else continue;
    return stepOf(work, member.seat);
  }
  return stepOf(work);
}

function refuse(work: SharedWork, { id: to = '', method = '' }: Envelope): void {
  const message = `${cutText(method, 100)}: about no conversation of this client`;
  writeShared(work, 'refusal', () => ({ to, code: -32601, message }));
}
