/**
 * A thread is closed for a seat, and for nobody else: its turn is stopped, its commands are ended, then Codex lets go of it. What it asks meanwhile is denied, so
 * that nothing hangs. Pure.
 */
import type { Step } from '../../dialect.ts';
import { accept } from '../accept.ts';
import { isRecord, type Envelope } from '../messages.ts';
import { translateMessage, type Said } from '../translate.ts';
import type { CodexState } from '../state.ts';
import {
  dropMember,
  memberOf,
  replaceMember,
  writeShared,
  type Closing,
  type Member,
  type Open,
  type SharedWork,
} from './state.ts';

export function leave(work: SharedWork, seat: string): void {
  const member = memberOf(work.state, seat);
  if (member?.phase === 'open') beginClosing(work, member, false);
  if (member?.phase === 'opening') replaceMember(work, { ...member, unwanted: 'leaving' });
  if (member === undefined) work.signals.push({ kind: 'left', to: seat });
}

export function beginClosing(work: SharedWork, { seat, thread }: Open, forsaken: boolean): void {
  let closing: Closing = { phase: 'closing', seat, thread, id: null, forsaken };
  for (const ask of thread.asks) {
    const answer = { decision: 'deny' as const };
    closing = took(
      work,
      closing,
      accept(closing.thread, { kind: 'answer', request: String(ask.to), answer }, work.ids),
    );
  }
  if (closing.thread.turns.length > 0)
    closing = took(work, closing, accept(closing.thread, { kind: 'interrupt' }, work.ids));
  closeWhenQuiet(work, closing);
}

/** A line about its thread. */
export function closingHeard(work: SharedWork, member: Closing, said: Said): void {
  const { method } = said.message ?? {};
  const step = translateMessage(member.thread, said, work.ids);
  let closing = took(work, member, step);
  for (const signal of step.signals) {
    if (signal.kind !== 'ask') continue;
    const answer = { decision: 'deny' as const };
    const { request } = signal.ask;
    closing = took(work, closing, accept(closing.thread, { kind: 'answer', request, answer }, work.ids));
  }
  if (method === 'thread/closed') return left(work, closing);
  closeWhenQuiet(work, closing);
}

/** The answer to `thread/unsubscribe`. Where it was loaded, `thread/closed` follows: only then is it free. */
export function closingAnswered(work: SharedWork, member: Closing, message: Envelope): void {
  const status = isRecord(message.result) ? message.result['status'] : undefined;
  if (message.error !== undefined || status === 'notLoaded') left(work, member);
}

/** Codex has closed the thread under a seat that is open: by itself, or on the word of a seat that had it before and was answered too late. */
export function closedUnder(work: SharedWork, { seat, thread }: Open): void {
  const former = work.state.members.filter(
    (one): one is Closing => one.phase === 'closing' && one.thread.thread === thread.thread,
  );
  for (const one of former) left(work, one);
  dropMember(work, seat);
  work.signals.push({ kind: 'left', to: seat });
}

function closeWhenQuiet(work: SharedWork, closing: Closing): void {
  const { thread } = closing;
  if (closing.id !== null || thread.turns.length > 0) return replaceMember(work, closing);
  // A seat of this process that came too late for one that has the thread now: it is not closed under that one.
  if (work.state.members.some((one) => one.seat !== closing.seat && threadIn(one) === thread.thread))
    return left(work, closing);
  // A command that outlived its turn is of this session, too.
  writeShared(work, 'thread/backgroundTerminals/clean', (id) => ({ id, thread: thread.thread }));
  const id = writeShared(work, 'thread/unsubscribe', (id) => ({ id, thread: thread.thread }));
  replaceMember(work, { ...closing, id });
}

/** The thread that it has, or is about to have. */
function threadIn(member: Member): string | undefined {
  if (member.phase === 'open') return member.thread.thread;
  const opening = member.phase === 'opening' && member.unwanted !== 'forsaken';
  return opening ? (member.resume ?? undefined) : undefined;
}

function left(work: SharedWork, { seat, forsaken }: Closing): void {
  dropMember(work, seat);
  if (!forsaken) work.signals.push({ kind: 'left', to: seat });
}

/** What it says is for nobody any more; what is to be written still is. */
function took(work: SharedWork, closing: Closing, step: Step<CodexState>): Closing {
  work.writes.push(...step.writes);
  return { ...closing, thread: step.state };
}
