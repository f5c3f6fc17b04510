/**
 * state, input → facts and effects. Pure: the whole behaviour of a session.
 * A command that cannot be taken is thrown as a PilotlightError and changes nothing.
 */
import { PilotlightError } from '../protocol/index.ts';
import { decideAgent } from './decide-agent.ts';
import { decideRuntime } from './decide-runtime.ts';
import { degrade } from './degrade.ts';
import { endTurn, letGo, startRuntime, startTurn } from './endings.ts';
import { NOTHING, type DecideContext, type Decision, type SessionInput } from './inputs.ts';
import { decideSlot, settle } from './slot.ts';
import type { Fact, SessionState, Stopping } from './state.ts';
import { sessionView } from './views.ts';

export function decide(state: SessionState, input: SessionInput, context: DecideContext): Decision {
  return settle(state, { input, decision: decideInput(state, input, context) }, context);
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
    case 'update':
      return {
        facts: [
          { type: '#spec', spec: input.spec },
          { type: 'session.updated', data: { ...input.changed } },
        ],
        effects: [],
      };
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
    case 'unload':
    case 'warm':
      return decideSlot(state, input, context);
  }
}

type Of<K extends SessionInput['kind']> = Extract<SessionInput, { kind: K }>;

function decideCreate(state: SessionState, input: Of<'create'>, context: DecideContext): Decision {
  const created: Fact = { type: 'session.created', data: { session: { ...sessionView(state) } } };
  if (!input.warm) return { facts: [created], effects: [] };
  const start = startRuntime(context);
  return { facts: [created, ...start.facts], effects: start.effects };
}

function decideSend(state: SessionState, input: Of<'send'>, context: DecideContext): Decision {
  if (state.phase === 'closed')
    throw new PilotlightError('session_closed', `Session ${state.spec.id} is closed`, {
      fix: 'Create a new session.',
    });
  if (state.turn.kind !== 'none')
    throw new PilotlightError(
      'turn_in_progress',
      `Session ${state.spec.id} is busy with turn ${state.turn.id}`,
      {
        fix: 'Wait for its ending, or interrupt it.',
        detail: { turn: state.turn.id },
      },
    );
  const queued: Fact = {
    type: 'turn.queued',
    turn: input.turn,
    data: {
      input: input.input,
      position: 0,
      ...(input.commandId === undefined ? {} : { commandId: input.commandId }),
    },
  };
  switch (state.runtime.kind) {
    case 'none': {
      const start = startRuntime(context);
      return { facts: [queued, ...start.facts], effects: start.effects };
    }
    case 'starting':
    case 'ending':
      return { facts: [queued], effects: [] };
    case 'ready': {
      const begun = startTurn(input.turn, state.runtime);
      return { facts: [queued, ...begun.facts], effects: begun.effects };
    }
  }
}

function decideInterrupt(state: SessionState, input: Of<'interrupt'>, context: DecideContext): Decision {
  switch (state.turn.kind) {
    case 'none':
      throw new PilotlightError('no_turn', `Session ${state.spec.id} has no running turn to interrupt`);
    case 'queued': {
      // A process that was only waited for is not wanted any more.
      const unwanted = state.runtime.kind === 'starting' && state.runtime.waiting === true;
      const gone = unwanted ? letGo(state, 'closed') : NOTHING;
      const ended = endTurn(state, { kind: 'interrupted', by: input.by }, context);
      return { facts: [...ended, ...gone.facts], effects: gone.effects };
    }
    case 'running':
      if (state.turn.stopping !== undefined) return NOTHING;
      return stop({ why: 'interrupt', by: input.by, acknowledged: false });
  }
}

function decideClose(state: SessionState, input: Of<'close'>, context: DecideContext): Decision {
  if (state.phase === 'closed') return NOTHING;
  const ended = endTurn(state, { kind: 'interrupted', by: input.by }, context);
  const gone = letGo(state, 'closed');
  return {
    facts: [...ended, { type: 'session.closed', data: { reason: input.reason } }, ...gone.facts],
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
  if (state.turn.kind !== 'running') return NOTHING;
  const seconds = Math.round(input.ms / 100) / 10;
  switch (input.watch) {
    case 'echo':
      return stop(
        failure('echo_timeout', `${state.spec.agent} did not take the message in within ${seconds} s`),
      );
    case 'inactivity':
      return stop(
        failure('inactivity_timeout', `${state.spec.agent} printed nothing for ${seconds} s within a turn`),
      );
    case 'tool':
      return stop(failure('tool_timeout', `A tool of ${state.spec.agent} ran for more than ${seconds} s`));
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
  if (state.runtime.kind !== 'starting' || state.runtime.waiting !== true) return NOTHING;
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
