/** Requests of Claude, and ours. */
import { describe, expect, test } from 'vitest';
import { type DrivenClaude, NEXT, start, TURN } from '../../../test/support/driven-claude.ts';
import { uuidOf } from '../../protocol/index.ts';

const answers = (response: object, to = 'r1'): object[] => [
  { type: 'control_response', response: { subtype: 'success', request_id: to, response } },
];

describe('a tool that needs a permission', () => {
  test('is asked for; allowed with its own input', () => {
    const suggestions = [
      { type: 'setMode', mode: 'acceptEdits', destination: 'session' },
      { type: 'addRules', rules: [{ toolName: 'Bash', ruleContent: 'ls' }], destination: 'session' },
    ];
    const claude = start()
      .running()
      .ask('r1', { permission_suggestions: suggestions, decision_reason: 'why' });
    expect(claude.signals).toEqual([
      {
        kind: 'ask',
        ask: {
          request: 'r1',
          kind: 'tool',
          tool: { id: 't1', name: 'Bash', kind: 'execute', input: { command: 'ls' } },
          reason: 'why',
          editable: true,
        },
      },
    ]);
    claude.accept({ kind: 'answer', request: 'r1', answer: { decision: 'allow' } });
    expect(claude.lines()).toEqual(answers({ behavior: 'allow', updatedInput: { command: 'ls' } }));
  });

  test('allowed with an input that a person edited', () => {
    const claude = start().running().ask('r1');
    const input = { command: 'ls -l' };
    claude.accept({ kind: 'answer', request: 'r1', answer: { decision: 'allow', input } });
    expect(claude.lines()).toEqual(answers({ behavior: 'allow', updatedInput: input }));
  });

  test('denied: the words reach the model, and what the tool returns is a denial', () => {
    const claude = start().running().ask('r1');
    claude.accept({ kind: 'answer', request: 'r1', answer: { decision: 'deny', message: 'not now' } });
    expect(claude.lines()).toEqual(answers({ behavior: 'deny', message: 'not now' }));
    expect(claude.returned('t1', 'not now', true).of('tool-done')[0]?.status).toBe('denied');
  });

  test('is answered once, and not after it was withdrawn', () => {
    const claude = start().running().ask('r1').ask('r2').forget();
    claude.line({ type: 'control_cancel_request', request_id: 'r1' });
    expect(claude.signals).toEqual([{ kind: 'ask-withdrawn', request: 'r1' }]);
    for (const request of ['r1', 'r2', 'r2', 'r3'])
      claude.accept({ kind: 'answer', request, answer: { decision: 'allow' } });
    expect(claude.writes).toHaveLength(1);
  });

  test('an input too long to keep is left as it is', () => {
    const claude = start()
      .running()
      .ask('r1', { input: { content: 'x'.repeat(10_000) } });
    claude.accept({ kind: 'answer', request: 'r1', answer: { decision: 'allow' } });
    expect(claude.lines()).toEqual(answers({ behavior: 'allow' }));
  });

  test('more than are kept are denied at once: every request is answered', () => {
    const claude = start().running();
    for (let n = 0; n < 40; n += 1) claude.ask(`r${String(n)}`, { input: { long: 'ü'.repeat(3_900) } });
    expect(claude.of('ask').length + claude.writes.length).toBe(40);
    expect(Buffer.byteLength(JSON.stringify(claude.state))).toBeLessThan(65_536);
  });
});

describe('a question', () => {
  const questions = [
    {
      question: 'Which color?',
      header: 'Color',
      options: [{ label: 'Red', description: 'r' }, { label: 'Blue' }],
      multiSelect: true,
    },
  ];

  test('is told as one, and answered in its input', () => {
    const claude = start().running().ask('r1', { tool_name: 'AskUserQuestion', input: { questions } });
    expect(claude.of('ask')[0]?.ask).toMatchObject({
      kind: 'question',
      questions: [
        {
          id: 'Which color?',
          text: 'Which color?',
          options: [{ label: 'Red', description: 'r' }, { label: 'Blue' }],
          multiple: true,
        },
      ],
    });
    claude.accept({
      kind: 'answer',
      request: 'r1',
      answer: { decision: 'allow', answers: { 'Which color?': ['Blue', 'Red'] } },
    });
    expect(claude.lines()).toEqual(
      answers({ behavior: 'allow', updatedInput: { questions, answers: { 'Which color?': 'Blue, Red' } } }),
    );
  });
});

describe('other requests', () => {
  test('a hook goes on, an unknown one is refused: none is left unanswered', () => {
    const claude = start().running();
    claude.line({ type: 'control_request', request_id: 'h1', request: { subtype: 'hook_callback' } });
    claude.line({ type: 'control_request', request_id: 'm1', request: { subtype: 'mcp_message' } });
    expect(claude.lines()).toEqual([
      ...answers({}, 'h1'),
      {
        type: 'control_response',
        response: {
          subtype: 'error',
          request_id: 'm1',
          error: 'mcp_message is not supported by this client',
        },
      },
    ]);
    expect(claude.notices()).toEqual(['request_refused']);
  });

  test('answers that Claude repeats are nothing', () => {
    const response = { subtype: 'success', request_id: 'r1', response: { behavior: 'allow' } };
    expect(start().running().line({ type: 'control_response', response }).signals).toEqual([]);
  });
});

describe('an interrupt', () => {
  test('is written in every phase of a turn and acknowledged by its id', () => {
    const claude = start().prompt().accept({ kind: 'interrupt' });
    const [, interrupt] = claude.lines();
    expect(interrupt).toMatchObject({ type: 'control_request', request: { subtype: 'interrupt' } });
    const id: unknown = Object(interrupt).request_id;
    claude.line({ type: 'control_response', response: { subtype: 'success', request_id: id } });
    expect(claude.kinds).toEqual(['interrupt-acknowledged']);
  });

  test('that came before its turn began is written again when it begins, and acknowledged then', () => {
    const claude = start().prompt().accept({ kind: 'interrupt' });
    const answered = (queued: readonly string[]): DrivenClaude => {
      const id: unknown = Object(claude.lines().at(-1)).request_id;
      const response = { still_queued: queued };
      return claude.line({
        type: 'control_response',
        response: { subtype: 'success', request_id: id, response },
      });
    };
    expect(answered([uuidOf(TURN)]).kinds).toEqual([]);
    claude.lifecycle('queued', NEXT).lifecycle('started', NEXT);
    expect(claude.lines()).toHaveLength(2);
    claude.lifecycle('started');
    expect(claude.lines()).toHaveLength(3);
    expect(answered([]).kinds).toContain('interrupt-acknowledged');
    claude.lifecycle('started');
    expect(claude.lines()).toHaveLength(3);
  });

  test('passes over a message that waits behind the turn that it is for', () => {
    const claude = start().running().prompt(NEXT).accept({ kind: 'interrupt' });
    const id: unknown = Object(claude.lines().at(-1)).request_id;
    const response = { still_queued: [uuidOf(NEXT)] };
    claude.line({ type: 'control_response', response: { subtype: 'success', request_id: id, response } });
    expect(claude.kinds).toContain('interrupt-acknowledged');
    expect(claude.forget().lifecycle('started', NEXT).writes).toEqual([]);
  });

  test('is written for a turn that nobody asked for', () => {
    expect(start().messageStart().accept({ kind: 'interrupt' }).writes).toHaveLength(1);
  });

  test('with nothing open is not written: no result would follow', () => {
    const claude = start().accept({ kind: 'interrupt' });
    expect(claude.writes).toEqual([]);
    expect(claude.kinds).toEqual(['interrupt-acknowledged']);
  });

  test('that is refused is acknowledged with a notice', () => {
    const claude = start().running().accept({ kind: 'interrupt' });
    const id: unknown = Object(claude.lines()[0]).request_id;
    claude.line({ type: 'control_response', response: { subtype: 'error', request_id: id, error: 'no' } });
    expect(claude.kinds).toEqual(['interrupt-acknowledged', 'notice']);
  });
});
