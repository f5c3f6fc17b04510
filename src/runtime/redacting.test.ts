import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Addressed } from '../agents/dialect.ts';
import { redactionOf } from '../redact/index.ts';
import { Redacting } from './redacting.ts';

const SECRET = 'sk-made-up-1234';
const redacting = (): Redacting => new Redacting(redactionOf([SECRET])!);
const text = (words: string, block = 'b1'): Addressed => ({ kind: 'text', block, text: words });
const ended: Addressed = { kind: 'ended', outcome: { kind: 'interrupted' }, costs: {} };
const said = (signals: readonly Addressed[]): string =>
  signals.map((signal) => (signal.kind === 'text' ? signal.text : '')).join('');

describe('streams', () => {
  test('any split of a text, flushed by the ending of the turn, is the masked text', () => {
    const piece = fc.oneof(fc.constantFrom('sk-', 's', SECRET, 'k-made', '-up-1234', ' '), fc.string());
    fc.assert(
      fc.property(fc.array(piece), (pieces) => {
        const one = redacting();
        const out = [...pieces.map((words) => text(words)), ended].flatMap((signal) => one.signals([signal]));
        expect(said(out)).toBe(redactionOf([SECRET])!.mask(pieces.join('')));
      }),
    );
  });

  test('streams do not mix: blocks, tools, conversations', () => {
    const one = redacting();
    const out = one.signals([
      text('sk-made'),
      text('-up-1234', 'b2'),
      { kind: 'tool-output', id: 'b1', text: '-up-1234' },
      { ...text('-up-1234'), to: 'other' },
      text('-up-1234'),
    ]);
    expect(out.map((signal) => ('text' in signal ? signal.text : ''))).toEqual([
      '-up-1234',
      '-up-1234',
      '-up-1234',
      '[masked]',
    ]);
  });

  test('the whole text comes: what is held back comes before it, so that the pieces are the whole', () => {
    const one = redacting();
    const done: Addressed = { kind: 'text-done', block: 'b1', text: `key ${SECRET} s` };
    const out = one.signals([text(`key ${SECRET} s`), done, ended]);
    expect(out).toEqual([text('key [masked] '), text('s'), { ...done, text: 'key [masked] s' }, ended]);
  });

  test('a secret that goes on in what was not streamed: nothing of it is said', () => {
    const one = redacting();
    const done: Addressed = { kind: 'text-done', block: 'b1', text: `key ${SECRET}` };
    expect(one.signals([text('key sk-made'), done])).toEqual([
      text('key '),
      { ...done, text: 'key [masked]' },
    ]);
  });

  test('a commit that fails puts back what was held', () => {
    const one = redacting();
    one.signals([text('sk-made')]);
    const undo = one.remember();
    expect(one.signals([text('!')])).toEqual([text('sk-made!')]);
    undo();
    expect(one.signals([text('-up-1234')])).toEqual([text('[masked]')]);
  });
});

test('every other word of an agent', () => {
  const one = redacting();
  const signals: Addressed[] = [
    {
      kind: 'tool',
      id: 't',
      name: 'Bash',
      tool: 'execute',
      input: { [SECRET]: [`echo ${SECRET}`, 1, null] },
    },
    { kind: 'tool-done', id: 't', status: 'ok', output: SECRET },
    { kind: 'reasoning-done', block: 'r', text: SECRET },
    { kind: 'plan', entries: [{ text: SECRET, status: 'pending' }] },
    { kind: 'compacted', trigger: 'auto', summary: SECRET },
    {
      kind: 'notice',
      level: 'info',
      code: 'c',
      message: SECRET,
      raw: { line: `{"x":"${SECRET.slice(0, -2)}` },
    },
    {
      kind: 'ask',
      ask: {
        request: 'r',
        kind: 'question',
        tool: { id: 't', name: 'Bash', kind: 'execute', input: { command: SECRET } },
        diff: SECRET,
        reason: SECRET,
        questions: [{ id: 'q', text: SECRET, options: [{ label: SECRET, description: SECRET }] }],
      },
    },
    { kind: 'ended', outcome: { kind: 'failed', code: 'agent_error', message: SECRET }, costs: {} },
    { kind: 'ended', outcome: { kind: 'completed', stopReason: 'end_turn', text: SECRET }, costs: {} },
  ];
  const masked = JSON.stringify(one.signals(signals));
  expect(masked).not.toContain('made-up');
  expect(masked.split('[masked]')).toHaveLength(17);
});

test('words about the process, and a tail that begins or ends inside a secret', () => {
  const one = redacting();
  const tail = `${SECRET.slice(3)}\n${'x'.repeat(8100)}\n${SECRET}\n${SECRET.slice(0, -2)}`;
  const input = one.input({
    kind: 'runtime-failed',
    runtime: 'rt',
    code: 'spawn_failed',
    message: `no ${SECRET}`,
    stderrTail: tail,
    retry: false,
  });
  expect(JSON.stringify(input)).not.toContain('made-up');
  expect(input.message).toBe('no [masked]');
});

test('what a runtime writes down of itself', () => {
  const one = redacting();
  expect(one.json({ asks: [{ input: JSON.stringify({ command: SECRET }) }], n: 1 })).toEqual({
    asks: [{ input: '{"command":"[masked]"}' }],
    n: 1,
  });
});
