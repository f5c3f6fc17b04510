/**
 * What a session decides when its agent does something. Pure.
 * Deduplicates (a tool id once, an ending once), gives messages their ids, and opens a turn for an agent that works unasked.
 */
import type { EventData, NewEvent } from '../protocol/index.ts';
import { cutOutput } from './cut.ts';
import { endTurn, kindOf } from './endings.ts';
import { NOTHING, type DecideContext, type Decision, type SessionInput } from './inputs.ts';
import type { AgentAsk, AgentSignal } from './ports.ts';
import type { Fact, RunningTurn, SessionState } from './state.ts';

type AgentInput = Extract<SessionInput, { kind: 'agent' }>;

export function decideAgent(state: SessionState, input: AgentInput, context: DecideContext): Decision {
  if (state.runtime.kind !== 'ready' || state.runtime.id !== input.runtime) return NOTHING;
  const { signal } = input;
  switch (signal.kind) {
    case 'agent-session':
      return signal.id === state.agentSessionId ? NOTHING : sessionFollowed(signal.id);
    case 'notice':
      return facts(noticeOf(signal, turnOf(state)));
    case 'usage':
      return facts(withTurn(state, { type: 'usage.updated', data: signal.usage }));
    case 'plan':
      return facts(
        withTurn(state, {
          type: 'plan.updated',
          data: { entries: signal.entries.map((entry) => ({ ...entry })) },
        }),
      );
    case 'compacted': {
      const { kind: _, ...data } = signal;
      return facts(withTurn(state, { type: 'session.compacted', data }));
    }
    case 'ask':
      return denied(state, signal.ask, context);
    case 'ask-withdrawn':
      return NOTHING;
    case 'background':
      return facts({ type: '#background', tasks: signal.tasks });
    case 'woke':
      return state.turn.kind === 'none' ? facts(woken(state, context).fact) : NOTHING;
    case 'receipt':
    case 'interrupt-acknowledged':
    case 'ended':
      return decideTurn(state, input, context);
    case 'text':
    case 'text-done':
    case 'text-void':
    case 'reasoning':
    case 'reasoning-done':
    case 'tool':
    case 'tool-output':
    case 'tool-done':
      return decideContent(state, { runtime: input.runtime, signal }, context);
  }
}

/** The life of the turn: taken in, interrupt acknowledged, ended. */
function decideTurn(state: SessionState, input: AgentInput, context: DecideContext): Decision {
  const { signal } = input;
  const turn = state.turn;
  if (turn.kind !== 'running') return signal.kind === 'ended' ? facts(lateEnding()) : NOTHING;
  if (signal.kind === 'interrupt-acknowledged') {
    if (turn.stopping === undefined || turn.stopping.acknowledged) return NOTHING;
    return facts({ type: '#turn-stopping', stopping: { ...turn.stopping, acknowledged: true } });
  }
  if (signal.kind !== 'receipt' && signal.kind !== 'ended') return NOTHING;
  if (signal.turn !== undefined && turn.origin === 'user' && signal.turn !== turn.id)
    return signal.kind === 'ended' ? facts(lateEnding()) : NOTHING;
  if (signal.kind === 'receipt') return turn.received ? NOTHING : facts({ type: '#turn-received' });
  const { outcome, costs } = signal;
  return {
    facts: endTurn(state, { kind: 'agent', outcome, costs, runtime: input.runtime }, context),
    effects: [],
  };
}

type ContentSignal = Extract<
  AgentSignal,
  {
    kind:
      | 'text'
      | 'text-done'
      | 'text-void'
      | 'reasoning'
      | 'reasoning-done'
      | 'tool'
      | 'tool-output'
      | 'tool-done';
  }
>;

function decideContent(
  state: SessionState,
  input: { readonly runtime: string; readonly signal: ContentSignal },
  context: DecideContext,
): Decision {
  const opens =
    input.signal.kind === 'text' || input.signal.kind === 'text-done' || input.signal.kind === 'tool';
  if (state.turn.kind === 'running') return facts(...contentFacts(state.turn, input));
  if (!opens || state.turn.kind === 'queued') return NOTHING;
  const opened = woken(state, context);
  return facts(opened.fact, ...contentFacts(opened.turn, input));
}

function contentFacts(
  turn: RunningTurn,
  input: { readonly runtime: string; readonly signal: ContentSignal },
): Fact[] {
  const { signal } = input;
  switch (signal.kind) {
    case 'text':
      return [{ type: 'message.delta', turn: turn.id, data: preview(input.runtime, signal) }];
    case 'text-done':
      return [{ type: 'message.completed', turn: turn.id, data: preview(input.runtime, signal) }];
    case 'reasoning':
      return [{ type: 'reasoning.delta', turn: turn.id, data: preview(input.runtime, signal) }];
    case 'reasoning-done':
      return [{ type: 'reasoning.completed', turn: turn.id, data: preview(input.runtime, signal) }];
    case 'text-void': {
      const message = `${input.runtime}.${signal.block}`;
      if (!turn.previews.includes(message)) return [];
      return [{ type: 'message.discarded', turn: turn.id, data: { message, reason: signal.reason } }];
    }
    case 'tool': {
      if (turn.tools[signal.id] !== undefined) return [];
      const { id, name, tool: kind, input: given, parent } = signal;
      const data = { id, name, kind, input: given, ...(parent === undefined ? {} : { parent }) };
      return [{ type: 'tool.started', turn: turn.id, data }];
    }
    case 'tool-output':
      return turn.tools[signal.id] === 'open'
        ? [{ type: 'tool.output', turn: turn.id, data: { id: signal.id, text: signal.text } }]
        : [];
    case 'tool-done':
      if (turn.tools[signal.id] !== 'open') return [];
      return [
        {
          type: 'tool.completed',
          turn: turn.id,
          data: { id: signal.id, status: signal.status, ...cutOutput(signal.output) },
        },
      ];
  }
}

function preview(
  runtime: string,
  signal: { readonly block: string; readonly text: string; readonly parent?: string },
): EventData<'message.delta'> {
  const { block, text, parent } = signal;
  return { message: `${runtime}.${block}`, ...(parent === undefined ? {} : { parent }), text };
}

/** An agent that works unasked (a background task that ended) gets a turn of its own. */
function woken(
  state: SessionState,
  context: DecideContext,
): { readonly fact: Fact; readonly turn: RunningTurn } {
  const id = context.newTurnId();
  const { runtime } = state;
  const served =
    runtime.kind === 'ready' ? { kind: kindOf(runtime), pid: runtime.pid } : { kind: 'warm', pid: 0 };
  return {
    fact: { type: 'turn.started', turn: id, data: { runtime: served, origin: 'agent' } },
    turn: {
      kind: 'running',
      id,
      origin: 'agent',
      headAt: context.now,
      received: true,
      tools: {},
      previews: [],
    },
  };
}

const NO_ONE_TO_ASK =
  'Denied: this Pilotlight cannot ask a person yet. Create the session with mode "bypass" to allow tools.';

/** Until permissions reach people, each request is denied at once, visibly, in words that the agent reads. */
function denied(state: SessionState, ask: AgentAsk, context: DecideContext): Decision {
  const id = context.newPermissionId();
  const { request, kind, tool, diff, reason, questions, sessionScope } = ask;
  const requested: NewEvent = {
    type: 'permission.requested',
    data: {
      id,
      kind,
      ...(tool === undefined ? {} : { tool: { id: tool.id, name: tool.name, input: tool.input } }),
      ...(diff === undefined ? {} : { diff }),
      ...(reason === undefined ? {} : { reason }),
      ...(questions === undefined ? {} : { questions }),
      ...(sessionScope === undefined ? {} : { sessionScope }),
      expiresAt: new Date(context.now).toISOString(),
    },
  };
  const resolved: NewEvent = {
    type: 'permission.resolved',
    data: { id, decision: 'deny', by: { kind: 'policy', name: 'no-person-to-ask' }, message: NO_ONE_TO_ASK },
  };
  return {
    facts: [withTurn(state, requested), withTurn(state, resolved)],
    effects: [
      {
        kind: 'say',
        command: { kind: 'answer', request, answer: { decision: 'deny', message: NO_ONE_TO_ASK } },
      },
    ],
  };
}

function sessionFollowed(id: string): Decision {
  return facts({ type: '#agent-session', id }, { type: 'session.updated', data: { agentSessionId: id } });
}

function lateEnding(): NewEvent {
  return {
    type: 'notice',
    data: {
      level: 'info',
      code: 'ending_without_turn',
      message: 'The agent reported the end of a turn that is not open',
    },
  };
}

function noticeOf(signal: Extract<AgentSignal, { kind: 'notice' }>, turn: string | undefined): NewEvent {
  const { level, code, message, raw } = signal;
  return {
    type: 'notice',
    ...(turn === undefined ? {} : { turn }),
    data: { level, code, message, ...(raw === undefined ? {} : { raw }) },
  };
}

function turnOf(state: SessionState): string | undefined {
  return state.turn.kind === 'running' ? state.turn.id : undefined;
}

function withTurn(state: SessionState, event: NewEvent): NewEvent {
  const turn = turnOf(state);
  return turn === undefined ? event : { ...event, turn };
}

function facts(...list: readonly Fact[]): Decision {
  return list.length === 0 ? NOTHING : { facts: list, effects: [] };
}
