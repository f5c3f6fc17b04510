/**
 * Everything that can happen to a session, as data: commands of clients, what its agent does, the life of its process, time.
 */
import type { By, RuntimeEndReason, TurnInput } from '../protocol/index.ts';
import type { AgentCommand, RuntimeInput, SessionSpec } from './ports.ts';
import type { Fact } from './state.ts';

export type WatchName = 'waiting' | 'queued' | 'echo' | 'inactivity' | 'tool' | 'interrupt';

export type SessionInput =
  | { readonly kind: 'create'; readonly warm: boolean }
  | { readonly kind: 'send'; readonly turn: string; readonly input: TurnInput; readonly commandId?: string }
  | { readonly kind: 'interrupt'; readonly by: By }
  | { readonly kind: 'close'; readonly by: By; readonly reason: string }
  | {
      readonly kind: 'update';
      readonly spec: SessionSpec;
      readonly changed: Readonly<Record<string, unknown>>;
    }
  | RuntimeInput
  /** What the pool gave the process that is to be started: `words` say why it waits or has one message only. */
  | {
      readonly kind: 'slot';
      readonly runtime: string;
      readonly perMessage: boolean;
      readonly waiting: boolean;
      readonly words?: string;
    }
  /** The pool wants the process back, if it is idle. `words` say why. */
  | {
      readonly kind: 'unload';
      readonly reason: 'idle' | 'evicted' | 'replaced' | 'closed';
      readonly words: string;
      readonly despiteBackground: boolean;
    }
  /** A process is to be ready for the next message. */
  | { readonly kind: 'warm' }
  /** The daemon wants the process gone (drain, replacement). */
  | { readonly kind: 'retire'; readonly reason: RuntimeEndReason; readonly by: By }
  | { readonly kind: 'timeout'; readonly watch: WatchName; readonly ms: number };

/** What is to be done besides keeping facts. `start`, `say` and `end` take part in the same commit. */
export type Effect =
  | { readonly kind: 'start'; readonly runtime: string }
  | { readonly kind: 'say'; readonly command: AgentCommand }
  /** It has waited for a slot for long enough. */
  | { readonly kind: 'hurry'; readonly runtime: string }
  | { readonly kind: 'end'; readonly runtime: string; readonly reason: RuntimeEndReason };

export interface Decision {
  readonly facts: readonly Fact[];
  readonly effects: readonly Effect[];
}

/** What a decision may know besides state and input. */
export interface DecideContext {
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly newRuntimeId: () => string;
  readonly newTurnId: () => string;
  readonly newPermissionId: () => string;
  /** Memory of the session's process tree as last sampled, MB. */
  readonly rssMb?: number;
}

export const NOTHING: Decision = { facts: [], effects: [] };
