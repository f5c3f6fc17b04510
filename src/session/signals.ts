/**
 * What an agent does, in words that no agent owns: the output of every dialect's `translate`, the input of `decide`.
 * Knows nothing of lines, processes or the journal.
 *
 * `block` names one block of text (or of thinking) within its runtime; a dialect never uses a name twice.
 * `parent` is the tool call of the subagent that speaks. A turn's own id is known to the session; `turn` here is the id
 * that the prompt was written with (the session's turn id), where the agent names it.
 */
import type {
  EventData,
  RuntimeEndReason,
  SessionMode,
  StopReasonName,
  ToolKind,
  TurnFailureCode,
  Usage,
} from '../protocol/index.ts';

/** What the agent reported of a turn's price. All of this turn, never cumulative. */
export interface AgentCosts {
  readonly usage?: Usage;
  readonly costUsd?: number;
  readonly model?: string;
  readonly agentTurns?: number;
}

/** How a turn ended, as the agent says it. */
export type TurnOutcome =
  | {
      readonly kind: 'completed';
      readonly stopReason: StopReasonName;
      /** Text of a turn whose messages were never sent on their own (local commands). */ readonly text?: string;
    }
  | { readonly kind: 'failed'; readonly code: TurnFailureCode; readonly message: string }
  /** The agent says the turn was cut short by an interrupt. */
  | { readonly kind: 'interrupted' };

export interface AgentAsk {
  /** The agent's own id of its request. */
  readonly request: string;
  readonly kind: 'tool' | 'question';
  readonly tool?: {
    readonly id: string;
    readonly name: string;
    readonly kind: ToolKind;
    readonly input: unknown;
  };
  /** The agent would go on unasked: only a rule may stop it or have a person asked; without one it passes. */
  readonly check?: true;
  readonly diff?: string;
  readonly reason?: string;
  readonly questions?: NonNullable<EventData<'permission.requested'>['questions']>;
  /** The agent takes the tool's input as a person edited it. */
  readonly editable?: boolean;
}

export type AgentSignal =
  /** A message for the turn that runs: written; part of that turn now; or never written, because the turn ended before it could be. */
  | { readonly kind: 'steer'; readonly turn: string; readonly how: 'written' | 'taken' | 'missed' }
  /** The agent took the prompt in (the receipt). */
  | { readonly kind: 'receipt'; readonly turn?: string }
  /** The agent works although no prompt of ours is open. */
  | { readonly kind: 'woke' }
  | { readonly kind: 'text'; readonly block: string; readonly text: string; readonly parent?: string }
  | { readonly kind: 'text-done'; readonly block: string; readonly text: string; readonly parent?: string }
  | { readonly kind: 'text-void'; readonly block: string; readonly reason: string }
  | { readonly kind: 'reasoning'; readonly block: string; readonly text: string; readonly parent?: string }
  | {
      readonly kind: 'reasoning-done';
      readonly block: string;
      readonly text: string;
      readonly parent?: string;
    }
  | {
      readonly kind: 'tool';
      readonly id: string;
      readonly name: string;
      readonly tool: ToolKind;
      readonly input: unknown;
      readonly parent?: string;
    }
  | { readonly kind: 'tool-output'; readonly id: string; readonly text: string }
  | {
      readonly kind: 'tool-done';
      readonly id: string;
      readonly status: 'ok' | 'error' | 'denied' | 'cancelled';
      readonly output: string;
    }
  | { readonly kind: 'plan'; readonly entries: readonly { readonly text: string; readonly status: string }[] }
  | { readonly kind: 'usage'; readonly usage: Usage }
  | {
      readonly kind: 'compacted';
      readonly trigger: 'auto' | 'manual';
      readonly preTokens?: number;
      readonly summary?: string;
    }
  | { readonly kind: 'ask'; readonly ask: AgentAsk }
  /** The agent takes a request of its own back. */
  | { readonly kind: 'ask-withdrawn'; readonly request: string }
  /** How many background tasks run in the process now: they go on between turns and may wake the agent. */
  | { readonly kind: 'background'; readonly tasks: number }
  /** The agent's own id of the conversation is known or has changed. */
  | { readonly kind: 'agent-session'; readonly id: string }
  /** What it was told of new settings: it goes by them, or there is something of them that the process that runs does not take. */
  | { readonly kind: 'settings'; readonly how: 'taken' }
  | { readonly kind: 'settings'; readonly how: 'refused'; readonly message: string }
  /** The agent acknowledged an interrupt (its turn's ending follows on its own). */
  | { readonly kind: 'interrupt-acknowledged' }
  | {
      readonly kind: 'ended';
      readonly turn?: string;
      readonly outcome: TurnOutcome;
      readonly costs: AgentCosts;
    }
  | {
      readonly kind: 'notice';
      readonly level: 'info' | 'warning' | 'error';
      readonly code: string;
      readonly message: string;
      readonly raw?: unknown;
    };

/** What the session wants said to its agent. The dialect turns it into numbered writes. */
export type AgentCommand =
  | { readonly kind: 'prompt'; readonly turn: string }
  /** A message for the turn that runs, written when the agent takes it into that turn. */
  | { readonly kind: 'steer'; readonly turn: string }
  /** A steer that is not written yet is not wanted any more. */
  | { readonly kind: 'unsteer'; readonly turn: string }
  | { readonly kind: 'interrupt' }
  /** What it is to go by from now on, or from its next turn on: answered by a signal `settings`. What is so already is not written again. */
  | { readonly kind: 'settings'; readonly mode: SessionMode; readonly model?: string }
  | { readonly kind: 'answer'; readonly request: string; readonly answer: AskAnswer };

export interface AskAnswer {
  /** `pass`, `ask`: of a check. The agent goes on as it would have, or asks. */
  readonly decision: 'allow' | 'deny' | 'pass' | 'ask';
  /** What the agent reads of a denial. */
  readonly message?: string;
  /** The tool's input as a person edited it. */
  readonly input?: Readonly<Record<string, unknown>>;
  /** Answers to questions, by their ids. */
  readonly answers?: Readonly<Record<string, readonly string[]>>;
}

/** What a runtime tells its session: the words of its agent, and its own life. */
export type RuntimeInput =
  /** `runtime` is the runtime that speaks: its blocks are named within it, and a late word of an older one is ignored. */
  | { readonly kind: 'agent'; readonly runtime: string; readonly signal: AgentSignal }
  | {
      readonly kind: 'runtime-ready';
      readonly runtime: string;
      readonly pid: number;
      readonly startedAt: string;
      readonly startupMs: number;
      readonly version?: string;
      readonly resumed: boolean;
      /** It gets one message only. */
      readonly perMessage?: true;
      /** Other sessions may be in the process, too. */
      readonly shared?: true;
      /** It was ready before there was a session for it. */
      readonly spare?: true;
      readonly agentSessionId?: string;
    }
  /** It never became ready. `retry`: nothing was wrong with it, start again (a takeover in the handshake). */
  | {
      readonly kind: 'runtime-failed';
      readonly runtime: string;
      readonly code: TurnFailureCode;
      readonly message: string;
      readonly stderrTail?: string;
      readonly retry: boolean;
      /** Another process works on its conversation: no other way to start would do better. */
      readonly taken?: true;
    }
  /** It must be ended because it broke a bound or cannot be understood; the turn it has fails so. */
  | {
      readonly kind: 'runtime-broken';
      readonly runtime: string;
      readonly code: TurnFailureCode;
      readonly message: string;
    }
  /** The process is gone. */
  | {
      readonly kind: 'runtime-ended';
      readonly runtime: string;
      readonly pid: number;
      readonly reason: RuntimeEndReason;
      readonly code?: number;
      readonly signal?: string;
      readonly stderrTail?: string;
      readonly lines: number;
      readonly chunks: number;
      /** The holder of its pipes is gone: what it did is not known. */
      readonly lost?: boolean;
      /** The prompt of the open turn is known not to have entered stdin. */
      readonly unwritten?: boolean;
      /** Processes of it that no signal ended. */
      readonly unended?: readonly number[];
    };
