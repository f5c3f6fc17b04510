/**
 * state, input → facts and effects. Pure: the whole behaviour of a session.
 * A command that cannot be taken is thrown as a PilotlightError and changes nothing.
 */
import { PilotlightError } from '../protocol/index.ts';
import { decideAgent } from './decide-agent.ts';
import { decideRuntime } from './decide-runtime.ts';
import { answered, cancelAll, deadline } from './decide-people.ts';
import { decideUpdate, notTaken } from './decide-settings.ts';
import { degrade } from './degrade.ts';
import { endTurn, letGo, startRuntime } from './endings.ts';
import { evolve, evolveAll } from './evolve.ts';
import { NOTHING, type DecideContext, type Decision, type SessionInput } from './inputs.ts';
import { announced, begin, clearQueue, goOn } from './line.ts';
import { decideSlot, settle } from './slot.ts';
import type { Fact, SessionState, Stopping } from './state.ts';
import { outdated } from './tuning.ts';
import { untrusted } from './untrusted.ts';
import { sessionView } from './views.ts';

export function decide(state: SessionState, input: SessionInput, context: DecideContext): Decision {
  const decision = goOn(state, decideInput(state, input, context), context);
  return settle(state, { input, decision }, context);
}

function decideInput(state: SessionState, input: SessionInput, context: DecideContext): Decision {
  switch (input.kind) {
    case 'create':
      return decideCreate(state, input, context);
    case 'send':
      return decideSend(state, input, context);
    case 'interrupt':
      return decideInterrupt(state, input, context);
    case 'close':
      return decideClose(state, input, context);
    case 'take-back':
      return decideTakeBack(state, input, context);
    case 'answer':
      return answered(state, input);
    case 'wake':
      return decideWake(state, context);
    case 'update':
      return decideUpdate(state, input, context);
    case 'outdate':
      return outdated(state);
    case 'agent':
      return decideAgent(state, input, context);
    case 'timeout':
      return decideTimeout(state, input, context);
    case 'retire':
      return decideRetire(state, input, context);
    case 'runtime-ready':
    case 'runtime-failed':
    case 'runtime-broken':
    case 'runtime-ended':
      return decideRuntime(state, input, context);
    case 'slot':
    case 'no-slot':
    case 'unload':
    case 'warm':
      return decideSlot(state, input, context);
  }
}

type Of<K extends SessionInput['kind']> = Extract<SessionInput, { kind: K }>;

function decideCreate(state: SessionState, input: Of<'create'>, context: DecideContext): Decision {
  const created: Fact = { type: 'session.created', data: { session: { ...sessionView(state) } } };
  const facts = [created, ...untrusted(state.spec)];
  if (!input.warm) return { facts, effects: [] };
  const start = startRuntime(context);
  return { facts: [...facts, ...start.facts], effects: start.effects };
}

function decideSend(state: SessionState, input: Of<'send'>, context: DecideContext): Decision {
  if (state.phase === 'closed')
    throw new PilotlightError('session_closed', `Session ${state.spec.id} is closed`, {
      fix: 'Create a new session.',
    });
  if (state.turn.kind === 'none') return sendNow(state, input, context);
  if (waiting(state) >= context.maxQueued)
    throw new PilotlightError(
      'limit',
      `Session ${state.spec.id} has ${String(context.maxQueued)} messages waiting`,
      { fix: 'Wait for some to end, take some back, or raise session.maxQueued.' },
    );
  switch (input.whenBusy ?? 'reject') {
    case 'reject':
      throw new PilotlightError(
        'turn_in_progress',
        `Session ${state.spec.id} is busy with turn ${state.turn.id}`,
        {
          fix: 'Wait for its ending, interrupt it, or send with whenBusy "queue".',
          detail: { turn: state.turn.id },
        },
      );
    case 'queue':
      return { facts: [queuedEvent(state, input)], effects: [] };
    case 'steer':
      return sendInto(state, input);
    case 'interrupt':
      return sendFirst(state, input, context);
  }
}

function queuedEvent(state: SessionState, input: Of<'send'>, steered?: string): Fact {
  const { input: given, commandId, turn } = input;
  const what = { input: given, ...(commandId === undefined ? {} : { commandId }) };
  return { type: 'turn.queued', turn, data: announced(state, what, steered) };
}

function sendNow(state: SessionState, input: Of<'send'>, context: DecideContext): Decision {
  const queued = queuedEvent(state, input);
  const begun = begin(evolve(state, queued, context.now), input.turn, context);
  return { facts: [queued, ...begun.facts], effects: begun.effects };
}

/** A turn that does not run yet, or is being stopped, takes nothing in: the message waits for its place. */
function sendInto(state: SessionState, input: Of<'send'>): Decision {
  if (state.turn.kind !== 'running' || state.turn.stopping !== undefined || state.runtime.kind !== 'ready')
    return { facts: [queuedEvent(state, input)], effects: [] };
  return {
    facts: [queuedEvent(state, input, state.turn.id)],
    effects: [{ kind: 'say', command: { kind: 'steer', turn: input.turn } }],
  };
}

/** The turn that runs is interrupted, and the message goes before the queue. */
function sendFirst(state: SessionState, input: Of<'send'>, context: DecideContext): Decision {
  const facts: Fact[] = [queuedEvent(state, input), { type: '#queue', queue: [input.turn, ...state.queue] }];
  const interrupted = decideInterrupt(state, { kind: 'interrupt', by: input.by }, context);
  return { facts: [...facts, ...interrupted.facts], effects: interrupted.effects };
}

function waiting(state: SessionState): number {
  return state.queue.length + (state.turn.kind === 'running' ? state.turn.steers.length : 0);
}

function decideInterrupt(state: SessionState, input: Of<'interrupt'>, context: DecideContext): Decision {
  const cleared = input.clear === true ? clearQueue(state, input.by) : [];
  switch (state.turn.kind) {
    case 'none':
      throw new PilotlightError('no_turn', `Session ${state.spec.id} has no running turn to interrupt`);
    case 'queued': {
      // A process that was only waited for is not wanted any more, unless by the next in the queue.
      const alone = input.clear === true || state.queue.length === 0;
      const unwanted = alone && state.runtime.kind === 'starting' && state.runtime.waiting !== undefined;
      const gone = unwanted ? letGo(state, 'closed') : NOTHING;
      const ended = endTurn(state, { kind: 'interrupted', by: input.by }, context);
      return { facts: [...cleared, ...ended, ...gone.facts], effects: gone.effects };
    }
    case 'running': {
      if (state.turn.stopping !== undefined) return { facts: cleared, effects: [] };
      const stopped = stop({ why: 'interrupt', by: input.by, acknowledged: false });
      return {
        facts: [...cleared, ...cancelAll(state, input.by), ...stopped.facts],
        effects: stopped.effects,
      };
    }
  }
}

/** Only what nothing has of yet: a message in stdin cannot be taken back. */
function decideTakeBack(state: SessionState, input: Of<'take-back'>, context: DecideContext): Decision {
  const { turn } = state;
  const { turn: id, by } = input;
  if (turn.kind === 'queued' && turn.id === id)
    return decideInterrupt(state, { kind: 'interrupt', by }, context);
  if (state.queue.includes(id)) return { facts: clearQueue(state, by, [id]), effects: [] };
  const steer = turn.kind === 'running' ? turn.steers.find((one) => one.id === id) : undefined;
  if (steer !== undefined && !steer.written)
    return {
      facts: clearQueue(state, by, [id]),
      effects: [{ kind: 'say', command: { kind: 'unsteer', turn: id } }],
    };
  throw new PilotlightError('turn_in_progress', `Turn ${id} is not queued any more`, {
    fix: 'Interrupt the session to stop the turn that runs.',
  });
}

/** What a daemon before left waiting goes on; a turn whose process is nowhere gets one. */
function decideWake(state: SessionState, context: DecideContext): Decision {
  const stranded = state.turn.kind === 'queued' && state.runtime.kind === 'none';
  return stranded && state.phase === 'open' ? startRuntime(context) : NOTHING;
}

function decideClose(state: SessionState, input: Of<'close'>, context: DecideContext): Decision {
  if (state.phase === 'closed') return NOTHING;
  const ended = endTurn(state, { kind: 'interrupted', by: input.by }, context);
  const left = evolveAll(state, ended, context.now);
  const gone = letGo(state, 'closed');
  return {
    facts: [
      ...ended,
      ...clearQueue(left, input.by),
      { type: 'session.closed', data: { reason: input.reason } },
      ...gone.facts,
    ],
    effects: gone.effects,
  };
}

function decideRetire(state: SessionState, input: Of<'retire'>, context: DecideContext): Decision {
  const gone = letGo(state, input.reason);
  return {
    facts: [...endTurn(state, { kind: 'interrupted', by: input.by }, context), ...gone.facts],
    effects: gone.effects,
  };
}

function decideTimeout(state: SessionState, input: Of<'timeout'>, context: DecideContext): Decision {
  if (input.watch === 'queued') return neverReady(state, input, context);
  if (input.watch === 'waiting') return hurried(state);
  if (input.watch === 'permission') return deadline(state, input.ms);
  const seconds = Math.round(input.ms / 100) / 10;
  if (input.watch === 'settings')
    return state.tuning === 'asked'
      ? notTaken(
          state,
          `${state.spec.agent} did not answer a change of its settings within ${seconds} s`,
          context,
        )
      : NOTHING;
  if (state.turn.kind !== 'running') return NOTHING;
  switch (input.watch) {
    case 'echo':
      return stop(
        failure(
          'echo_timeout',
          `${state.spec.agent} did not take the message in within ${seconds} s (runtime.echoTimeoutMs, of a first turn firstTurnTimeoutMs); send it again`,
        ),
      );
    case 'inactivity':
      return stop(
        failure(
          'inactivity_timeout',
          `${state.spec.agent} printed nothing for ${seconds} s within a turn (runtime.inactivityTimeoutMs); the next message starts it again`,
        ),
      );
    case 'tool':
      return stop(
        failure(
          'tool_timeout',
          `A tool of ${state.spec.agent} ran for more than ${seconds} s (runtime.toolTimeoutMs)`,
        ),
      );
    case 'interrupt': {
      const gone = letGo(state, 'stuck');
      // One that a person stopped says nothing about the process; a bound that it broke and then did not answer for does.
      const why = state.turn.stopping?.why === 'failure' ? state.turn.stopping.message : undefined;
      const degraded = why === undefined ? [] : degrade(state, why, context.now);
      return {
        facts: [...endTurn(state, { kind: 'as-stopping' }, context), ...degraded, ...gone.facts],
        effects: gone.effects,
      };
    }
  }
}

/** It waited in the pool's line for as long as it may: it goes on without. */
function hurried(state: SessionState): Decision {
  if (state.runtime.kind !== 'starting' || state.runtime.waiting === undefined) return NOTHING;
  const { id } = state.runtime;
  const link = { kind: 'starting' as const, id };
  return { facts: [{ type: '#runtime-linked', link }], effects: [{ kind: 'hurry', runtime: id }] };
}

/** Neither the start nor the end of its process was ever reported: the turn ends, and nothing is started beside what may still live. */
function neverReady(state: SessionState, input: Of<'timeout'>, context: DecideContext): Decision {
  if (state.turn.kind !== 'queued') return NOTHING;
  const what = state.runtime.kind === 'ending' ? 'end' : 'start';
  const message = `The process of ${state.spec.agent} did not ${what} within ${Math.round(input.ms / 1000)} s; run \`pilotlight restart\` if this goes on`;
  const gone = letGo(state, 'stuck');
  return {
    facts: [
      ...endTurn(state, { kind: 'failed', code: 'runtime_stuck', message, effects: 'none' }, context),
      ...gone.facts,
    ],
    effects: gone.effects,
  };
}

function stop(stopping: Stopping): Decision {
  return {
    facts: [{ type: '#turn-stopping', stopping }],
    effects: [{ kind: 'say', command: { kind: 'interrupt' } }],
  };
}

function failure(code: Extract<Stopping, { why: 'failure' }>['code'], message: string): Stopping {
  return { why: 'failure', code, message, acknowledged: false };
}
