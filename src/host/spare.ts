/** What is known of a process that is started ahead: what it is started with, what it was wanted for, whose it is. */
import type { Lease, SpareKey, SpareWant } from '../pool/index.ts';
import type { SessionSpec } from '../session/ports.ts';
import type { Session } from '../session/session.ts';
import type { HostedRuntime, SharedRuntime, WishKey } from './ports.ts';
import type { SessionSecrets } from './secrets.ts';

/** Whose a spare is: the session that it was started after, under a name of its own, or the one that has it. */
export interface Seat {
  readonly id: string;
  readonly spec: SessionSpec;
  session?: Session | undefined;
  /** A conversation is opened in it, too. */
  converses?: boolean;
}

/** What is started ahead: for one session, or for those of a domain, with a conversation in it or without. */
export type SpareOf = SpareKey & Pick<WishKey, 'conversation'>;

/** What a session that is being commanded would be started with. */
export interface Foreseen extends SpareOf {
  /** The spec of which it was said, as JSON. */
  readonly of: string;
  /** What a session without secrets brings. */
  readonly had: SessionSecrets;
}

/** What was used of late. */
export interface Want extends SpareWant, SpareOf {
  readonly spec: SessionSpec;
  readonly had: SessionSecrets;
}

/** One that is there. */
export interface Kept extends SpareOf {
  readonly seat: Seat;
  readonly runtime: HostedRuntime | SharedRuntime;
  readonly bornAt: number;
  ending: boolean;
  /** Somebody has seen that its agent, or what that reads, is another now. */
  stale?: boolean;
}

/** Sessions of the domain may take a seat in it. */
export function openTo({ domain, runtime, ending, stale }: Kept): Pick<Lease, 'domain'> {
  const open = 'open' in runtime && runtime.open && !ending && stale !== true;
  return open && domain !== undefined ? { domain } : {};
}

export function keyIn({ key, stamp, domain, conversation }: SpareOf): SpareOf {
  return {
    key,
    stamp,
    ...(domain === undefined ? {} : { domain }),
    ...(conversation === undefined ? {} : { conversation }),
  };
}

/** What the process, and the conversation in it, have of a session without secrets: without one, of a process that can be shared nothing but what all of the domain have. */
export function broughtTo(
  { domain, conversation, env: shared = {} }: WishKey,
  { env, mcpServers }: SessionSecrets,
): SessionSecrets {
  return domain === undefined || conversation !== undefined
    ? { env, credentials: {}, mcpServers }
    : { env: shared, credentials: {}, mcpServers: {} };
}
