/** What Claude is known to do to its hosts, one by one. */
import { describe, expect, test } from 'vitest';
import { uuidOf } from '../../protocol/index.ts';
import { NEXT, SESSION, start, TURN } from '../../../test/support/driven-claude.ts';

describe('the receipt', () => {
  test.each([
    ['a lifecycle', { type: 'command_lifecycle', command_uuid: uuidOf(TURN), state: 'queued' }],
    [
      'the echo',
      { type: 'user', isReplay: true, uuid: uuidOf(TURN), message: { role: 'user', content: 'hi' } },
    ],
    ['a status', { type: 'system', subtype: 'status', user_message_uuids: [uuidOf(TURN)] }],
    ['an event', { type: 'stream_event', event: { type: 'ping' }, user_message_uuid: uuidOf(TURN) }],
    ['the result', { type: 'result', is_error: false, user_message_uuids: [uuidOf(TURN)] }],
  ])('is %s that names the message', (_, line) => {
    const claude = start().prompt().line(line);
    expect(claude.of('receipt')).toEqual([{ kind: 'receipt', turn: TURN }]);
  });

  test('is given once', () => {
    const claude = start().prompt().lifecycle('queued').lifecycle('started').init();
    expect(claude.of('receipt')).toHaveLength(1);
  });

  test('is the first init in a version that names nothing', () => {
    expect(start().prompt().system('status').forget().init().kinds).toEqual(['receipt']);
  });

  test('is no late line of the turn before', () => {
    const claude = start().running().result().prompt(NEXT).forget();
    claude.lifecycle('completed', TURN).system('session_state_changed').init();
    expect(claude.kinds).toEqual([]);
    expect(claude.lifecycle('queued', NEXT).kinds).toEqual(['receipt']);
  });
});

describe('text', () => {
  test('deltas are a preview, the assistant line is the truth of the same block', () => {
    const claude = start().running().messageStart().delta('He').delta('llo').text('Hello!');
    expect(claude.signals).toEqual([
      { kind: 'text', block: 'b1', text: 'He' },
      { kind: 'text', block: 'b1', text: 'llo' },
      { kind: 'text-done', block: 'b1', text: 'Hello!' },
    ]);
  });

  test('a fallback sends it only whole', () => {
    expect(start().running().text('Hello').signals).toEqual([
      { kind: 'text-done', block: 'b1', text: 'Hello' },
    ]);
  });

  test('a retry says it again in another block: the first is void, with or without a word of the retry', () => {
    const claude = start().running().messageStart().delta('Hel').messageStart().delta('Hello').text('Hello');
    expect(claude.signals.map((signal) => [signal.kind, 'block' in signal ? signal.block : ''])).toEqual([
      ['text', 'b1'],
      ['text-void', 'b1'],
      ['text', 'b2'],
      ['text-done', 'b2'],
    ]);
    const told = start().running().messageStart().delta('Hel');
    told.system('api_retry', { attempt: 1, max_retries: 10, retry_delay_ms: 500.4, error_status: 529 });
    expect(told.kinds).toEqual(['text', 'text-void', 'notice']);
    expect(told.notices()).toEqual(['api_retry']);
  });

  test('what is open at the end of the turn is void before the ending', () => {
    const claude = start().running().messageStart().delta('Hel').result();
    expect(claude.kinds).toEqual(['text', 'text-void', 'ended']);
  });

  test('subagents speak in between, each in a block of its own', () => {
    const claude = start().running().messageStart().delta('main ').messageStart('t1');
    claude.delta('sub', { parent: 't1' }).delta('goes on').text('sub!', 't1').text('main goes on');
    expect(claude.signals).toEqual([
      { kind: 'text', block: 'b1', text: 'main ' },
      { kind: 'text', block: 'b2', text: 'sub', parent: 't1' },
      { kind: 'text', block: 'b1', text: 'goes on' },
      { kind: 'text-done', block: 'b2', text: 'sub!', parent: 't1' },
      { kind: 'text-done', block: 'b1', text: 'main goes on' },
    ]);
  });

  test('thoughts are reasoning', () => {
    const claude = start().running();
    claude.event({
      type: 'content_block_delta',
      index: 0,
      delta: { type: 'thinking_delta', thinking: 'hm' },
    });
    claude.assistant({ type: 'thinking', thinking: 'hmm', signature: 's' });
    expect(claude.signals).toEqual([
      { kind: 'reasoning', block: 'b1', text: 'hm' },
      { kind: 'reasoning-done', block: 'b1', text: 'hmm' },
    ]);
  });

  test('more speakers than are remembered: the state stays bounded, nothing stays open', () => {
    const claude = start().running();
    for (let n = 0; n < 100; n += 1) claude.delta('x', { parent: `t${String(n)}` });
    expect(JSON.stringify(claude.state).length).toBeLessThan(16_000);
    claude.result();
    expect(claude.of('text-void')).toHaveLength(100);
  });
});

describe('tools', () => {
  test('are told once: the CLI repeats ids', () => {
    const claude = start().running().tool('t1', 'Bash', { command: 'ls' }).tool('t1', 'Bash');
    expect(claude.signals).toEqual([
      { kind: 'tool', id: 't1', name: 'Bash', tool: 'execute', input: { command: 'ls' } },
    ]);
  });

  test.each([
    ['Read', 'read'],
    ['Edit', 'edit'],
    ['Write', 'edit'],
    ['MultiEdit', 'edit'],
    ['NotebookEdit', 'edit'],
    ['Bash', 'execute'],
    ['BashOutput', 'execute'],
    ['KillShell', 'execute'],
    ['Grep', 'search'],
    ['Glob', 'search'],
    ['WebFetch', 'fetch'],
    ['WebSearch', 'fetch'],
    ['mcp__lab__ping', 'mcp'],
    ['Task', 'other'],
  ])('%s is %s', (name, kind) => {
    expect(start().running().tool('t1', name).of('tool')[0]?.tool).toBe(kind);
  });

  test('return text or blocks, before the message that asked has stopped', () => {
    const claude = start().running().tool('t1', 'Read').returned('t1', 'words');
    claude.event({ type: 'message_stop' }).returned('t2', [{ type: 'text', text: 'a' }, { type: 'image' }]);
    expect(claude.of('tool-done')).toMatchObject([
      { id: 't1', status: 'ok', output: 'words' },
      { id: 't2', status: 'ok', output: 'a\n[image]' },
    ]);
  });

  test('fail, are denied, are cancelled', () => {
    const claude = start().running();
    claude.returned('t1', 'Exit code 1', true);
    claude.returned(
      't2',
      "Claude requested permissions to write to a, but you haven't granted it yet.",
      true,
    );
    claude.system('permission_denied', { tool_use_id: 't3', tool_name: 'Bash', message: 'no' });
    claude.returned('t3', 'no', true);
    claude
      .accept({ kind: 'interrupt' })
      .returned('t4', "The user doesn't want to proceed with this tool use.", true);
    expect(claude.of('tool-done').map(({ status }) => status)).toEqual([
      'error',
      'denied',
      'denied',
      'cancelled',
    ]);
  });

  test('TodoWrite is a plan too', () => {
    const todos = [{ content: 'one', status: 'in_progress', activeForm: 'doing one' }];
    const claude = start().running().tool('t1', 'TodoWrite', { todos });
    expect(claude.of('plan')).toEqual([{ kind: 'plan', entries: [{ text: 'one', status: 'in_progress' }] }]);
  });
});

describe('who else speaks', () => {
  test('output with nothing asked wakes; its result names no turn', () => {
    const claude = start().messageStart().delta('Done.').text('Done.');
    claude.bareResult({ origin: { kind: 'task-notification' } });
    expect(claude.kinds).toEqual(['woke', 'text', 'text-done', 'ended']);
    expect(claude.of('ended')[0]).not.toHaveProperty('turn');
  });

  test('what it puts out while a prompt waits in its queue is of a turn that nobody asked for', () => {
    const claude = start().running().result().prompt(NEXT).forget();
    claude.lifecycle('queued', NEXT).messageStart().delta('Done.').text('Done.');
    claude.bareResult({ origin: { kind: 'task-notification' } });
    expect(claude.kinds).toEqual(['receipt', 'woke', 'text', 'text-done', 'ended']);
    expect(claude.of('ended')[0]).not.toHaveProperty('turn');
    claude.forget().lifecycle('started', NEXT).messageStart().delta('Yes.').text('Yes.').result({}, NEXT);
    expect(claude.kinds).toEqual(['text', 'text-done', 'ended']);
    expect(claude.of('ended')).toMatchObject([{ turn: NEXT }]);
  });

  test('a prompt that it takes into what it does by itself ends with that', () => {
    const claude = start().running().result().prompt(NEXT).lifecycle('queued', NEXT).forget();
    claude.tool('t1', 'Bash').returned('t1', 'ok').lifecycle('started', NEXT).text('Both.').result({}, NEXT);
    expect(claude.kinds).toEqual(['woke', 'tool', 'tool-done', 'text-done', 'ended']);
    expect(claude.of('ended')).toMatchObject([{ turn: NEXT }]);
  });

  test('the end of a stream that was cut off wakes nobody', () => {
    const claude = start().running().result().forget();
    claude.event({ type: 'content_block_stop', index: 0 }).event({ type: 'message_stop' });
    expect(claude.kinds).toEqual([]);
  });

  test('background tasks are counted', () => {
    const claude = start().system('background_tasks_changed', { tasks: [{ task_id: 'a' }] });
    expect(claude.state.tasks).toBe(1);
    expect(claude.system('background_tasks_changed', { tasks: [] }).state.tasks).toBe(0);
  });

  test('the id of the conversation is followed', () => {
    const claude = start().running().init({ session_id: SESSION }).init({ session_id: 'another' });
    expect(claude.signals).toEqual([{ kind: 'agent-session', id: 'another' }]);
  });

  test('compaction is told', () => {
    const claude = start().running();
    claude.system('compact_boundary', { compact_metadata: { trigger: 'auto', pre_tokens: 26 } });
    expect(claude.signals).toEqual([{ kind: 'compacted', trigger: 'auto', preTokens: 26 }]);
  });
});

describe('what is not known', () => {
  test('is a notice with the line, bounded', () => {
    const claude = start().line({ type: 'brand_new', long: 'x'.repeat(10_000) });
    expect(claude.notices()).toEqual(['unknown_message']);
    expect(String(claude.of('notice')[0]?.raw)).toHaveLength(2_000);
    claude.forget().system('brand_new').event({ type: 'brand_new' }).assistant({ type: 'brand_new' });
    expect(claude.notices()).toEqual(['unknown_message', 'unknown_message', 'unknown_message']);
  });

  test.each(['npm warn deprecated', '{"type":"ass', '[1]', 'null', '"text"', '\ufffd'])(
    '%j is no line',
    (line) => {
      expect(start().raw(line).notices()).toEqual(['not_json']);
    },
  );

  test.each([
    {},
    { type: 'assistant' },
    { type: 'user', message: null },
    { type: 'stream_event' },
    { type: 'result' },
    { type: 'control_request' },
    { type: 'control_response' },
    { type: 'system', subtype: 'init' },
    { type: 'system', subtype: 'compact_boundary' },
    { type: 'error' },
  ])('%j breaks nothing', (line) => {
    const claude = start().running().line(line);
    expect(claude.state.v).toBe(1);
  });
});

test('a line that changes nothing gives the same state', async () => {
  const { translate } = await import('./translate.ts');
  const claude = start().running().messageStart().delta('a');
  const line = JSON.stringify({
    type: 'stream_event',
    event: { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'b' } },
    parent_tool_use_id: null,
  });
  const step = translate(claude.state, line, { next: () => 1 });
  expect(step.state).toBe(claude.state);
  expect(step.signals).toHaveLength(1);
});
