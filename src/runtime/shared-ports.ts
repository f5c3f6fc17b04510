/** What a shared process needs. Types only. */
import type { Listener, RuntimeRecord, Slot } from '../session/ports.ts';
import type { RuntimePorts } from './ports.ts';
import type { SeatPorts } from './seat-wishes.ts';

export interface SharedPorts extends Omit<RuntimePorts, 'settings' | 'seat' | 'ownership'> {
  /** What the process itself is started with, for the first session that it is started for. */
  readonly process: (session: string) => ReturnType<RuntimePorts['settings']>;
  readonly member: (session: string) => SeatPorts;
  /** All that seats have brought so far, for the daemon that follows the process next (it has it of `secretsIn`). */
  readonly keepSecrets: (secrets: readonly string[]) => void;
  /** A session left while others stay: what its commands left running is to end. Must not throw. */
  readonly leftBehind: (session: string) => void;
  /** What sessions left running that have left it already, all but these: the daemon that was to end it may have died. Must not throw. */
  readonly leftByOthers: (seated: ReadonlySet<string>) => void;
  /** For a conversation to be opened, and to be closed, ms. */
  readonly threadTimeoutMs: number;
}

export interface SharedOptions {
  readonly id: string;
  readonly domain: string;
  readonly ports: SharedPorts;
  readonly slot: Slot;
  /** One that an earlier daemon left, and its sessions. */
  readonly from?: RuntimeRecord;
  /** It is started before there is a session for it. */
  readonly ahead?: {
    /** Whose wish it is started with then. */
    readonly wish: string;
    /** A conversation is opened in it, too, by that wish. */
    readonly converses: boolean;
  };
  readonly listener: (session: string) => Listener | undefined;
  /** `ran`: it was ready once. */
  readonly onGone: (id: string, how: { readonly failed: boolean; readonly ran: boolean }) => void;
  readonly onMeasured: (id: string) => void;
  /** A session has its seat no more. */
  readonly onLeft: (seat: string, session: string) => void;
}
