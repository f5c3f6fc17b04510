/**
 * What a session is at a moment: a documented union, and the facts that change it.
 * Owns the shapes. Plain JSON: it is written whole with every commit and read back by the next daemon.
 *
 * A session's three lives are independent of each other, so each is a union of its own:
 *   phase    open → closed
 *   runtime  none → starting → ready → ending → none      (the process that serves it)
 *   turn     none → queued → running → none               (at most one; P1: leaves `running` or `queued` by exactly one ending)
 * Behind the turn wait others: in the queue, in order, or as steers, handed to the process to be taken into the turn that runs.
 */
import type { By, NewEvent, TurnFailureCode } from '../protocol/index.ts';
import type { Degraded } from './degrade.ts';
import type { SessionSpec } from './ports.ts';

export type RuntimeLink =
  | { readonly kind: 'none' }
  /** Its row is in the journal; the process is being started and greeted. No message is in it. */
  | {
      readonly kind: 'starting';
      readonly id: string;
      /** It gets one message and is ended behind it. */
      readonly perMessage?: true;
      /** It waits for its slot in the pool, nothing has been started: until another process is gone, or until something is idle. */
      readonly waiting?: 'end' | 'slot';
    }
  /** It takes prompts. `turns` counts the turns it has had. */
  | {
      readonly kind: 'ready';
      readonly id: string;
      readonly pid: number;
      readonly startedAt: string;
      readonly startupMs: number;
      readonly turns: number;
      readonly perMessage?: true;
      /** The process serves other sessions, too; `id` is this session's seat in it. */
      readonly shared?: true;
      /** Background tasks that run in it. */
      readonly tasks?: number;
    }
  /** It is being ended; nothing is written to it and no other process serves the session before it is gone. */
  | { readonly kind: 'ending'; readonly id: string };

/** Why a running turn is being stopped: the ending it gets unless the agent finishes first. */
export type Stopping =
  | { readonly why: 'interrupt'; readonly by: By; readonly acknowledged: boolean }
  | {
      readonly why: 'failure';
      readonly code: TurnFailureCode;
      readonly message: string;
      readonly acknowledged: boolean;
    };

/** A message for the turn that runs. The agent takes it in, or has it left when that turn ends. */
export interface Steer {
  readonly id: string;
  /** In stdin: it cannot be taken back any more. Before, the dialect waits for the moment in which it can be written. */
  readonly written: boolean;
  /** The agent has it. */
  readonly received: boolean;
  /** The agent has shown that it is part of the turn. */
  readonly taken: boolean;
}

/** What the agent asked and nobody has answered yet. What it says is in its event. */
export interface OpenAsk {
  /** Ours. */
  readonly id: string;
  /** The agent's own id of it. */
  readonly request: string;
  /** Of its permission.requested. */
  readonly seq: number;
  /** ms since 1970. */
  readonly askedAt: number;
  readonly kind: 'tool' | 'question';
  readonly editable: boolean;
  /** Ids of the questions. */
  readonly questions: readonly string[];
  /** What `allow_for_session` would allow. */
  readonly rule?: GrantedRule;
}

/** What a person allowed for the rest of the session: a tool, and of a command its exact words. */
export interface GrantedRule {
  readonly tool: string;
  readonly match?: string;
}

export interface RunningTurn {
  readonly kind: 'running';
  readonly id: string;
  readonly origin: 'user' | 'agent';
  /** When it came to the head (ms since 1970): what durations are counted from. */
  readonly headAt: number;
  readonly firstTextAt?: number;
  /** The agent has shown that it took the prompt in. */
  readonly received: boolean;
  /** The agent woke by itself as the message was being stopped: the next ending that names no message is of that. */
  readonly beside?: boolean;
  readonly stopping?: Stopping;
  /** Tool calls of this turn by the agent's id: deduplicates, and says what is still open. */
  readonly tools: Readonly<Record<string, 'open' | 'closed'>>;
  /** Previews (text or thinking) that have neither been completed nor discarded. */
  readonly previews: readonly string[];
  readonly steers: readonly Steer[];
  /** Text of the last completed message without a parent. Kept in memory only; read again from the journal at a takeover. */
  readonly lastText?: string;
}

export type TurnPhase =
  | { readonly kind: 'none' }
  /** Accepted and durable; no runtime has it. */
  | { readonly kind: 'queued'; readonly id: string; readonly headAt: number }
  | RunningTurn;

export interface SessionState {
  readonly v: 1;
  readonly spec: SessionSpec;
  readonly phase: 'open' | 'closed';
  readonly runtime: RuntimeLink;
  readonly turn: TurnPhase;
  /** Accepted turns behind it, in order. */
  readonly queue: readonly string[];
  readonly asks: readonly OpenAsk[];
  readonly granted: readonly GrantedRule[];
  /** What its limits count. */
  readonly spent: { readonly turns: number; readonly costUsd: number };
  /** The process was started for settings that have changed since: it is replaced between turns. */
  readonly stale: boolean;
  /** Its settings have changed, and the process that runs can be told: that is due, or was done and not answered yet. No turn begins before it is. */
  readonly tuning?: 'due' | 'asked';
  readonly lastSeq: number;
  readonly lastActivityAt: string;
  /** The agent's own id of the conversation, once it exists on the agent's side. */
  readonly agentSessionId?: string;
  /** Whether the agent has taken a message in under that id: before, there is nothing on its side to resume. */
  readonly conversed: boolean;
  /** Its warm process failed: it runs per message until then. */
  readonly degraded?: Degraded;
}

/** What changes the state but is no event: nobody outside needs it, the next daemon does. */
export type InternalFact =
  | { readonly type: '#runtime-linked'; readonly link: RuntimeLink }
  | { readonly type: '#turn-received' }
  | { readonly type: '#turn-beside'; readonly beside: boolean }
  /** Its message never entered the process that it was handed to: it waits for another. */
  | { readonly type: '#turn-returned' }
  | { readonly type: '#background'; readonly tasks: number }
  | { readonly type: '#turn-stopping'; readonly stopping: Stopping }
  | { readonly type: '#queue'; readonly queue: readonly string[] }
  | { readonly type: '#head'; readonly id: string }
  | { readonly type: '#steer'; readonly steer: Steer }
  | { readonly type: '#asked'; readonly ask: Omit<OpenAsk, 'seq'> }
  | { readonly type: '#granted'; readonly rule: GrantedRule }
  | { readonly type: '#stale'; readonly stale: boolean }
  | { readonly type: '#tuning'; readonly tuning: SessionState['tuning'] }
  | { readonly type: '#agent-session'; readonly id: string }
  | { readonly type: '#spec'; readonly spec: SessionSpec };

export type Fact = NewEvent | InternalFact;

export function isInternal(fact: Fact): fact is InternalFact {
  return fact.type.startsWith('#');
}

/** A session that was just created. */
export function newSessionState(spec: SessionSpec): SessionState {
  return {
    v: 1,
    spec,
    phase: 'open',
    runtime: { kind: 'none' },
    turn: { kind: 'none' },
    queue: [],
    asks: [],
    granted: [],
    spent: { turns: 0, costUsd: 0 },
    stale: false,
    lastSeq: 0,
    lastActivityAt: spec.createdAt,
    conversed: spec.resume !== undefined,
    ...(spec.resume === undefined ? {} : { agentSessionId: spec.resume }),
  };
}

/** The state as it is written: without what is read back from the events themselves. */
export function persistedState(state: SessionState): unknown {
  if (state.turn.kind !== 'running' || state.turn.lastText === undefined) return state;
  const { lastText: _, ...turn } = state.turn;
  return { ...state, turn };
}
