/**
 * Every recording of a real Claude, replayed: nothing in it is unknown, each turn ends as its result says and exactly once, nothing stays open
 * behind an ending, and the state could have been written and read back at every line.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { expect, test } from 'vitest';
import type { AgentCommand, AgentSignal } from '../../session/ports.ts';
import type { RequestIds, Step } from '../dialect.ts';
import { claude, type ClaudeState } from './index.ts';
import { isRecord, parseLine, recordOf, type Line } from './messages.ts';
import { interruptId } from './render.ts';
import { newState } from './state.ts';

const FOLDER = new URL('../../../test/golden/claude/', import.meta.url);
const RECORDINGS = readdirSync(FOLDER).filter((name) => name.endsWith('.txt'));

/** Recordings in which a turn has no ending on the wire: the process was ended in it, a uuid was repeated, or its message was no message. */
const WITHOUT_ENDING = /^(?:2\.1\.197-)?(?:06e|07|08-bad|10[bd]|11b|12|19b|20|22|28|31|variant)/;

test('all recordings are there', () => {
  expect(RECORDINGS.length).toBeGreaterThan(150);
});

test.each(RECORDINGS)('%s', (name) => {
  const replay = replayOf(name);
  expect(replay.notices('unknown_message')).toEqual([]);
  expect(replay.notices('not_json')).toEqual([]);
  if (name === '08-bad-bad-uuid.txt') return; // Its results name a message that is not ours.
  expect(replay.notices('lone_result')).toEqual([]);
  expect(replay.outcomes).toEqual(replay.expected);
  expect(WITHOUT_ENDING.test(name) ? [] : replay.state.turns).toEqual([]);
  expect(replay.faults).toEqual([]);
});

const FAILURES: Readonly<Record<string, string>> = {
  '10-error-400.txt': 'model_error',
  '10-error-401.txt': 'auth_failed',
  '10-error-403.txt': 'auth_failed',
  '10-error-413.txt': 'model_error',
  '10-error-reset.txt': 'model_error',
  '20g-resume-unknown.txt': 'agent_error',
  '2.1.197-20g-resume-unknown.txt': 'agent_error',
  '24-context-limit-compaction.txt': 'context_exceeded',
};

test.each(Object.entries(FAILURES))('%s fails with %s', (name, code) => {
  const codes = replayOf(name).signals.flatMap((signal) =>
    signal.kind === 'ended' && signal.outcome.kind === 'failed' ? [signal.outcome.code] : [],
  );
  expect(new Set(codes)).toEqual(new Set([code]));
});

test('a recording holds what it should show', () => {
  const kinds = new Set(replayOf('03-tools-bypass.txt').signals.map((signal) => signal.kind));
  for (const kind of ['receipt', 'text', 'text-done', 'tool', 'tool-done', 'usage', 'ended'] as const)
    expect(kinds).toContain(kind);
  const thoughts = replayOf('01-basic-turns.txt').signals.filter(({ kind }) => kind === 'reasoning-done');
  expect(thoughts.length).toBeGreaterThan(0);
});

test('a stream that is cut is said again: each preview is void, the truth comes once', () => {
  const { signals } = replayOf('10-error-cut.txt');
  expect(signals.filter((signal) => signal.kind === 'text-void').map(({ reason }) => reason)).toEqual([
    'retry',
    'retry',
  ]);
  const texts = signals.flatMap((signal) => (signal.kind === 'text-done' ? [signal.text] : []));
  expect(texts).toEqual(['warm', 'c0 c1 c2 c3 c4 c5 c6 c7 c8 c9 ', 'still-usable']);
});

test('a background task wakes the agent; its turn ends without a name', () => {
  const { signals } = replayOf('27-unsolicited-turn-after-background-bash.txt');
  expect(signals.filter(({ kind }) => kind === 'woke')).toHaveLength(1);
  const ended = signals.filter((signal) => signal.kind === 'ended');
  expect(ended.map(({ turn }) => turn === undefined)).toEqual([false, true]);
});

test('Claude is taken to have woken by itself where it has, and nowhere else', () => {
  expect(RECORDINGS.filter((name) => replayOf(name).signals.some(({ kind }) => kind === 'woke'))).toEqual([
    // A result that answers no message of ours takes the place of the one that does.
    '19e-plain-spare.txt',
    '2.1.197-27-unsolicited-turn-after-background-bash.txt',
    '26-subagent.txt',
    '27-unsolicited-turn-after-background-bash.txt',
    '32-resume-interrupted-turn-env.txt',
  ]);
});

test('a subagent speaks under the tool call that started it', () => {
  const { signals } = replayOf('26-subagent.txt');
  const parents = signals.flatMap((signal) => (signal.kind === 'text-done' ? [signal.parent] : []));
  expect(parents.filter((parent) => parent !== undefined)).toEqual(['toolu_s0_351_0']);
});

test('/clear is followed to the id that can be resumed', () => {
  const replay = replayOf('15-slash-commands.txt');
  expect(replay.signals.filter(({ kind }) => kind === 'agent-session')).not.toEqual([]);
  expect(replay.state.session).toBe('5b390d10-a208-41ff-9b62-e85bbc3f7d8a');
});

test('refused calls are denied, interrupted ones cancelled', () => {
  const statuses = (name: string): string[] =>
    replayOf(name).signals.flatMap((signal) => (signal.kind === 'tool-done' ? [signal.status] : []));
  expect(statuses('16c-no-prompt-tool-default-mode.txt')).toContain('denied');
  expect(statuses('05d-interrupt-mid-tool.txt')).toEqual(['cancelled']);
  expect(statuses('05e-interrupt-pending-permission.txt')).toEqual(['cancelled']);
});

class Replay {
  state: ClaudeState;
  readonly signals: AgentSignal[] = [];
  readonly expected: string[] = [];
  readonly outcomes: string[] = [];
  /** What must never be: each with where it was. */
  readonly faults: string[] = [];
  readonly #ids: RequestIds;
  /** The recording's id of an interrupt → the one that the dialect gave. */
  readonly #interrupts = new Map<unknown, string>();
  readonly #open = new Set<string>();
  #prompts = 0;
  #lastId = 1_000_000;

  constructor(session: string) {
    this.state = newState({ session, resumed: false });
    this.#ids = { next: () => (this.#lastId += 1) };
  }

  line(recorded: string): void {
    const [to, line] = [recorded.slice(0, 2), recorded.slice(2)];
    if (line === '[cut]') return;
    if (to === '> ') this.#host(parseLine(line) ?? {});
    else this.#claude(line);
  }

  notices(code: string): unknown[] {
    return this.signals.filter((signal) => signal.kind === 'notice' && signal.code === code);
  }

  #host(message: Line): void {
    const content = recordOf(message['message']);
    if (message['type'] === 'user' && content['role'] === 'user') {
      this.#prompts += 1;
      const uuid = message['uuid'];
      const known = typeof uuid === 'string' && /^[0-9a-f-]{36}$/.test(uuid);
      // A host that mints no uuid is not told whose result it is.
      if (!known) this.state = { ...this.state, names: false };
      const hex = known ? uuid.replaceAll('-', '') : String(this.#prompts).padStart(32, '0');
      this.#accept({ kind: 'prompt', turn: `trn_${hex}` });
    }
    if (recordOf(message['request'])['subtype'] === 'interrupt') {
      this.#accept({ kind: 'interrupt' });
      this.#interrupts.set(message['request_id'], interruptId(this.#lastId));
    }
    if (message['type'] === 'control_response') this.#answer(recordOf(message['response']));
  }

  #answer(response: Line): void {
    const allowed = recordOf(response['response'])['behavior'] === 'allow';
    const request = String(response['request_id']);
    this.#accept({ kind: 'answer', request, answer: { decision: allowed ? 'allow' : 'deny' } });
  }

  #accept(command: AgentCommand): void {
    this.#take(claude.accept(this.state, command, this.#ids));
  }

  #claude(line: string): void {
    const message = parseLine(line) ?? {};
    const response = recordOf(message['response']);
    const ours = this.#interrupts.get(response['request_id']);
    const fed =
      ours === undefined ? line : JSON.stringify({ ...message, response: { ...response, request_id: ours } });
    const step = claude.translate(this.state, fed, this.#ids);
    this.#take(step);
    const ended = step.signals.filter((signal) => signal.kind === 'ended');
    this.outcomes.push(...ended.map((signal) => signal.outcome.kind));
    if (message['state'] === 'cancelled') this.expected.push(...ended.map(() => 'interrupted'));
    if (message['type'] !== 'result') return;
    this.expected.push(expectedOf(message));
    for (const open of this.#open) this.faults.push(`${open} stays open behind an ending`);
  }

  #take(step: Step<ClaudeState>): void {
    this.state = step.state;
    const text = JSON.stringify(step.state);
    if (!isDeepStrictEqual(claude.revive(JSON.parse(text)), step.state)) this.faults.push('not revived');
    if (Buffer.byteLength(text) >= 65_536) this.faults.push('the state is too large');
    this.signals.push(...step.signals);
    for (const signal of step.signals) this.#balance(signal);
  }

  /** Messages that have begun and not ended. */
  #balance(signal: AgentSignal): void {
    if (signal.kind === 'text') this.#open.add(signal.block);
    if (signal.kind === 'text-done' || signal.kind === 'text-void') this.#open.delete(signal.block);
  }
}

function expectedOf(result: Line): string {
  const reason = String(result['terminal_reason']);
  if (reason.startsWith('aborted')) return 'interrupted';
  return result['is_error'] === true && reason !== 'max_turns' ? 'failed' : 'completed';
}

function replayOf(name: string): Replay {
  const lines = readFileSync(new URL(name, FOLDER), 'utf8')
    .split('\n')
    .filter((line) => line !== '');
  const replay = new Replay(sessionOf(lines));
  for (const line of lines) replay.line(line);
  return replay;
}

function sessionOf(lines: readonly string[]): string {
  for (const line of lines) {
    const message = line.startsWith('< ') ? parseLine(line.slice(2)) : undefined;
    if (isRecord(message) && typeof message['session_id'] === 'string') return message['session_id'];
  }
  return 'unknown';
}
