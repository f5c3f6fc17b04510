/**
 * One runtime's claim on its agent's conversation, from the environment that the agent is started with.
 * Owns when a conversation is looked for in other places than our own records. A file system that fails costs the claim, never a start.
 */
import { realpathSync } from 'node:fs';
import { basename, join } from 'node:path';
import {
  inUse,
  type AgentSettings,
  type AnyDialect,
  type Conversation,
  type Held,
  type Owners,
} from '../agents/index.ts';
import { isAlive } from '../process/index.ts';
import type { ProcessIdentity } from '../process/ports.ts';
import { PilotlightError } from '../protocol/index.ts';
import type { Ownership } from '../runtime/ports.ts';

export interface OwnershipOptions {
  readonly owners: Owners;
  readonly dialect: AnyDialect;
  readonly session: string;
  /** What a person knows this home by. */
  readonly home: string;
  /** This process: it has the conversation until there is one that does. */
  readonly own: ProcessIdentity;
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
    release();
    guarded(report, () => {
      held = owners.take(conversationOf(dialect, env, id), holder);
    });
  };
  return {
    starting(settings: AgentSettings) {
      ({ env } = settings);
      if (settings.resume === undefined) return;
      refuseRegistered(dialect, conversationOf(dialect, env, settings.resume));
      take(settings.resume);
    },
    adopted(settings, process) {
      ({ env } = settings);
      holder = { ...holder, ...process, command: dialect.agent };
      if (settings.resume !== undefined) take(settings.resume);
    },
    by(process, file) {
      holder = { ...holder, ...process, command: basename(file) };
      guarded(report, () => held?.by(process, holder.command));
    },
    in(conversation) {
      try {
        take(conversation);
      } catch (error) {
        report(error);
      }
    },
    release,
  };
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

function resolved(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
