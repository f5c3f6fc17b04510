/**
 * What the sessions of a shared process want of it: read when they come, and again at a takeover, never written. And their claims on their conversations.
 */
import type { AgentSettings } from '../agents/dialect.ts';
import { within } from '../async/awake.ts';
import type { ProcessIdentity } from '../process/ports.ts';
import { PilotlightError, wordsOf } from '../protocol/index.ts';
import type { Refused, Seat } from './members.ts';
import type { Ownership } from './ports.ts';

/** What is had of one session, for its seat. */
export interface SeatPorts {
  readonly settings: (why: 'start' | 'takeover') => Promise<{
    readonly settings: AgentSettings;
    /** See RuntimePorts.settings. */
    readonly missing?: readonly string[];
    /** The agent's file, as records name it. */
    readonly file?: string;
  }>;
  readonly ownership?: Ownership;
}

interface Had {
  readonly settings: AgentSettings;
  readonly file: string;
  readonly ownership: Ownership | undefined;
}

/** Why a session gets no seat when what it wants could not be had. */
export function refusedBy(error: unknown): Refused {
  const taken = error instanceof PilotlightError && error.code === 'agent_session_in_use';
  const because = taken ? ({ code: 'resume_failed', taken } as const) : ({ code: 'spawn_failed' } as const);
  return { ...because, message: wordsOf(error), retry: false };
}

/** Nor is it known then what is secret of what its conversation, which may be open, was given. */
export const NOT_HAD: Refused = {
  code: 'spawn_failed',
  message: 'What its session wants could not be had again when its process was taken over',
  retry: false,
};

export function notOpened(agent: string, afterMs: number): Refused {
  const message = `${agent} did not open the conversation within ${String(afterMs / 1000)} s (runtime.threadTimeoutMs)`;
  return { code: 'start_timeout', message, retry: false };
}

export class SeatWishes {
  readonly #member: (session: string) => SeatPorts;
  readonly #agent: string;
  readonly #hide: (secrets: readonly string[] | undefined) => void;
  readonly #had = new Map<string, Had>();

  /** `hide`: told of every secret that they bring. */
  constructor(
    agent: string,
    member: (session: string) => SeatPorts,
    hide: (secrets: readonly string[] | undefined) => void,
  ) {
    this.#agent = agent;
    this.#member = member;
    this.#hide = hide;
  }

  settings(seat: string): AgentSettings | undefined {
    return this.#had.get(seat)?.settings;
  }

  /** Rejects when something that it was given is gone; its secrets are known all the same. */
  async read({ id, session }: Pick<Seat, 'id' | 'session'>, why: 'start' | 'takeover'): Promise<void> {
    const { settings: read, ownership } = this.#member(session);
    const { settings, missing = [], file = this.#agent } = await read(why);
    this.#hide(settings.secrets);
    if (missing.length > 0)
      throw new PilotlightError(
        'agent_unavailable',
        `Gone with the daemon before, which kept them in memory only: ${missing.join(', ')}`,
        {
          fix: 'Give the credentials again (PATCH), or create the session again; `secrets.persist` keeps them.',
        },
      );
    this.#had.set(id, { settings, file, ownership });
  }

  /** Of seats that an earlier daemon left: what was decided for them is to be written. One that was coming is waited for so long and not longer. */
  async again(seats: readonly Seat[], comingMs: number): Promise<void> {
    const read = (seat: Seat): Promise<void> =>
      seat.phase === 'joining'
        ? within(this.read(seat, 'start'), comingMs, () => new Error(NOT_HAD.message))
        : this.read(seat, 'takeover');
    await Promise.allSettled(seats.map(read));
  }

  /** Rejects when another process works on the conversation. */
  async claim(seat: string, signal: AbortSignal): Promise<void> {
    const had = this.#had.get(seat);
    await had?.ownership?.starting(had.settings, signal);
    // The seat was given up meanwhile.
    if (this.#had.get(seat) !== had) had?.ownership?.leave();
  }

  by(seat: string, process: ProcessIdentity): void {
    const had = this.#had.get(seat);
    had?.ownership?.by(process, had.file);
  }

  adopted(seat: string, process: ProcessIdentity): void {
    const had = this.#had.get(seat);
    had?.ownership?.adopted(had.settings, process);
  }

  in(seat: string, conversation: string): void {
    this.#had.get(seat)?.ownership?.in(conversation);
  }

  /** The conversation of one seat is another's, of this session. */
  given(from: string, to: string, session: string): void {
    const had = this.#had.get(from);
    this.#had.delete(from);
    if (had === undefined) return;
    had.ownership?.of(session);
    this.#had.set(to, { ...had, settings: { ...had.settings, session } });
  }

  /** `goesOn`: the process does, without it. */
  forget(seat: string, goesOn: boolean): void {
    const ownership = this.#had.get(seat)?.ownership;
    this.#had.delete(seat);
    if (goesOn) ownership?.leave();
    else ownership?.release();
  }
}
