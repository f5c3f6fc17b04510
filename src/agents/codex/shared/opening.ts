/**
 * A thread is opened for a seat: what the configuration says, then `thread/resume` or `thread/start`, each a numbered write whose answer is awaited in the
 * state. Owns which failures of a resume lose the conversation (one), and what is asked again. Pure.
 */
import { messageOf, PilotlightError } from '../../../protocol/index.ts';
import type { Joining } from '../../dialect.ts';
import { notResumed, unavailable } from '../channel.ts';
import { OVERLOADED } from '../errors.ts';
import { ConfigRead, isRecord, RpcError, ThreadOpened, type Envelope } from '../messages.ts';
import { codexOptions } from '../plan.ts';
import { isPlainlyConfigured } from '../settings.ts';
import { toldAtStart } from '../tell.ts';
import { BOUNDS, newState } from '../state.ts';
import { beginClosing } from './closing.ts';
import {
  dropMember,
  MOST_PROVIDERS,
  replaceMember,
  writeShared,
  type Open,
  type Opening,
  type Seen,
  type SharedWork,
} from './state.ts';

/** A server that is busy is asked again at once, this often: there is no clock here to wait by. */
const TRIES = 3;

const NOTHING_SEEN = {};

export function join(work: SharedWork, { seat, settings }: Joining): void {
  const { resume, model } = settings;
  let effort: string | undefined;
  try {
    ({ effort } = codexOptions(settings.agentOptions));
  } catch (error) {
    return failed(work, { seat, resume: null }, error);
  }
  const id = writeShared(work, 'config/read', (id) => ({ id, seat }));
  const opening: Opening = {
    phase: 'opening',
    seat,
    id,
    asked: 'config',
    tries: 0,
    seen: null,
    resume: resume ?? null,
    lost: false,
    model: model?.slice(0, BOUNDS.id) ?? null,
    effort: effort?.slice(0, BOUNDS.id) ?? null,
    told: toldAtStart(settings, NOTHING_SEEN),
    plan: settings.mode === 'plan',
    unwanted: 'no',
  };
  work.state = { ...work.state, members: [...work.state.members, opening] };
}

/** The answer to what was asked last. */
export function openingAnswered(work: SharedWork, member: Opening, message: Envelope): void {
  const error = isRecord(message.error) ? RpcError.parse(message.error) : undefined;
  if (member.asked === 'config') return configured(work, member, error === undefined ? message.result : null);
  if (error === undefined) return opened(work, member, message.result);
  if (member.unwanted !== 'no') return gone(work, member);
  const tries = member.tries + 1;
  if (error.code === OVERLOADED && tries < TRIES) return ask(work, { ...member, tries });
  if (member.asked === 'start') return failed(work, member, unavailable('thread/start', error));
  // The one failure that means there is nothing to continue. Every other one may pass, or would lose a conversation that exists.
  if (/no rollout found/i.test(error.message)) return ask(work, { ...member, asked: 'start', lost: true });
  failed(work, member, notResumed(member.resume ?? '', error));
}

/** A version that has no `config/read` is used without. */
function configured(work: SharedWork, member: Opening, result: unknown): void {
  if (member.unwanted !== 'no') return gone(work, member);
  const config = ConfigRead.safeParse(result).data?.config;
  const idle = Object.entries(config?.model_providers ?? {})
    .filter(([provider]) => provider.length <= BOUNDS.id)
    .slice(0, MOST_PROVIDERS)
    .map(([provider, { stream_idle_timeout_ms: ms }]): [string, number | null] => [provider, ms ?? null]);
  const seen: Seen = {
    provider: config?.model_provider?.slice(0, BOUNDS.id) ?? null,
    idle: Object.fromEntries(idle),
    plain: config !== undefined && isPlainlyConfigured(config),
  };
  ask(work, { ...member, seen, asked: member.resume === null ? 'start' : 'resume' });
}

function ask(work: SharedWork, member: Opening): void {
  const { seat, seen, resume } = member;
  const id =
    member.asked === 'resume'
      ? writeShared(work, 'thread/resume', (id) => ({ id, seat, seen, thread: resume }))
      : writeShared(work, 'thread/start', (id) => ({ id, seat, seen }));
  replaceMember(work, { ...member, id });
}

function opened(work: SharedWork, member: Opening, result: unknown): void {
  const read = ThreadOpened.safeParse(result);
  if (!read.success)
    return failed(
      work,
      member,
      new PilotlightError(
        'protocol',
        `The answer of Codex to thread/${member.asked} is not what was expected`,
      ),
    );
  const { thread, model, reasoningEffort } = read.data;
  const { seat, lost } = member;
  const open: Open = {
    phase: 'open',
    seat,
    thread: newState({
      thread: thread.id.slice(0, BOUNDS.id),
      model: model?.slice(0, BOUNDS.id) ?? member.model,
      effort: member.effort ?? reasoningEffort?.slice(0, BOUNDS.id) ?? null,
      plan: member.plan,
      told: toldBy(member),
    }),
  };
  replaceMember(work, open);
  if (member.unwanted !== 'no') return beginClosing(work, open, member.unwanted === 'forsaken');
  work.signals.push({
    kind: 'joined',
    conversation: thread.id,
    resumed: member.asked === 'resume',
    to: seat,
  });
  if (!lost) return;
  const message = `Codex has no record of conversation ${member.resume ?? ''}; a new one was started`;
  work.signals.push({ kind: 'notice', level: 'warning', code: 'resume_lost', message, to: seat });
}

function toldBy({ told, seen }: Opening): Opening['told'] {
  if (told === null) return null;
  const plain = seen?.plain === true;
  return { ...told, plain: told.plain && plain, closing: told.closing && plain };
}

function gone(work: SharedWork, { seat, unwanted }: Opening): void {
  dropMember(work, seat);
  if (unwanted === 'leaving') work.signals.push({ kind: 'left', to: seat });
}

function failed(work: SharedWork, { seat, resume }: Pick<Opening, 'seat' | 'resume'>, error: unknown): void {
  dropMember(work, seat);
  const taken = error instanceof PilotlightError && error.code === 'agent_session_in_use';
  const why = messageOf(error);
  const message = resume === null ? why : `The conversation ${resume} could not be taken up: ${why}`;
  work.signals.push({
    kind: 'join-failed',
    code: resume === null ? 'spawn_failed' : 'resume_failed',
    message,
    ...(taken ? { taken: true as const } : {}),
    to: seat,
  });
}
