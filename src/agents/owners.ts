/**
 * Who works on an agent's conversation: one process, across the sessions, daemons and homes of a user. The CLIs do not lock a conversation; two
 * processes that go on with the same one both write into it.
 *
 * A record a claim, `<key>.<n>.json`, made whole and only where there is none (`link`). A record whose process is dead is followed by the next
 * number, so that two that find it at the same time cannot both succeed. Owns these files. Signals nothing, knows no dialect.
 */
import { createHash, randomUUID } from 'node:crypto';
import {
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { isAlive } from '../process/identity.ts';
import type { ProcessIdentity } from '../process/ports.ts';
import { PilotlightError } from '../protocol/index.ts';

/** The agent's own id of a conversation, and the directory that it keeps its conversations in (ids of another directory are others). */
export interface Conversation {
  readonly agent: string;
  readonly at: string;
  readonly id: string;
}

export interface Holder extends ProcessIdentity {
  /** What a person reads: the command of the process. */
  readonly command: string;
  /** Of Pilotlight; absent for a process that somebody started without it. */
  readonly session?: string;
  readonly home?: string;
}

const Record = z.object({
  pid: z.number().int().positive(),
  startTime: z.string().min(1),
  command: z.string(),
  session: z.string(),
  home: z.string(),
});

/** One claim; `n` counts the claims of a conversation whose records are still there. */
interface Claim {
  readonly file: string;
  readonly n: number;
  readonly mine: boolean;
  /** Undefined where the file is torn or of an unknown form. */
  readonly holder: Holder | undefined;
}

const ATTEMPTS = 20;

export class Owners {
  readonly #folder: string;
  readonly #isAlive: (process: ProcessIdentity) => boolean;

  /** `folder`: `$XDG_STATE_HOME/pilotlight/owners`; made with the first claim. `alive`: whether that very process lives. */
  constructor(folder: string, alive: (process: ProcessIdentity) => boolean = isAlive) {
    this.#folder = folder;
    this.#isAlive = alive;
  }

  /** The live process that has it: of the newest claim. */
  holderOf(conversation: Conversation): Holder | undefined {
    const living = this.#claims(conversation).filter((claim) => this.#lives(claim));
    return living.toSorted((a, b) => b.n - a.n)[0]?.holder;
  }

  /**
   * Takes it for a process. Throws `agent_session_in_use` naming whoever has it, and what the file system throws. A record of the same home and
   * session is followed, unless its process lives and is another one.
   *
   * What was read before the link may be old: a dead claim may have been removed, and the numbers begun anew below ours, or others taken above it.
   * Whoever then finds another live claim beside its own takes its own back.
   */
  take(conversation: Conversation, holder: Holder): Held {
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const claims = this.#claims(conversation);
      const other = this.#rival(claims, holder);
      if (other !== undefined) throw inUse(conversation, other, holder);
      const n = Math.max(0, ...claims.map((claim) => claim.n)) + 1;
      const file = this.#file(conversation, n);
      if (!this.#make(file, holder)) continue;
      const beside = this.#claims(conversation).filter((claim) => claim.n !== n);
      if (this.#rival(beside, holder) === undefined) {
        for (const claim of claims) if (claim.mine) rmSync(claim.file, { force: true });
        return new Held(this, { conversation, file, holder });
      }
      rmSync(file, { force: true });
    }
    throw new PilotlightError('internal', `Too many claim ${conversation.id} at the same time`);
  }

  #lives({ holder }: Claim): boolean {
    return holder !== undefined && this.#isAlive(holder);
  }

  #rival(claims: readonly Claim[], holder: Holder): Holder | undefined {
    return claims.find((claim) => !same(claim.holder, holder) && this.#lives(claim))?.holder;
  }

  /** Whole or not at all; false where there is one already. */
  #make(file: string, holder: Holder): boolean {
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    const draft = writeDraft(this.#folder, holder);
    try {
      linkSync(draft, file);
      return true;
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
      throw error;
    } finally {
      rmSync(draft, { force: true });
    }
  }

  /** The same claim, by another process of the same session. */
  rewrite(file: string, holder: Holder): void {
    renameSync(writeDraft(this.#folder, holder), file);
  }

  /** Removes this claim, unless it is another's by now: a number is given again once all records of its conversation are gone. */
  remove(file: string, holder: Holder): void {
    if (same(readClaim(file, 0).holder, holder)) rmSync(file, { force: true });
  }

  isAlive(process: ProcessIdentity): boolean {
    return this.#isAlive(process);
  }

  /** Removes what dead processes of this user left. For a start of a daemon; never throws. */
  sweep(): void {
    let names: string[];
    try {
      names = readdirSync(this.#folder).filter((name) => /^[0-9a-f]{32}\.\d+\.json$/.test(name));
    } catch {
      return;
    }
    for (const name of names) {
      const claim = readClaim(join(this.#folder, name), 0);
      if (claim.mine && claim.holder !== undefined && !this.#lives(claim)) removeQuietly(claim.file);
    }
  }

  #claims(conversation: Conversation): Claim[] {
    const key = `${keyOf(conversation)}.`;
    let names: string[];
    try {
      names = readdirSync(this.#folder).filter((name) => name.startsWith(key) && name.endsWith('.json'));
    } catch {
      return [];
    }
    return names.flatMap((name) => {
      const n = Number(name.slice(key.length, -'.json'.length));
      return Number.isSafeInteger(n) && n > 0 ? [readClaim(join(this.#folder, name), n)] : [];
    });
  }

  #file(conversation: Conversation, n: number): string {
    return join(this.#folder, `${keyOf(conversation)}.${String(n)}.json`);
  }
}

/** A conversation that was taken. */
export class Held {
  readonly #owners: Owners;
  readonly conversation: Conversation;
  readonly #file: string;
  #holder: Holder;

  constructor(
    owners: Owners,
    what: { readonly conversation: Conversation; readonly file: string; readonly holder: Holder },
  ) {
    this.#owners = owners;
    this.conversation = what.conversation;
    this.#file = what.file;
    this.#holder = what.holder;
  }

  /** From now on it is this process that has it. */
  by(process: ProcessIdentity, command: string): void {
    this.#holder = { ...this.#holder, ...process, command };
    this.#owners.rewrite(this.#file, this.#holder);
  }

  /** Its process serves this session from now on. */
  of(session: string): void {
    this.#holder = { ...this.#holder, session };
    this.#owners.rewrite(this.#file, this.#holder);
  }

  /** Its process is gone, or was never started (the claim is still by `own`). One that lives all the same (it could not be ended) keeps it. */
  release(own: ProcessIdentity): void {
    const self = this.#holder.pid === own.pid && this.#holder.startTime === own.startTime;
    if (self || !this.#owners.isAlive(this.#holder)) this.leave();
  }

  /** Its process works on another conversation now. */
  leave(): void {
    this.#owners.remove(this.#file, this.#holder);
  }
}

/** `asking`: who wanted it. */
export function inUse(
  conversation: Conversation,
  holder: Holder,
  asking?: Pick<Holder, 'session' | 'home'>,
): PilotlightError {
  const { pid, command, session, home } = holder;
  const whose = session === undefined ? '' : `, for session ${session} of ${home ?? 'another home'}`;
  const former = session !== undefined && session === asking?.session && home === asking.home;
  return new PilotlightError(
    'agent_session_in_use',
    `Conversation ${conversation.id} of ${conversation.agent} is in use by process ${String(pid)} (${command})${whose}`,
    {
      fix: former
        ? `That is its process of before, which could not be ended: end it by hand (kill -9 ${String(pid)}), then send again.`
        : session === undefined
          ? 'Leave it there first, or begin a new conversation.'
          : 'Send to that session, or close it first.',
      detail: {
        pid,
        command,
        ...(session === undefined ? {} : { session }),
        ...(home === undefined ? {} : { home }),
      },
    },
  );
}

function keyOf({ agent, at, id }: Conversation): string {
  return createHash('sha256')
    .update(JSON.stringify([agent, at, id]))
    .digest('hex')
    .slice(0, 32);
}

function writeDraft(folder: string, holder: Holder): string {
  const draft = join(folder, `${randomUUID()}.new`);
  writeFileSync(draft, `${JSON.stringify({ v: 1, ...holder, since: new Date().toISOString() })}\n`, {
    mode: 0o600,
  });
  return draft;
}

/** What another user put here says nothing and is left alone. */
function readClaim(file: string, n: number): Claim {
  try {
    const stat = lstatSync(file);
    if (!stat.isFile() || stat.uid !== process.getuid?.()) return { file, n, mine: false, holder: undefined };
    const read = Record.safeParse(JSON.parse(readFileSync(file, 'utf8')));
    return { file, n, mine: true, holder: read.success ? read.data : undefined };
  } catch {
    return { file, n, mine: true, holder: undefined };
  }
}

function removeQuietly(file: string): void {
  try {
    rmSync(file, { force: true });
  } catch {
    // It says nothing that matters.
  }
}

/** The same process, or a claim of the same session that its daemon made before there was one. */
function same(claimed: Holder | undefined, holder: Holder): boolean {
  return (
    claimed?.pid === holder.pid &&
    claimed.startTime === holder.startTime &&
    claimed.session === holder.session &&
    claimed.home === holder.home
  );
}
