/**
 * Everything that can happen to a session, as data: commands of clients, what its agent does, the life of its process, time.
 */
import type { By, RuntimeEndReason, TurnInput } from '../protocol/index.ts';
import type { AgentAsk, AgentCommand, RuntimeInput, SessionSpec } from './ports.ts';
import type { Fact, SessionState } from './state.ts';

export type WatchName =
  | 'waiting'
  | 'queued'
  | 'settings'
  | 'permission'
  | 'echo'
  | 'inactivity'
  | 'tool'
  | 'interrupt';

export type SessionInput =
  | { readonly kind: 'create'; readonly warm: boolean }
  | {
      readonly kind: 'send';
      readonly turn: string;
      readonly input: TurnInput;
      readonly by: By;
      /** Default: reject. */
      readonly whenBusy?: WhenBusy;
      readonly commandId?: string;
    }
  /** `clear`: what waits in the queue ends too. */
  | { readonly kind: 'interrupt'; readonly by: By; readonly clear?: boolean }
  /** A turn that nothing has of yet is taken back. */
  | { readonly kind: 'take-back'; readonly turn: string; readonly by: By }
  | { readonly kind: 'answer'; readonly id: string; readonly answer: PermissionAnswer; readonly by: By }
  /** A daemon took the session up: what waits goes on. */
  | { readonly kind: 'wake' }
  | { readonly kind: 'close'; readonly by: By; readonly reason: string }
  | {
      readonly kind: 'update';
      readonly spec: SessionSpec;
      readonly changed: Readonly<Record<string, unknown>>;
      /** What a process that runs makes of it: it is replaced between turns, or told of the mode and the model. Absent: it is no business of its. */
      readonly process?: 'replace' | 'tell';
    }
  | RuntimeInput
  /** What the pool gave the process that is to be started: `words` say why it waits or has one message only. */
  | {
      readonly kind: 'slot';
      readonly runtime: string;
      readonly perMessage: boolean;
      /** For another process to be gone, or for anything to become idle. */
      readonly waiting?: 'end' | 'slot';
      readonly words?: string;
      /** There is no room for a process that no message waits for. */
      readonly unwanted?: true;
    }
  /** It has waited for its slot for long enough, and there is nothing else to be had: `words` say why. */
  | { readonly kind: 'no-slot'; readonly runtime: string; readonly words: string }
  /** The pool wants the process back, if it is idle. `words` say why. */
  | {
      readonly kind: 'unload';
      readonly reason: 'idle' | 'evicted' | 'replaced' | 'closed';
      readonly words: string;
      readonly despiteBackground: boolean;
    }
  /** What its process was started with has changed. */
  | { readonly kind: 'outdate' }
  /** A process is to be ready for the next message. */
  | { readonly kind: 'warm' }
  /** The daemon wants the process gone (drain, replacement). */
  | { readonly kind: 'retire'; readonly reason: RuntimeEndReason; readonly by: By }
  | { readonly kind: 'timeout'; readonly watch: WatchName; readonly ms: number };

/** What to do with a message while a turn runs (R10). */
export type WhenBusy = 'reject' | 'queue' | 'steer' | 'interrupt';

/** What a person decided. */
export interface PermissionAnswer {
  readonly decision: 'allow' | 'allow_for_session' | 'deny';
  readonly message?: string;
  /** The tool's input as the person edited it. */
  readonly input?: Readonly<Record<string, unknown>>;
  /** Of a question, by its id. */
  readonly answers?: Readonly<Record<string, readonly string[]>>;
}

/** What a rule says of something that the agent asks. */
export interface Verdict {
  /** `ask`: a person decides, also where the agent would not ask by itself. */
  readonly decision: 'allow' | 'deny' | 'ask';
  /** The rule, in words. */
  readonly rule: string;
  /** What the agent reads of a denial, or a person of why they are asked. */
  readonly message?: string;
}

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
  /** The rules' word on what the agent asks; undefined: a person decides. */
  readonly judge: (state: SessionState, ask: AgentAsk) => Verdict | undefined;
  /** How long a person has to answer, ms. */
  readonly permissionTimeoutMs: number;
  /** Turns that may wait behind the one that runs. */
  readonly maxQueued: number;
  /** The daemon is stopping: nothing that waits is begun. */
  readonly parked: boolean;
  /** Memory of the session's process tree as last sampled, MB. */
  readonly rssMb?: number;
}

export const NOTHING: Decision = { facts: [], effects: [] };
