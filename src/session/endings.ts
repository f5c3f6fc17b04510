/**
 * How turns begin and how they end: the pieces that every decision shares. Pure.
 * An ending closes what the turn left open (requests, tools, previews, messages taken into it), then says how it ended, once (P1), and what
 * becomes of the messages that were for it and came too late.
 */
import type { By, Costs, EventData, TurnFailureCode } from '../protocol/index.ts';
import { cancelAll } from './decide-people.ts';
import { NOTHING, type DecideContext, type Decision, type Effect } from './inputs.ts';
import type { AgentCosts, TurnOutcome } from './ports.ts';
import type { Fact, RunningTurn, SessionState, Steer } from './state.ts';

export type Ending =
  | { readonly kind: 'interrupted'; readonly by: By }
  | {
      readonly kind: 'failed';
      readonly code: TurnFailureCode;
      readonly message: string;
      readonly effects: 'none' | 'possible';
      readonly stderrTail?: string;
    }
  /** What the turn is being stopped for; a turn that nobody is stopping fails as stuck. */
  | { readonly kind: 'as-stopping' }
  /** What the agent said, weighed against what the turn is being stopped for. */
  | {
      readonly kind: 'agent';
      readonly outcome: TurnOutcome;
      readonly costs: AgentCosts;
      readonly runtime: string;
    };

/** The facts that end the current turn; none when there is no turn. */
export function endTurn(state: SessionState, ending: Ending, context: DecideContext): Fact[] {
  if (state.turn.kind === 'none') return [];
  if (state.turn.kind === 'queued') return lastWord(state, ending, context);
  return [
    ...cancelAll(state, { kind: 'turn_end' }),
    ...closeOpen(state.turn, ending),
    ...state.turn.steers.filter((steer) => steer.taken).map((steer) => steered(steer, state, ending)),
    ...lastWord(state, ending, context),
    ...leftOver(state, ending),
  ];
}

/** A message that was taken into the turn ends with it. */
function steered(steer: Steer, state: SessionState, ending: Ending): Fact {
  const said = state.turn.kind === 'running' ? state.turn.lastText : undefined;
  const late =
    ending.kind === 'agent' && ending.outcome.kind === 'completed' ? ending.outcome.text : undefined;
  return {
    type: 'turn.completed',
    turn: steer.id,
    data: { stopReason: 'steered', text: said ?? late ?? '', durationMs: 0 },
  };
}

/**
 * Messages that came too late for the turn. One that is not written goes to the front of the queue. One that is, cannot be taken back: a process
 * that goes on runs it next, by itself; with one that is gone it is lost, and never repeated by us (P4).
 */
function leftOver(state: SessionState, ending: Ending): Fact[] {
  if (state.turn.kind !== 'running') return [];
  const left = state.turn.steers.filter((steer) => !steer.taken);
  const unwritten = left.filter((steer) => !steer.written).map((steer) => steer.id);
  const written = left.filter((steer) => steer.written);
  const facts: Fact[] =
    unwritten.length === 0 ? [] : [{ type: '#queue', queue: [...unwritten, ...state.queue] }];
  const [next, ...others] = written;
  if (next === undefined) return facts;
  if (ending.kind !== 'agent' || state.runtime.kind !== 'ready')
    return [...facts, ...written.map((steer) => lostWith(steer, ending))];
  const runtime = { kind: kindOf(state.runtime), pid: state.runtime.pid };
  return [
    ...facts,
    { type: 'turn.started', turn: next.id, data: { runtime, origin: 'user' } },
    ...(next.received ? [{ type: '#turn-received' } as const] : []),
    ...others.map((steer): Fact => ({ type: '#steer', steer })),
  ];
}

function lostWith(steer: Steer, ending: Ending): Fact {
  if (ending.kind === 'interrupted')
    return { type: 'turn.interrupted', turn: steer.id, data: { by: ending.by, durationMs: 0 } };
  const message = 'The agent was lost before it showed that it took this message in';
  return {
    type: 'turn.failed',
    turn: steer.id,
    data: { code: 'runtime_lost', message, effects: 'possible', durationMs: 0 },
  };
}

/** Nothing hangs on the turn but its message, which another begin would not repeat. */
export function showedNothing(state: SessionState, turn: RunningTurn): boolean {
  const { previews, tools, lastText } = turn;
  const said = lastText !== undefined || previews.length > 0 || Object.keys(tools).length > 0;
  return !said && state.asks.length === 0;
}

/** A runtime that does not exist yet gets its name. */
export function startRuntime(context: DecideContext): Decision {
  const id = context.newRuntimeId();
  return {
    facts: [
      { type: '#runtime-linked', link: { kind: 'starting', id } },
      { type: '#stale', stale: false },
    ],
    effects: [{ kind: 'start', runtime: id }],
  };
}

/** The turn is handed to the runtime that is ready. */
export function startTurn(turn: string, served: Served & { readonly pid: number }): Decision {
  const runtime = { kind: kindOf(served), pid: served.pid };
  return {
    facts: [{ type: 'turn.started', turn, data: { runtime, origin: 'user' } }],
    effects: [{ kind: 'say', command: { kind: 'prompt', turn } }],
  };
}

/** Nothing more is written to the process; it is ended, and gone only when it is seen to be. */
export function letGo(state: SessionState, reason: Extract<Effect, { kind: 'end' }>['reason']): Decision {
  switch (state.runtime.kind) {
    case 'none':
    case 'ending':
      return NOTHING;
    case 'starting':
    case 'ready':
      return {
        facts: [{ type: '#runtime-linked', link: { kind: 'ending', id: state.runtime.id } }],
        effects: [{ kind: 'end', runtime: state.runtime.id, reason }],
      };
  }
}

/** What kind of runtime a process is, as events say it. */
export function kindOf({ perMessage, shared }: Served): 'warm' | 'shared' | 'per-message' {
  if (perMessage === true) return 'per-message';
  return shared === true ? 'shared' : 'warm';
}

interface Served {
  readonly perMessage?: true;
  readonly shared?: true;
}

function closeOpen(turn: RunningTurn, ending: Ending): Fact[] {
  const reason = ending.kind === 'agent' && ending.outcome.kind === 'completed' ? 'superseded' : 'turn ended';
  const facts: Fact[] = turn.previews.map((message) => ({
    type: 'message.discarded',
    turn: turn.id,
    data: { message, reason },
  }));
  for (const [id, phase] of Object.entries(turn.tools))
    if (phase === 'open')
      facts.push({ type: 'tool.completed', turn: turn.id, data: { id, status: 'cancelled', output: '' } });
  return facts;
}

function lastWord(state: SessionState, ending: Ending, context: DecideContext): Fact[] {
  switch (ending.kind) {
    case 'interrupted':
      return [interrupted(state, ending.by, costsOf(state, context))];
    case 'failed':
      return [failed(state, ending, costsOf(state, context))];
    case 'as-stopping':
      return [stopped(state, costsOf(state, context))];
    case 'agent':
      return agentEnding(state, ending, costsOf(state, context, ending.costs));
  }
}

function agentEnding(state: SessionState, ending: Extract<Ending, { kind: 'agent' }>, costs: Costs): Fact[] {
  const { outcome } = ending;
  const turn = state.turn;
  if (turn.kind !== 'running') return [];
  switch (outcome.kind) {
    case 'completed':
      return completed(turn, ending, costs);
    case 'failed':
      if (turn.stopping !== undefined) return [stopped(state, costs)];
      return [failed(state, { code: outcome.code, message: outcome.message, effects: 'possible' }, costs)];
    case 'interrupted':
      if (turn.stopping !== undefined) return [stopped(state, costs)];
      return [
        failed(
          state,
          { code: 'agent_error', message: 'The agent cut the turn short by itself', effects: 'possible' },
          costs,
        ),
      ];
  }
}

/** A turn whose text came only with its ending (local commands) gets that text as a message, so that followers see it. */
function completed(turn: RunningTurn, ending: Extract<Ending, { kind: 'agent' }>, costs: Costs): Fact[] {
  if (ending.outcome.kind !== 'completed') return [];
  const late = turn.lastText === undefined ? ending.outcome.text : undefined;
  const facts: Fact[] = [];
  if (late !== undefined && late !== '')
    facts.push({
      type: 'message.completed',
      turn: turn.id,
      data: { message: `${ending.runtime}.${turn.id}`, text: late },
    });
  const data = { stopReason: ending.outcome.stopReason, text: turn.lastText ?? late ?? '', ...costs };
  return [...facts, { type: 'turn.completed', turn: turn.id, data }];
}

function stopped(state: SessionState, costs: Costs): Fact {
  const stopping = state.turn.kind === 'running' ? state.turn.stopping : undefined;
  if (stopping === undefined)
    return failed(
      state,
      { code: 'runtime_stuck', message: 'The agent did not answer an interrupt', effects: 'possible' },
      costs,
    );
  if (stopping.why === 'interrupt') return interrupted(state, stopping.by, costs);
  return failed(state, { code: stopping.code, message: stopping.message, effects: 'possible' }, costs);
}

function interrupted(state: SessionState, by: By, costs: Costs): Fact {
  return { type: 'turn.interrupted', turn: turnId(state), data: { by, ...costs } };
}

function failed(
  state: SessionState,
  why: Pick<EventData<'turn.failed'>, 'code' | 'message' | 'effects'> & {
    readonly stderrTail?: string | undefined;
  },
  costs: Costs,
): Fact {
  const { stderrTail } = why;
  return {
    type: 'turn.failed',
    turn: turnId(state),
    data: {
      code: why.code,
      message: why.message,
      ...(stderrTail === undefined || stderrTail === '' ? {} : { stderrTail }),
      effects: why.effects,
      ...costs,
    },
  };
}

function costsOf(state: SessionState, context: DecideContext, agent: AgentCosts = {}): Costs {
  const turn = state.turn;
  if (turn.kind === 'none') return { durationMs: 0 };
  const { runtime } = state;
  const first =
    turn.kind === 'running' && runtime.kind === 'ready' && runtime.turns === 1 && turn.origin === 'user';
  return {
    ...agent,
    ...(turn.kind === 'running' && turn.firstTextAt !== undefined
      ? { ttftMs: turn.firstTextAt - turn.headAt }
      : {}),
    durationMs: Math.max(0, context.now - turn.headAt),
    ...(first ? { startupMs: runtime.startupMs } : {}),
    ...(context.rssMb === undefined ? {} : { rssMb: context.rssMb }),
  };
}

function turnId(state: SessionState): string {
  return state.turn.kind === 'none' ? '' : state.turn.id;
}
