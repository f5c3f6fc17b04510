import { expect, test } from 'vitest';
import type { NewEvent } from '../protocol/index.ts';
import { decide } from './decide.ts';
import { evolve } from './evolve.ts';
import { degradedAt } from './degrade.ts';
import { holdOf } from './hold.ts';
import type { DecideContext, Effect, SessionInput } from './inputs.ts';
import { isInternal, newSessionState, type SessionState } from './state.ts';
import { DEFAULT_WATCH_LIMITS, watchOf } from './watch.ts';
import { CONTEXT, ready, sent, SPEC } from '../../test/support/session-spec.ts';

/** A session and what it decides, input by input; `rt_n` is the n-th runtime that it starts. */
class Deciding {
  state: SessionState = newSessionState(SPEC);
  now = Date.parse('2026-01-01T00:00:00.000Z');
  readonly events: NewEvent[] = [];
  #runtimes = 0;

  give(...inputs: readonly SessionInput[]): readonly Effect[] {
    const context: DecideContext = {
      ...CONTEXT,
      now: this.now,
      newRuntimeId: () => `rt_${String((this.#runtimes += 1))}`,
    };
    const effects: Effect[] = [];
    for (const input of inputs) {
      const decision = decide(this.state, input, context);
      for (const fact of decision.facts) {
        if (!isInternal(fact)) this.events.push(fact);
        this.state = evolve(this.state, fact, this.now);
      }
      effects.push(...decision.effects);
    }
    return effects;
  }

  types(): string[] {
    return this.events.map((event) => event.type);
  }
}

const readyForOne = (runtime: string): SessionInput => ({ ...ready(runtime), perMessage: true });
const receipt = (runtime: string): SessionInput => ({ kind: 'agent', runtime, signal: { kind: 'receipt' } });
const done = (runtime: string): SessionInput => ({
  kind: 'agent',
  runtime,
  signal: { kind: 'ended', outcome: { kind: 'completed', stopReason: 'end_turn' }, costs: {} },
});
const background = (runtime: string, tasks: number): SessionInput => ({
  kind: 'agent',
  runtime,
  signal: { kind: 'background', tasks },
});
const crashed = (runtime: string, unwritten = false): SessionInput => ({
  kind: 'runtime-ended',
  runtime,
  pid: 7,
  reason: 'crashed',
  code: 3,
  lines: 0,
  chunks: 0,
  unwritten,
});
const unload = (over: Partial<Extract<SessionInput, { kind: 'unload' }>> = {}): SessionInput => ({
  kind: 'unload',
  reason: 'evicted',
  words: 'it was idle',
  despiteBackground: false,
  ...over,
});
const waits: SessionInput = {
  kind: 'slot',
  runtime: 'rt_1',
  perMessage: false,
  waiting: 'slot',
  words: 'full',
};

test('an idle process is let go; the reason is told before it is gone', () => {
  const session = new Deciding();
  session.give(sent('t1'), ready('rt_1'), receipt('rt_1'), done('rt_1'));
  expect(session.give(unload())).toEqual([{ kind: 'end', runtime: 'rt_1', reason: 'evicted' }]);
  expect(session.events.at(-1)).toMatchObject({ type: 'notice', data: { code: 'runtime_evicted' } });
  expect(session.state.runtime.kind).toBe('ending');
});

test('a session declines while a turn, a message or a background task is open', () => {
  const session = new Deciding();
  session.give(sent('t1'));
  expect(holdOf(session.state)?.kind).toBe('starting');
  expect(session.give(unload())).toEqual([]);
  session.give(ready('rt_1'));
  expect(holdOf(session.state)?.kind).toBe('turn');
  expect(session.give(unload())).toEqual([]);
  session.give(receipt('rt_1'), background('rt_1', 2), done('rt_1'));
  expect(holdOf(session.state)).toEqual({ kind: 'background', words: '2 background tasks run' });
  expect(session.give(unload())).toEqual([]);
  expect(session.give(unload({ despiteBackground: true }))).toHaveLength(1);
});

test('a background task that ended holds no more', () => {
  const session = new Deciding();
  session.give(sent('t1'), ready('rt_1'), background('rt_1', 1), done('rt_1'), background('rt_1', 0));
  expect(holdOf(session.state)).toBeUndefined();
});

test('a process of one message ends behind its turn, and events name its kind', () => {
  const session = new Deciding();
  session.give(sent('t1'), { kind: 'slot', runtime: 'rt_1', perMessage: true });
  session.give(readyForOne('rt_1'), receipt('rt_1'));
  expect(session.events.find((event) => event.type === 'turn.started')?.data).toMatchObject({
    runtime: { kind: 'per-message', pid: 7 },
  });
  expect(session.give(done('rt_1'))).toEqual([{ kind: 'end', runtime: 'rt_1', reason: 'closed' }]);
});

test('a process of one message goes on while background tasks run in it', () => {
  const session = new Deciding();
  session.give(sent('t1'), readyForOne('rt_1'), background('rt_1', 1));
  expect(session.give(done('rt_1'))).toEqual([]);
  // Their end may wake the agent: the pool lets the process go a little later.
  expect(session.give(background('rt_1', 0))).toEqual([]);
  expect(session.give(unload({ reason: 'closed' }))).toEqual([
    { kind: 'end', runtime: 'rt_1', reason: 'closed' },
  ]);
});

test('a process of one message whose message was taken back is ended as soon as it is there', () => {
  const session = new Deciding();
  session.give(sent('t1'), { kind: 'interrupt', by: { kind: 'client' } });
  expect(session.give(readyForOne('rt_1'))).toEqual([{ kind: 'end', runtime: 'rt_1', reason: 'closed' }]);
});

test('a message that waits and is interrupted leaves the line, and the next one starts anew', () => {
  const session = new Deciding();
  session.give(sent('t1'), waits);
  expect(session.events.at(-1)).toMatchObject({ type: 'notice', turn: 't1', data: { code: 'pool_waiting' } });
  expect(session.give({ kind: 'interrupt', by: { kind: 'client' } })).toEqual([
    { kind: 'end', runtime: 'rt_1', reason: 'closed' },
  ]);
  session.give(sent('t2'));
  const failed: SessionInput = {
    kind: 'runtime-failed',
    runtime: 'rt_1',
    code: 'spawn_failed',
    message: 'called off',
    retry: false,
  };
  expect(session.give(failed)).toEqual([{ kind: 'start', runtime: 'rt_2' }]);
  expect(session.types().filter((type) => type.startsWith('turn.'))).toEqual([
    'turn.queued',
    'turn.interrupted',
    'turn.queued',
  ]);
});

test('who waited for long enough is hurried, once', () => {
  const session = new Deciding();
  session.give(sent('t1'), waits);
  const timeout: SessionInput = { kind: 'timeout', watch: 'waiting', ms: 5 };
  expect(session.give(timeout)).toEqual([{ kind: 'hurry', runtime: 'rt_1' }]);
  expect(session.give(timeout)).toEqual([]);
});

test('who waited for long enough and can have nothing else: the turn fails without effects, the next one asks anew', () => {
  const session = new Deciding();
  session.give(sent('t1'), waits, { ...sent('t2'), whenBusy: 'queue' });
  session.give({ kind: 'timeout', watch: 'waiting', ms: 5 });
  const effects = session.give({ kind: 'no-slot', runtime: 'rt_1', words: 'everything is in use' });
  expect(effects).toEqual([{ kind: 'end', runtime: 'rt_1', reason: 'closed' }]);
  const failed = session.events.find((event) => event.type === 'turn.failed');
  expect(failed).toMatchObject({ turn: 't1', data: { code: 'limit_reached', effects: 'none' } });
  const gone: SessionInput = {
    kind: 'runtime-failed',
    runtime: 'rt_1',
    code: 'spawn_failed',
    message: 'called off',
    retry: false,
  };
  expect(session.give(gone)).toMatchObject([{ kind: 'start' }]);
  expect(session.state.turn).toMatchObject({ kind: 'queued', id: 't2' });
});

test('a crash in a turn degrades for 1, 5, 25 minutes, and a warm turn heals', () => {
  const session = new Deciding();
  let runtime = 0;
  for (const minutes of [1, 5, 25, 25]) {
    runtime += 1;
    session.give(
      sent(`t${String(runtime)}`),
      ready(`rt_${String(runtime)}`),
      receipt(`rt_${String(runtime)}`),
    );
    session.give(crashed(`rt_${String(runtime)}`));
    const until = Date.parse(session.state.degraded?.until ?? '');
    expect(until - session.now).toBe(minutes * 60_000);
    expect(degradedAt(session.state, session.now)).toBeDefined();
    expect(degradedAt(session.state, until)).toBeUndefined();
    // A clock that was set back far does not hold it down.
    expect(degradedAt(session.state, session.now - 86_400_000)).toBeUndefined();
    session.now = until;
  }
  session.give(sent('last'), ready('rt_5'), receipt('rt_5'), done('rt_5'));
  expect(session.types().at(-1)).toBe('runtime.restored');
  expect(session.state.degraded).toBeUndefined();
});

test('a person who interrupts heals; a process of one message does neither', () => {
  const session = new Deciding();
  session.give(sent('t1'), ready('rt_1'), receipt('rt_1'), crashed('rt_1'));
  session.give(sent('t2'), readyForOne('rt_2'), receipt('rt_2'), crashed('rt_2'));
  expect(session.types().filter((type) => type === 'runtime.degraded')).toHaveLength(1);
  session.give(sent('t3'), readyForOne('rt_3'), receipt('rt_3'), {
    kind: 'interrupt',
    by: { kind: 'client' },
  });
  expect(session.types().at(-1)).toBe('runtime.restored');
});

test('a message that never entered the process that died is given to another, once', () => {
  const session = new Deciding();
  session.give(sent('t1'), ready('rt_1'));
  expect(session.give(crashed('rt_1', true))).toEqual([{ kind: 'start', runtime: 'rt_2' }]);
  session.give(readyForOne('rt_2'));
  expect(session.give(crashed('rt_2', true))).toEqual([]);
  expect(session.types().filter((type) => type === 'turn.failed')).toHaveLength(1);
});

test('a message behind which the agent asked something is not given to another', () => {
  const session = new Deciding();
  const ask: SessionInput = {
    kind: 'agent',
    runtime: 'rt_1',
    signal: { kind: 'ask', ask: { request: 'a', kind: 'tool' } },
  };
  session.give(sent('t1'), ready('rt_1'), ask);
  expect(session.give(crashed('rt_1', true))).toEqual([]);
  expect(session.state.asks).toEqual([]);
  expect(session.types().filter((type) => type === 'turn.failed')).toHaveLength(1);
});

test('a warm start that failed is tried as a process of one message before the turn fails', () => {
  const session = new Deciding();
  session.give(sent('t1'));
  const failed = (runtime: string): SessionInput => ({
    kind: 'runtime-failed',
    runtime,
    code: 'spawn_failed',
    message: 'no',
    retry: false,
  });
  expect(session.give(failed('rt_1'))).toEqual([{ kind: 'start', runtime: 'rt_2' }]);
  expect(session.state.degraded?.reason).toBe('no');
  session.give({ kind: 'slot', runtime: 'rt_2', perMessage: true });
  expect(session.give(failed('rt_2'))).toEqual([]);
  expect(session.types().at(-1)).toBe('turn.failed');
});

const outdate: SessionInput = { kind: 'outdate' };
const gone = (runtime: string): SessionInput => ({
  kind: 'runtime-ended',
  runtime,
  pid: 7,
  reason: 'replaced',
  lines: 0,
  chunks: 0,
});

test('outdated while idle: let go at once; the next message starts another', () => {
  const session = new Deciding();
  session.give(sent('t1'), ready('rt_1'), receipt('rt_1'), done('rt_1'));
  expect(session.give(outdate)).toEqual([{ kind: 'end', runtime: 'rt_1', reason: 'replaced' }]);
  expect(session.give(sent('t2'))).toEqual([]);
  expect(session.give(gone('rt_1'))).toEqual([{ kind: 'start', runtime: 'rt_2' }]);
  expect(session.give(ready('rt_2'))).toEqual([{ kind: 'say', command: { kind: 'prompt', turn: 't2' } }]);
  expect(session.state.stale).toBe(false);
});

test('outdated in a turn: the turn goes on, and the process goes behind it', () => {
  const session = new Deciding();
  session.give(sent('t1'), ready('rt_1'), receipt('rt_1'));
  expect(session.give(outdate)).toEqual([]);
  expect(session.give(done('rt_1'))).toEqual([{ kind: 'end', runtime: 'rt_1', reason: 'replaced' }]);
});

test('outdated with a background task: it is waited for with the turn that it wakes, but not by a message', () => {
  const waiting = new Deciding();
  waiting.give(sent('t1'), ready('rt_1'), background('rt_1', 1), done('rt_1'));
  expect(waiting.give(outdate)).toEqual([]);
  const woke: SessionInput = { kind: 'agent', runtime: 'rt_1', signal: { kind: 'woke' } };
  expect(waiting.give(background('rt_1', 0), woke)).toEqual([]);
  expect(waiting.give(done('rt_1'))).toEqual([{ kind: 'end', runtime: 'rt_1', reason: 'replaced' }]);
  const asked = new Deciding();
  asked.give(sent('t1'), ready('rt_1'), background('rt_1', 1), done('rt_1'), outdate);
  expect(asked.give(sent('t2'))).toEqual([{ kind: 'end', runtime: 'rt_1', reason: 'replaced' }]);
  expect(asked.state.turn).toMatchObject({ kind: 'queued', id: 't2' });
});

test('outdated while it starts: it may have read either, so it has no turn', () => {
  const session = new Deciding();
  session.give(sent('t1'), outdate);
  expect(session.give(ready('rt_1'))).toEqual([{ kind: 'end', runtime: 'rt_1', reason: 'replaced' }]);
  expect(session.give(gone('rt_1'))).toEqual([{ kind: 'start', runtime: 'rt_2' }]);
  expect(session.types()).not.toContain('turn.started');
});

test('nothing to replace: nothing happens', () => {
  const session = new Deciding();
  expect(session.give(outdate)).toEqual([]);
  expect(session.events).toEqual([]);
});

test('each wait for a slot has its bound: the ladder where a process is being ended, else the longest wait', () => {
  const session = new Deciding();
  session.give(sent('t1'), waits);
  expect(watchOf(session.state, DEFAULT_WATCH_LIMITS)).toMatchObject({ name: 'waiting', ms: 600_000 });
  session.give({ kind: 'slot', runtime: 'rt_1', perMessage: false, waiting: 'end' });
  expect(watchOf(session.state, DEFAULT_WATCH_LIMITS)).toMatchObject({ name: 'waiting', ms: 36_000 });
  session.give({ kind: 'slot', runtime: 'rt_1', perMessage: false });
  expect(watchOf(session.state, DEFAULT_WATCH_LIMITS)?.name).toBe('queued');
});

test('no room for a process that no message waits for: it is called off before it starts', () => {
  const session = new Deciding();
  session.give({ kind: 'warm' });
  const none: SessionInput = { kind: 'slot', runtime: 'rt_1', perMessage: true, unwanted: true };
  expect(session.give(none)).toEqual([{ kind: 'end', runtime: 'rt_1', reason: 'closed' }]);
  const asked = new Deciding();
  asked.give(sent('t1'));
  expect(asked.give(none)).toEqual([]);
  expect(asked.state.runtime).toMatchObject({ kind: 'starting', perMessage: true });
});
