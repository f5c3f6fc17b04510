/**
 * One runtime's claim on its agent's conversation, from the environment that the agent is started with.
 * Owns when a conversation is looked for in other places than our own records. A file system that fails costs the claim, never a start.
 */
import { realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import {
  inUse,
  type AgentSettings,
  type AnyDialect,
  type Conversation,
  type Held,
  type Owners,
} from '../agents/index.ts';
import { sleep } from '../async/after.ts';
import { isAlive } from '../process/index.ts';
import type { ProcessIdentity } from '../process/ports.ts';
import { PilotlightError } from '../protocol/index.ts';
import type { Ownership } from '../runtime/ports.ts';

/** How often it is looked for. */
const FORMER_MS = 50;

export interface OwnershipOptions {
  readonly owners: Owners;
  readonly dialect: AnyDialect;
  readonly session: string;
  /** What a person knows this home by. */
  readonly home: string;
  /** This process: it has the conversation until there is one that does. */
  readonly own: ProcessIdentity;
  /** How long a process of this very session, which is being ended, is waited for, ms. */
  readonly formerMs: number;
  readonly report: (error: unknown) => void;
}

/** The user's records: `$XDG_STATE_HOME/pilotlight/owners`. Undefined where the user has no place for them. */
export function ownersFolder(env: Readonly<Record<string, string | undefined>>): string | undefined {
  const { XDG_STATE_HOME, HOME } = env;
  if (XDG_STATE_HOME !== undefined && XDG_STATE_HOME !== '')
    return join(XDG_STATE_HOME, 'pilotlight', 'owners');
  return HOME === undefined || HOME === ''
    ? undefined
    : join(HOME, '.local', 'state', 'pilotlight', 'owners');
}

/** Throws `agent_session_in_use` when a live process has it, by our records or by the agent's own. */
export function refuseInUse(
  options: Pick<OwnershipOptions, 'owners' | 'dialect'>,
  conversation: Conversation,
): void {
  const { owners, dialect } = options;
  const holder = owners.holderOf(conversation);
  if (holder !== undefined) throw inUse(conversation, holder);
  refuseRegistered(dialect, conversation);
}

function refuseRegistered(dialect: AnyDialect, conversation: Conversation): void {
  const running = dialect.conversations.workedOn?.(conversation.at) ?? [];
  for (const { conversation: id, process } of running)
    if (id === conversation.id && isAlive(process))
      throw inUse(conversation, { ...process, command: conversation.agent });
}

export function conversationOf(
  dialect: AnyDialect,
  env: Readonly<Record<string, string>>,
  id: string,
): Conversation {
  return { agent: dialect.agent, at: resolved(dialect.conversations.at(env)), id };
}

export function ownershipOf(options: OwnershipOptions): Ownership {
  const { owners, dialect, session, home, own, report } = options;
  let env: Readonly<Record<string, string>> = {};
  let holder = { ...own, command: 'pilotlight', session, home };
  let held: Held | undefined;
  const release = (): void => {
    guarded(report, () => held?.release(own));
    held = undefined;
  };
  const take = (id: string): void => {
    if (held?.conversation.id === id) return;
    guarded(report, () => {
      const left = held;
      held = owners.take(conversationOf(dialect, env, id), holder);
      left?.leave();
    });
  };
  /** The process works on it already: that somebody else does, too, ends neither. */
  const takeAsItIs = (id: string): void => {
    try {
      take(id);
    } catch (error) {
      report(error);
    }
  };
  return {
    async starting(settings: AgentSettings, signal: AbortSignal) {
      ({ env } = settings);
      if (settings.resume === undefined) return;
      const conversation = conversationOf(dialect, env, settings.resume);
      await formerGone(options, conversation, signal);
      refuseRegistered(dialect, conversation);
      take(settings.resume);
    },
    adopted(settings, process) {
      ({ env } = settings);
      holder = { ...holder, ...process, command: dialect.agent };
      if (settings.resume !== undefined) takeAsItIs(settings.resume);
    },
    by(process, file) {
      holder = { ...holder, ...process, command: basename(file) };
      guarded(report, () => held?.by(process, holder.command));
    },
    of(session) {
      holder = { ...holder, session };
      guarded(report, () => held?.of(session));
    },
    in: takeAsItIs,
    release,
    leave() {
      guarded(report, () => held?.leave());
      held = undefined;
    },
  };
}

/** A keeper that was lost is followed by another at once, while what it held is still being ended: that is waited for, no stranger is. */
async function formerGone(
  { owners, session, home, own, formerMs }: OwnershipOptions,
  conversation: Conversation,
  signal: AbortSignal,
): Promise<void> {
  for (let waited = 0; waited < formerMs && !signal.aborted; waited += FORMER_MS) {
    const holder = owners.holderOf(conversation);
    if (holder?.session !== session || holder.home !== home || holder.pid === own.pid) return;
    await sleep(FORMER_MS, signal);
  }
}

/** Only that somebody else has it is told on. */
function guarded(report: (error: unknown) => void, work: () => void): void {
  try {
    work();
  } catch (error) {
    if (error instanceof PilotlightError && error.code === 'agent_session_in_use') throw error;
    report(error);
  }
}

/** Without links, as far as it is there: an agent makes its directory when it is first started. */
function resolved(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return dirname(path) === path ? path : join(resolved(dirname(path)), basename(path));
  }
}
