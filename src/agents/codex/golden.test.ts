/**
 * Every recording of a real Codex, replayed: nothing in it is unknown, each turn ends as its `turn/completed` says and exactly once, nothing
 * stays open behind an ending, and the state could have been written and read back at every line.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { expect, test } from 'vitest';
import type { AgentSignal } from '../../session/ports.ts';
import type { RequestIds, Step } from '../dialect.ts';
import { codex, type CodexState } from './index.ts';
import { isRecord } from './messages.ts';
import { newState } from './state.ts';

const FOLDER = new URL('../../../test/golden/codex/', import.meta.url);
const RECORDINGS = readdirSync(FOLDER).filter((name) => name.endsWith('.txt'));

/** Recordings in which a turn has no ending on the wire: the process was ended in it, or the line with the ending was cut. */
const WITHOUT_ENDING = /^(07-|10|12-|13[abce])/;

test('all recordings are there', () => {
  expect(RECORDINGS.length).toBeGreaterThan(40);
});

for (const name of RECORDINGS) {
  const lines = readFileSync(new URL(name, FOLDER), 'utf8')
    .split('\n')
    .filter((line) => line !== '');
  for (const thread of threadsOf(lines))
    test(`${name} thread ${thread.slice(-6)}`, () => {
      const replay = new Replay(thread);
      for (const line of lines) replay.line(line);
      expect(replay.notices('unknown_message')).toEqual([]);
      expect(replay.notices('not_json')).toEqual([]);
      expect(replay.outcomes).toEqual(replay.statuses);
      expect(WITHOUT_ENDING.test(name) ? [] : replay.state.turns).toEqual([]);
      expect(replay.faults).toEqual([]);
    });
}

test('a recording holds what it should show', () => {
  const replay = replayOf('03-tools-danger-full-access.txt');
  const kinds = new Set(replay.signals.map((signal) => signal.kind));
  for (const kind of ['receipt', 'text', 'text-done', 'tool', 'tool-done', 'usage', 'ended'] as const)
    expect(kinds).toContain(kind);
});

test('a cut stream is said again: the abandoned messages are void, one failure ends it', () => {
  const replay = replayOf('08-error-cut.txt');
  const voids = replay.signals.filter((signal) => signal.kind === 'text-void');
  expect(voids.map((signal) => signal.reason)).toEqual(['retry', 'retry', 'failed']);
  const failed = replay.signals.flatMap((signal) =>
    signal.kind === 'ended' && signal.outcome.kind === 'failed' ? [signal.outcome.code] : [],
  );
  expect(failed).toEqual(['model_error']);
});

const CODES: Readonly<Record<string, string>> = {
  '08-error-400.txt': 'agent_error',
  '08-error-401.txt': 'auth_failed',
  '08-error-429quota.txt': 'rate_limited',
  '08-error-500.txt': 'model_error',
  '08-error-ctx.txt': 'context_exceeded',
  '08-error-reset.txt': 'model_error',
  '08b-silent-stream.txt': 'model_error',
  '21c-resume-inline-provider-2.txt': 'auth_failed',
};
test.each(Object.entries(CODES))('%s fails with %s', (name, code) => {
  const replay = replayOf(name);
  const outcomes = replay.signals.flatMap((signal) =>
    signal.kind === 'ended' && signal.outcome.kind === 'failed' ? [signal.outcome.code] : [],
  );
  expect(new Set(outcomes)).toEqual(new Set([code]));
});

test('an interrupt that came too early is written once the turn runs, and acknowledged', () => {
  const replay = replayOf('07b-interrupt-race.txt');
  const acknowledged = replay.signals.filter((signal) => signal.kind === 'interrupt-acknowledged').length;
  expect(acknowledged).toBeGreaterThanOrEqual(5);
  expect(replay.outcomes.filter((kind) => kind === 'interrupted').length).toBeGreaterThanOrEqual(5);
});

test('every request of the server is asked and answered', () => {
  const replay = replayOf('04-approvals.txt');
  const asks = replay.signals.flatMap((signal) => (signal.kind === 'ask' ? [signal.ask] : []));
  expect(asks).toHaveLength(10);
  expect(asks.filter((ask) => ask.diff?.startsWith('add ')).length).toBe(3);
  expect(replay.state.asks).toEqual([]);
});

test('what a turn used is the difference of totals', () => {
  const replay = replayOf('04-approvals.txt');
  const first = replay.signals.find((signal) => signal.kind === 'ended');
  expect(first?.costs).toMatchObject({
    usage: { inputTokens: 20, outputTokens: 24, totalTokens: 44 },
    agentTurns: 2,
    model: 'gpt-5.5',
  });
});

class Replay {
  state: CodexState;
  readonly signals: AgentSignal[] = [];
  readonly statuses: string[] = [];
  readonly outcomes: string[] = [];
  /** What must never be: each with where it was. */
  readonly faults: string[] = [];
  /** The recording's request id → the one the dialect gave. */
  readonly #ids = new Map<unknown, number>();
  readonly #numbers: RequestIds;
  #unclaimedInterrupts: number[] = [];
  #open = new Set<string>();
  #prompts = 0;

  constructor(thread: string) {
    this.state = newState({ thread, model: 'gpt-5.5', effort: null, plan: false });
    let n = 1_000_000;
    this.#numbers = { next: () => (n += 1) };
  }

  line(recorded: string): void {
    const [to, line] = [recorded.slice(0, 2), recorded.slice(2)];
    if (line === '[cut]') return;
    if (to === '> ') this.#client(line);
    else this.#server(line);
  }

  notices(code: string): unknown[] {
    return this.signals.filter((signal) => signal.kind === 'notice' && signal.code === code);
  }

  #client(line: string): void {
    const message = parse(line);
    if (message === undefined) return;
    const params = isRecord(message['params']) ? message['params'] : {};
    if (message['method'] === undefined) return this.#answer(message);
    if (params['threadId'] !== this.state.thread) return;
    if (message['method'] === 'turn/start') {
      this.#prompts += 1;
      const turn = `trn_${String(this.#prompts).padStart(32, '0')}`;
      this.#take(codex.accept(this.state, { kind: 'prompt', turn }, this.#numbers), message['id']);
    }
    if (message['method'] === 'turn/interrupt') {
      const written = this.#unclaimedInterrupts.shift();
      if (written !== undefined) this.#ids.set(message['id'], written);
      else this.#take(codex.accept(this.state, { kind: 'interrupt' }, this.#numbers), message['id']);
    }
  }

  #answer(message: Readonly<Record<string, unknown>>): void {
    const accepted = JSON.stringify(message['result'] ?? {}).includes('accept');
    const decision = accepted ? 'allow' : 'deny';
    this.#take(
      codex.accept(
        this.state,
        { kind: 'answer', request: String(message['id']), answer: { decision } },
        this.#numbers,
      ),
    );
  }

  #server(line: string): void {
    const message = parse(line);
    const id = message?.['method'] === undefined ? this.#ids.get(message?.['id']) : undefined;
    const fed = id === undefined ? line : JSON.stringify({ ...message, id });
    const step = codex.translate(this.state, fed, this.#numbers);
    this.#take(step);
    if (message !== undefined) this.#expect(message, step);
  }

  /** What the wire says of endings, beside what the dialect says. */
  #expect(message: Readonly<Record<string, unknown>>, step: Step<CodexState>): void {
    const ended = step.signals.filter((signal) => signal.kind === 'ended');
    if (message['method'] !== 'turn/completed') {
      // Only a prompt that was not taken ends elsewhere.
      for (const { outcome } of ended)
        if (outcome.kind !== 'failed') this.faults.push(`an ending at ${String(message['method'])}`);
      return;
    }
    const params = isRecord(message['params']) ? message['params'] : {};
    if (params['threadId'] !== this.state.thread) return;
    this.statuses.push(String(isRecord(params['turn']) ? params['turn']['status'] : ''));
    this.outcomes.push(...ended.map((signal) => signal.outcome.kind));
    if (this.state.turns.length === 0)
      for (const open of this.#open) this.faults.push(`${open} stays open behind an ending`);
  }

  #take(step: Step<CodexState>, recordedId?: unknown): void {
    this.state = step.state;
    const text = JSON.stringify(step.state);
    if (!isDeepStrictEqual(codex.revive(JSON.parse(text)), step.state)) this.faults.push('not revived');
    if (Buffer.byteLength(text) >= 65_536) this.faults.push('the state is too large');
    this.signals.push(...step.signals);
    for (const signal of step.signals) this.#balance(signal);
    for (const write of step.writes) {
      const id = isRecord(write.ref) ? write.ref['id'] : undefined;
      if (typeof id !== 'number' || write.kind === 'thread/backgroundTerminals/clean') continue;
      if (recordedId !== undefined) this.#ids.set(recordedId, id);
      else if (write.kind === 'turn/interrupt') this.#unclaimedInterrupts.push(id);
    }
  }

  /** Blocks and tools that have begun and not ended. */
  #balance(signal: AgentSignal): void {
    if (signal.kind === 'text' || signal.kind === 'reasoning' || signal.kind === 'tool')
      this.#open.add(signal.kind === 'tool' ? signal.id : signal.block);
    if (signal.kind === 'tool-done') this.#open.delete(signal.id);
    if (signal.kind === 'text-done' || signal.kind === 'reasoning-done' || signal.kind === 'text-void')
      this.#open.delete(signal.block);
  }
}

/** The last thread of a recording. */
function replayOf(name: string): Replay {
  const lines = readFileSync(new URL(name, FOLDER), 'utf8').split('\n');
  const thread = [...threadsOf(lines)].at(-1) ?? '';
  const replay = new Replay(thread);
  for (const line of lines) if (line !== '') replay.line(line);
  return replay;
}

/** The threads that a prompt was written to. */
function threadsOf(lines: readonly string[]): Set<string> {
  const threads = new Set<string>();
  for (const line of lines) {
    if (!line.startsWith('> ') || !line.includes('"turn/start"')) continue;
    const params = parse(line.slice(2))?.['params'];
    const thread = isRecord(params) ? params['threadId'] : undefined;
    if (typeof thread === 'string' && thread.includes('-')) threads.add(thread);
  }
  return threads;
}

function parse(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
