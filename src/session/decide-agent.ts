/**
 * What a session decides when its agent does something. Pure.
 * Deduplicates (a tool id once, an ending once), gives messages their ids, and opens a turn for an agent that works unasked.
 */
import type { EventData, NewEvent } from '../protocol/index.ts';
import { cutOutput } from './cut.ts';
import { endTurn, kindOf, showedNothing } from './endings.ts';
import { NOTHING, type DecideContext, type Decision, type SessionInput } from './inputs.ts';
import { asked, withdrawn } from './decide-people.ts';
import { settingsAnswered } from './decide-settings.ts';
import { evolve, evolveAll } from './evolve.ts';
import type { AgentAsk, AgentSignal, TurnOutcome } from './ports.ts';
import type { Fact, RunningTurn, SessionState, Steer } from './state.ts';

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
      return decideAsk(state, signal.ask, context);
    case 'ask-withdrawn':
      return withdrawn(state, signal.request);
    case 'background':
      return facts({ type: '#background', tasks: signal.tasks });
    case 'steer':
      return steer(state, signal);
    case 'settings':
      return settingsAnswered(state, signal, context);
    case 'woke':
      return wakes(state, context);
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

/**
 * It has a turn of its own. A message that was just written runs behind that, or is taken into it; one that is being stopped keeps its turn, and what the agent
 * says beside it is heard there.
 */
function wakes(state: SessionState, context: DecideContext): Decision {
  const { turn } = state;
  if (turn.kind === 'none') return facts(woken(state, context).fact);
  if (turn.kind !== 'running' || turn.origin === 'agent') return NOTHING;
  const stays = turn.stopping !== undefined || !showedNothing(state, turn);
  return facts(stays ? { type: '#turn-beside', beside: true } : woken(state, context).fact);
}

/** Whoever asks is at work: without a turn it has woken by itself. */
function decideAsk(state: SessionState, ask: AgentAsk, context: DecideContext): Decision {
  if (state.turn.kind !== 'none') return asked(state, ask, context);
  const { fact } = woken(state, context);
  const next = asked(evolve(state, fact, context.now), ask, context);
  return { facts: [fact, ...next.facts], effects: next.effects };
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
  const mine = turn.steers.find((one) => one.id === signal.turn);
  if (mine !== undefined)
    return signal.kind === 'receipt'
      ? facts({ type: '#steer', steer: { ...mine, received: true } })
      : endedAs(state, { steer: mine, signal, runtime: input.runtime }, context);
  if (signal.turn !== undefined && turn.origin === 'user' && signal.turn !== turn.id)
    return signal.kind === 'ended' ? facts(lateEnding()) : NOTHING;
  if (signal.kind === 'receipt') return turn.received ? NOTHING : facts({ type: '#turn-received' });
  if (signal.turn === undefined && turn.beside === true)
    return facts({ type: '#turn-beside', beside: false });
  const { outcome, costs } = signal;
  return {
    facts: endTurn(state, { kind: 'agent', outcome, costs, runtime: input.runtime }, context),
    effects: [],
  };
}

/**
 * The agent names a message for the turn as what has ended. One that is part of the turn speaks for all of it, and so does the only one that anybody
 * asked for; another ended on its own (refused, dropped).
 */
function endedAs(
  state: SessionState,
  what: {
    readonly steer: Steer;
    readonly signal: Extract<AgentSignal, { kind: 'ended' }>;
    readonly runtime: string;
  },
  context: DecideContext,
): Decision {
  const { steer, signal, runtime } = what;
  const { turn } = state;
  if (turn.kind !== 'running') return NOTHING;
  const { outcome, costs } = signal;
  if (!steer.taken && turn.origin === 'user') return facts(steerEnded(steer.id, outcome, turn));
  const taken: Fact[] = steer.taken ? [] : [steerTaken(state, steer.id, turn.id)];
  const now = evolveAll(state, taken, context.now);
  return facts(...taken, ...endTurn(now, { kind: 'agent', outcome, costs, runtime }, context));
}

function steerTaken(state: SessionState, steer: string, into: string): NewEvent {
  const { runtime } = state;
  const served =
    runtime.kind === 'ready' ? { kind: kindOf(runtime), pid: runtime.pid } : { kind: 'warm', pid: 0 };
  return { type: 'turn.started', turn: steer, data: { runtime: served, origin: 'user', steered: into } };
}

/** What became of a message for the turn that runs. */
function steer(state: SessionState, signal: Extract<AgentSignal, { kind: 'steer' }>): Decision {
  const { turn } = state;
  const mine = turn.kind === 'running' ? turn.steers.find((one) => one.id === signal.turn) : undefined;
  if (turn.kind !== 'running' || mine === undefined || mine.taken) return NOTHING;
  switch (signal.how) {
    case 'written':
      return facts({ type: '#steer', steer: { ...mine, written: true } });
    case 'missed':
      return facts({ type: '#queue', queue: [mine.id, ...state.queue] });
    case 'taken':
      return facts(steerTaken(state, mine.id, turn.id));
  }
}

/** The agent ended the message on its own, before the turn that it was for. */
function steerEnded(id: string, outcome: TurnOutcome, turn: RunningTurn): NewEvent {
  const durationMs = 0;
  switch (outcome.kind) {
    case 'failed':
      return {
        type: 'turn.failed',
        turn: id,
        data: { code: outcome.code, message: outcome.message, effects: 'possible', durationMs },
      };
    case 'interrupted':
      return { type: 'turn.interrupted', turn: id, data: { by: { kind: 'turn_end' }, durationMs } };
    case 'completed':
      return {
        type: 'turn.completed',
        turn: id,
        data: { stopReason: 'steered', text: turn.lastText ?? outcome.text ?? '', durationMs },
      };
  }
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
      steers: [],
    },
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
