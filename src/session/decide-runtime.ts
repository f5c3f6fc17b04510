/**
 * What a session decides when its process is ready, did not start, breaks a bound, or is gone. Pure.
 */
import type { EventData, NewEvent } from '../protocol/index.ts';
import { degrade, degradesStart } from './degrade.ts';
import { endTurn, kindOf, showedNothing, startRuntime, type Ending } from './endings.ts';
import { evolveAll } from './evolve.ts';
import { NOTHING, type DecideContext, type Decision, type SessionInput } from './inputs.ts';
import { begin } from './line.ts';
import type { Fact, SessionState } from './state.ts';
import { tell } from './tuning.ts';

type RuntimeInput = Extract<
  SessionInput,
  { kind: 'runtime-ready' | 'runtime-failed' | 'runtime-broken' | 'runtime-ended' }
>;
type Of<K extends RuntimeInput['kind']> = Extract<RuntimeInput, { kind: K }>;

export function decideRuntime(state: SessionState, input: RuntimeInput, context: DecideContext): Decision {
  if (state.runtime.kind === 'none' || state.runtime.id !== input.runtime) return NOTHING;
  switch (input.kind) {
    case 'runtime-ready':
      return ready(state, input, context);
    case 'runtime-failed':
      return startFailed(state, input, context);
    case 'runtime-broken':
      return broken(state, input, context);
    case 'runtime-ended':
      return ended(state, input, context);
  }
}

const UNLINKED: Fact = { type: '#runtime-linked', link: { kind: 'none' } };

function ready(state: SessionState, input: Of<'runtime-ready'>, context: DecideContext): Decision {
  if (state.runtime.kind !== 'starting') return NOTHING;
  const { runtime: id, pid, startedAt, startupMs, version, resumed, perMessage, shared } = input;
  const served = {
    pid,
    ...(perMessage === undefined ? {} : { perMessage }),
    ...(shared === undefined ? {} : { shared }),
  };
  const facts: Fact[] = [
    { type: '#runtime-linked', link: { kind: 'ready', id, startedAt, startupMs, turns: 0, ...served } },
    {
      type: 'runtime.started',
      data: {
        kind: kindOf(served),
        pid,
        agent: state.spec.agent,
        ...(version === undefined ? {} : { version }),
        startupMs,
        resumed,
        ...(input.spare === undefined ? {} : { spare: input.spare }),
      },
    },
  ];
  if (input.agentSessionId !== undefined && input.agentSessionId !== state.agentSessionId)
    facts.push({ type: '#agent-session', id: input.agentSessionId });
  const linked = evolveAll(state, facts, context.now);
  // Its settings changed while it was being started: with which of them it was is not known here.
  const told = linked.tuning === 'due' ? tell(linked) : NOTHING;
  if (told !== NOTHING || state.turn.kind !== 'queued')
    return { facts: [...facts, ...told.facts], effects: told.effects };
  const begun = begin(linked, state.turn.id, context);
  return { facts: [...facts, ...begun.facts], effects: begun.effects };
}

function startFailed(state: SessionState, input: Of<'runtime-failed'>, context: DecideContext): Decision {
  const calledOff = state.runtime.kind === 'ending';
  const degraded =
    state.turn.kind === 'queued' && input.taken === undefined && degradesStart(input.code)
      ? degrade(state, input.message, context.now)
      : [];
  const again = input.retry || calledOff || degraded.length > 0;
  if (again && state.phase === 'open' && state.turn.kind !== 'none') {
    const start = startRuntime(context);
    return { facts: [...degraded, UNLINKED, ...start.facts], effects: start.effects };
  }
  if (state.turn.kind !== 'none' && state.phase === 'open') {
    const { code, message, stderrTail } = input;
    const ending: Ending = {
      kind: 'failed',
      code,
      message,
      effects: 'none',
      ...(stderrTail === undefined ? {} : { stderrTail }),
    };
    return { facts: [...endTurn(state, ending, context), UNLINKED], effects: [] };
  }
  if (input.retry || calledOff || state.phase === 'closed') return { facts: [UNLINKED], effects: [] };
  return {
    facts: [notice('warning', input.code, `${input.message}; the next message tries again`), UNLINKED],
    effects: [],
  };
}

/** Not the fault of a process that is kept: a bound that somebody set, a takeover. */
const BEYOND_THE_PROCESS: ReadonlySet<string> = new Set(['limit_reached', 'takeover_failed', 'runtime_lost']);

function broken(state: SessionState, input: Of<'runtime-broken'>, context: DecideContext): Decision {
  if (state.runtime.kind === 'ending' || state.runtime.kind === 'none') return NOTHING;
  const { code, message } = input;
  const facts: Fact[] =
    state.turn.kind === 'running'
      ? [
          ...endTurn(state, { kind: 'failed', code, message, effects: 'possible' }, context),
          ...(BEYOND_THE_PROCESS.has(code) ? [] : degrade(state, message, context.now)),
        ]
      : [notice('error', code, message)];
  const reason = code === 'stdin_timeout' ? 'stuck' : 'crashed';
  return {
    facts: [...facts, { type: '#runtime-linked', link: { kind: 'ending', id: input.runtime } }],
    effects: [{ kind: 'end', runtime: input.runtime, reason }],
  };
}

function ended(state: SessionState, input: Of<'runtime-ended'>, context: DecideContext): Decision {
  const facts: Fact[] = lastOfTurn(state, input, context);
  facts.push({ type: 'runtime.ended', data: endedData(input, context) }, ...unended(state, input), UNLINKED);
  const returned = facts.some((fact) => fact.type === '#turn-returned');
  // One that made room for new settings is followed by one that has them.
  const renewed = state.stale && state.turn.kind === 'none' && state.phase === 'open' && !context.parked;
  if (renewed) {
    const next = startRuntime(context);
    return { facts: [...facts, ...next.facts], effects: next.effects };
  }
  if ((state.turn.kind !== 'queued' && !returned) || state.phase === 'closed') return { facts, effects: [] };
  if (state.runtime.kind === 'starting') {
    const message = `${state.spec.agent} ended before it could take a message`;
    const failed = endTurn(
      state,
      { kind: 'failed', code: 'spawn_failed', message, effects: 'none' },
      context,
    );
    return { facts: [...failed, ...facts], effects: [] };
  }
  const start = startRuntime(context);
  return { facts: [...facts, ...start.facts], effects: start.effects };
}

/** What becomes of the turn that ran, and of being warm. A message that never entered the process is not lost with it (P4). */
function lastOfTurn(state: SessionState, input: Of<'runtime-ended'>, context: DecideContext): Fact[] {
  const { turn, runtime } = state;
  if (turn.kind !== 'running') return [];
  const crashed = input.lost !== true && turn.stopping?.why !== 'interrupt' && runtime.kind === 'ready';
  const degraded = crashed ? degrade(state, howItEnded(state, input), context.now) : [];
  const untouched =
    input.unwritten === true && turn.origin === 'user' && !turn.received && showedNothing(state, turn);
  if (untouched && turn.stopping === undefined && degraded.length > 0)
    return [...degraded, { type: '#turn-returned' }];
  return [...endTurn(state, exitEnding(state, input), context), ...degraded];
}

/** Nobody but a person can do anything about it. */
function unended(state: SessionState, { unended: pids = [] }: Of<'runtime-ended'>): Fact[] {
  if (pids.length === 0) return [];
  const all = pids.map(String);
  const who = all.length === 1 ? `Process ${all.join()}` : `Processes ${all.join(', ')}`;
  const lives = all.length === 1 ? 'lives' : 'live';
  const { agent, cwd } = state.spec;
  const message = `${who} of ${agent} could not be ended and ${lives} on in ${cwd}. End by hand: kill -9 ${all.join(' ')}.`;
  return [notice('error', 'process_stuck', message)];
}

function howItEnded(state: SessionState, input: Of<'runtime-ended'>): string {
  const how = input.signal === undefined ? `code ${input.code ?? 'unknown'}` : `signal ${input.signal}`;
  return `${state.spec.agent} exited with ${how} in the middle of a turn; the next message starts it again`;
}

function exitEnding(state: SessionState, input: Of<'runtime-ended'>): Ending {
  if (state.turn.kind === 'running' && state.turn.stopping !== undefined) return { kind: 'as-stopping' };
  const effects = input.unwritten === true ? 'none' : 'possible';
  const { stderrTail } = input;
  const tail = stderrTail === undefined ? {} : { stderrTail };
  if (input.lost === true)
    return {
      kind: 'failed',
      code: 'runtime_lost',
      message: `${state.spec.agent} was lost with whoever held it; the next message starts it again`,
      effects,
      ...tail,
    };
  return {
    kind: 'failed',
    code: 'runtime_exited',
    message: howItEnded(state, input),
    effects,
    ...tail,
  };
}

function endedData(input: Of<'runtime-ended'>, context: DecideContext): EventData<'runtime.ended'> {
  return {
    pid: input.pid,
    reason: input.reason,
    ...(input.code === undefined ? {} : { code: input.code }),
    ...(input.signal === undefined ? {} : { signal: input.signal }),
    ...(context.rssMb === undefined ? {} : { rssMb: context.rssMb }),
    lines: input.lines,
    chunks: input.chunks,
  };
}

function notice(level: EventData<'notice'>['level'], code: string, message: string): NewEvent {
  return { type: 'notice', data: { level, code, message } };
}
