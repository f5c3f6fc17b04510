import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PilotlightError, TURN_ENDINGS, type NewEvent } from '../protocol/index.ts';
import { decide } from './decide.ts';
import { evolve } from './evolve.ts';
import type { DecideContext, SessionInput } from './inputs.ts';
import type { AgentCommand, AgentSignal } from './ports.ts';
import { isInternal, newSessionState, persistedState, type SessionState } from './state.ts';
import { SPEC } from '../../test/support/session-spec.ts';

const id = fc.constantFrom('a', 'b', 'c');
const runtime = fc.oneof(
  { weight: 8, arbitrary: fc.constant('current') },
  fc.constantFrom('rt_1', 'rt_2', 'rt_3'),
);
const by = fc.constant({ kind: 'client' as const });

const signal: fc.Arbitrary<AgentSignal> = fc.oneof(
  fc.record({ kind: fc.constant('receipt' as const) }),
  fc.record({ kind: fc.constant('woke' as const) }),
  fc.record({ kind: fc.constant('text' as const), block: id, text: fc.string() }),
  fc.record({ kind: fc.constant('text-done' as const), block: id, text: fc.string() }),
  fc.record({ kind: fc.constant('text-void' as const), block: id, reason: fc.constant('retry') }),
  fc.record({ kind: fc.constant('reasoning' as const), block: id, text: fc.string() }),
  fc.record({
    kind: fc.constant('tool' as const),
    id,
    name: fc.constant('Bash'),
    tool: fc.constant('execute' as const),
    input: fc.constant({}),
  }),
  fc.record({
    kind: fc.constant('tool-done' as const),
    id,
    status: fc.constant('ok' as const),
    output: fc.string(),
  }),
  fc.record({ kind: fc.constant('interrupt-acknowledged' as const) }),
  fc.record({
    kind: fc.constant('ask' as const),
    ask: fc.record({ request: id, kind: fc.constant('tool' as const) }),
  }),
  fc.record({ kind: fc.constant('ask-withdrawn' as const), request: id }),
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('steer' as const),
      turn: fc.constant('a steer'),
      how: fc.constantFrom('written' as const, 'taken' as const, 'missed' as const),
    }),
  },
  fc.record({ kind: fc.constant('agent-session' as const), id }),
  fc.record({ kind: fc.constant('settings' as const), how: fc.constant('taken' as const) }),
  fc.record({
    kind: fc.constant('settings' as const),
    how: fc.constant('refused' as const),
    message: fc.constant('no'),
  }),
  fc.record({ kind: fc.constant('background' as const), tasks: fc.nat({ max: 2 }) }),
  fc.record({
    kind: fc.constant('ended' as const),
    outcome: fc.constantFrom(
      { kind: 'completed' as const, stopReason: 'end_turn' as const, text: 'late' },
      { kind: 'failed' as const, code: 'model_error' as const, message: 'no' },
      { kind: 'interrupted' as const },
    ),
    costs: fc.constant({}),
  }),
);

const input: fc.Arbitrary<SessionInput> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('send' as const),
      turn: fc.constant('a new one'),
      input: fc.string(),
      by,
      whenBusy: fc.constantFrom('reject' as const, 'queue' as const, 'steer' as const, 'interrupt' as const),
    }),
  },
  fc.record({ kind: fc.constant('interrupt' as const), by, clear: fc.boolean() }),
  fc.record({
    kind: fc.constant('take-back' as const),
    turn: fc.constantFrom('the head', 'a steer', 'the queue'),
    by,
  }),
  fc.record({
    kind: fc.constant('answer' as const),
    id: fc.constant('the oldest'),
    answer: fc.record({
      decision: fc.constantFrom('allow' as const, 'allow_for_session' as const, 'deny' as const),
    }),
    by,
  }),
  fc.constant({ kind: 'wake' as const }),
  fc.record(
    {
      kind: fc.constant('update' as const),
      spec: fc.constant(SPEC),
      changed: fc.constant({}),
      process: fc.constantFrom('replace' as const, 'tell' as const, 'tell' as const),
    },
    { requiredKeys: ['kind', 'spec', 'changed'] },
  ),
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('close' as const), by, reason: fc.constant('test') }),
  },
  fc.record({ kind: fc.constant('retire' as const), by, reason: fc.constant('shutdown' as const) }),
  fc.record(
    {
      kind: fc.constant('slot' as const),
      runtime,
      perMessage: fc.boolean(),
      waiting: fc.constantFrom('slot' as const, 'end' as const),
      words: fc.constant('why'),
    },
    { requiredKeys: ['kind', 'runtime', 'perMessage'] },
  ),
  fc.record({
    kind: fc.constant('unload' as const),
    reason: fc.constantFrom('idle' as const, 'evicted' as const, 'replaced' as const),
    words: fc.constant('why'),
    despiteBackground: fc.boolean(),
  }),
  fc.record({ kind: fc.constant('no-slot' as const), runtime, words: fc.constant('why') }),
  fc.record({ kind: fc.constant('warm' as const) }),
  fc.record({ kind: fc.constant('outdate' as const) }),
  {
    weight: 4,
    arbitrary: fc.record(
      {
        kind: fc.constant('runtime-ready' as const),
        runtime,
        pid: fc.constant(7),
        startedAt: fc.constant(SPEC.createdAt),
        startupMs: fc.constant(1),
        resumed: fc.boolean(),
        perMessage: fc.constant(true as const),
      },
      { requiredKeys: ['kind', 'runtime', 'pid', 'startedAt', 'startupMs', 'resumed'] },
    ),
  },
  fc.record({
    kind: fc.constant('runtime-failed' as const),
    runtime,
    code: fc.constant('spawn_failed' as const),
    message: fc.constant('no'),
    retry: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant('runtime-broken' as const),
    runtime,
    code: fc.constant('stdin_timeout' as const),
    message: fc.constant('no'),
  }),
  fc.record({
    kind: fc.constant('runtime-ended' as const),
    runtime,
    pid: fc.constant(7),
    reason: fc.constant('crashed' as const),
    lines: fc.nat(),
    chunks: fc.nat(),
    lost: fc.boolean(),
    unwritten: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant('timeout' as const),
    watch: fc.constantFrom(
      'waiting' as const,
      'settings' as const,
      'permission' as const,
      'queued' as const,
      'echo' as const,
      'inactivity' as const,
      'tool' as const,
      'interrupt' as const,
    ),
    ms: fc.constant(5),
  }),
  { weight: 12, arbitrary: fc.record({ kind: fc.constant('agent' as const), runtime, signal }) },
);

/** Runs inputs as the actor does; `current` names the runtime that the session believes in. */
function run(
  inputs: readonly SessionInput[],
  between: (state: SessionState) => SessionState = (state) => state,
  said: (what: AgentCommand['kind'], after: SessionState) => void = () => undefined,
): { events: NewEvent[]; state: SessionState; started: string[]; ended: string[] } {
  let state = newSessionState(SPEC);
  let runtimes = 0;
  let turns = 0;
  let asks = 0;
  const events: NewEvent[] = [];
  const started: string[] = [];
  const ended: string[] = [];
  const context: DecideContext = {
    now: 1_000,
    newRuntimeId: () => `rt_${String((runtimes += 1))}`,
    newTurnId: () => `agent-${String((turns += 1))}`,
    newPermissionId: () => `prm-${String((asks += 1))}`,
    judge: () => undefined,
    permissionTimeoutMs: 1_000,
    maxQueued: 5,
    parked: false,
  };
  for (const [at, drawn] of inputs.entries()) {
    const given = drawn.kind === 'send' ? { ...drawn, turn: `turn-${String(at)}` } : drawn;
    state = between(state);
    const current = state.runtime.kind === 'none' ? 'nothing' : state.runtime.id;
    const named = meant(
      'runtime' in given && given.runtime === 'current' ? { ...given, runtime: current } : given,
      state,
    );
    try {
      const { facts, effects } = decide(state, named, context);
      for (const fact of facts) {
        if (!isInternal(fact)) events.push(fact);
        state = evolve(state, fact, context.now);
      }
      for (const effect of effects) {
        if (effect.kind === 'start') started.push(effect.runtime);
        if (effect.kind === 'say') said(effect.command.kind, state);
        if (effect.kind === 'end') ended.push(effect.runtime);
      }
    } catch (error) {
      if (!(error instanceof PilotlightError)) throw error;
    }
  }
  return { events, state, started, ended };
}

/** Names that inputs are drawn with, and what they are in this state. */
function meant(given: SessionInput, state: SessionState): SessionInput {
  const steer = state.turn.kind === 'running' ? state.turn.steers[0]?.id : undefined;
  if (given.kind === 'answer') return { ...given, id: state.asks[0]?.id ?? 'none' };
  if (given.kind === 'take-back') {
    const head = state.turn.kind === 'none' ? 'none' : state.turn.id;
    const ids: Record<string, string | undefined> = {
      'the head': head,
      'a steer': steer,
      'the queue': state.queue[0],
    };
    return { ...given, turn: ids[given.turn] ?? 'none' };
  }
  if (given.kind !== 'agent' || given.signal.kind !== 'steer') return given;
  return { ...given, signal: { ...given.signal, turn: steer ?? 'none' } };
}

function endingsByTurn(events: readonly NewEvent[]): Map<string, number> {
  const endings = new Map<string, number>();
  for (const event of events) {
    const turn = event.turn;
    if (turn === undefined) continue;
    if (!endings.has(turn)) endings.set(turn, 0);
    if (TURN_ENDINGS.has(event.type)) endings.set(turn, (endings.get(turn) ?? 0) + 1);
  }
  return endings;
}

const inputs = fc.array(input, { maxLength: 80, size: 'max' });

test('P1: any order of inputs ends each turn at most once, and a closed session has none open', () => {
  fc.assert(
    fc.property(inputs, (list) => {
      const { events, state } = run([...list, { kind: 'close', by: { kind: 'client' }, reason: 'end' }]);
      for (const [, count] of endingsByTurn(events)) expect(count).toBe(1);
      expect(state.turn.kind).toBe('none');
      expect(state.queue).toEqual([]);
      expect(state.asks).toEqual([]);
      expect(state.phase).toBe('closed');
    }),
    { numRuns: 1000 },
  );
});

test('P1: nothing of a turn comes after its ending', () => {
  fc.assert(
    fc.property(inputs, (list) => {
      const over = new Set<string>();
      for (const event of run(list).events) {
        if (event.turn === undefined) continue;
        expect(over.has(event.turn)).toBe(false);
        if (TURN_ENDINGS.has(event.type)) over.add(event.turn);
      }
    }),
    { numRuns: 500 },
  );
});

test('P8: a request is resolved exactly once, and never after the ending of its turn', () => {
  fc.assert(
    fc.property(inputs, (list) => {
      const open = new Set<string>();
      for (const event of run([...list, { kind: 'close', by: { kind: 'client' }, reason: 'end' }]).events) {
        if (event.type === 'permission.requested') open.add(event.data.id);
        if (event.type === 'permission.resolved') expect(open.delete(event.data.id)).toBe(true);
      }
      expect([...open]).toEqual([]);
    }),
    { numRuns: 500 },
  );
});

test('R10: turns of the queue run in the order in which they were accepted', () => {
  fc.assert(
    fc.property(inputs, (list) => {
      const plain = list.filter((one) => one.kind !== 'send' || one.whenBusy === 'queue');
      const order: string[] = [];
      const begun: string[] = [];
      for (const event of run(plain).events) {
        if (event.type === 'turn.queued') order.push(event.turn ?? '');
        // A turn whose message never entered its process is begun again in the next one.
        const again = begun.at(-1) === event.turn;
        if (event.type === 'turn.started' && event.data.origin === 'user' && !again)
          begun.push(event.turn ?? '');
      }
      expect(begun).toEqual(order.filter((turn) => begun.includes(turn)));
    }),
    { numRuns: 500 },
  );
});

test('P2: seq counts the events, one each', () => {
  fc.assert(
    fc.property(inputs, (list) => {
      const { events, state } = run(list);
      expect(state.lastSeq).toBe(events.length);
    }),
  );
});

test('a message is completed or discarded at most once, and a tool completed at most once', () => {
  fc.assert(
    fc.property(inputs, (list) => {
      const open = new Set<string>();
      for (const event of run(list).events) {
        if (event.type === 'tool.started') {
          expect(open.has(`${event.turn ?? ''} ${event.data.id}`)).toBe(false);
          open.add(`${event.turn ?? ''} ${event.data.id}`);
        }
        if (event.type === 'tool.completed') {
          expect(open.delete(`${event.turn ?? ''} ${event.data.id}`)).toBe(true);
        }
      }
    }),
    { numRuns: 500 },
  );
});

test('the state survives being written and read between any two inputs', () => {
  fc.assert(
    fc.property(inputs, (list) => {
      const whole = run(list);
      const texts = (state: SessionState): SessionState => {
        const restored: SessionState = JSON.parse(JSON.stringify(persistedState(state)));
        // The text of the last message is read again from the events at a takeover.
        if (
          state.turn.kind !== 'running' ||
          restored.turn.kind !== 'running' ||
          state.turn.lastText === undefined
        )
          return restored;
        return { ...restored, turn: { ...restored.turn, lastText: state.turn.lastText } };
      };
      const taken = run(list, texts);
      expect(taken.events).toEqual(whole.events);
      expect(taken.state).toEqual(whole.state);
    }),
    { numRuns: 300 },
  );
});

test('at most one runtime at a time: another is started only when the one before is gone', () => {
  fc.assert(
    fc.property(inputs, (list) => {
      const { started, state } = run(list);
      expect(new Set(started).size).toBe(started.length);
      if (state.runtime.kind !== 'none') expect(state.runtime.id).toBe(started.at(-1));
    }),
  );
});

test('the generator reaches every ending and every tool state', () => {
  const seen = new Map<string, number>();
  fc.assert(
    fc.property(inputs, (list) => {
      for (const event of run(list).events) {
        const steered = event.type === 'turn.completed' && event.data.stopReason === 'steered';
        const name = steered ? 'steered' : event.type;
        seen.set(name, (seen.get(name) ?? 0) + 1);
      }
    }),
    { numRuns: 3000, seed: 7 },
  );
  for (const type of [
    'turn.completed',
    'turn.failed',
    'turn.interrupted',
    'tool.completed',
    'message.discarded',
    'permission.resolved',
    'steered',
    'runtime.ended',
  ])
    expect(seen.get(type) ?? 0, type).toBeGreaterThan(0);
});

test('R14: other settings are not told to an agent that is being interrupted, and no message before it has taken them', () => {
  fc.assert(
    fc.property(inputs, (list) => {
      const early: string[] = [];
      run(list, undefined, (what, { turn, tuning }) => {
        const stopping = turn.kind === 'running' && turn.stopping !== undefined;
        if ((what === 'settings' && stopping) || (what === 'prompt' && tuning !== undefined))
          early.push(what);
      });
      expect(early).toEqual([]);
    }),
    { numRuns: 500 },
  );
});
