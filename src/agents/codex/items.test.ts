import { describe, expect, test } from 'vitest';
import { C1, C2, NEXT, start, TURN } from '../../../test/support/driven-codex.ts';
describe('items', () => {
  test('what is open at the end is closed before it', () => {
    const codex = start().running().delta('m', 'half');
    codex.item('started', { type: 'commandExecution', id: 'c', command: 'sleep 9', cwd: '/w' });
    codex.forget().completed('interrupted');
    expect(codex.signals).toMatchObject([
      { kind: 'text-void', block: 'b1', reason: 'interrupted' },
      { kind: 'tool-done', id: 'c', status: 'cancelled' },
      { kind: 'ended' },
    ]);
  });

  test('a message that the ending alone completes is not lost', () => {
    const items = [{ type: 'agentMessage', id: 'm', text: 'half and half' }];
    const codex = start().running().delta('m', 'half').completed('completed', { items });
    expect(codex.kinds).toEqual(['text', 'text-done', 'ended']);
  });

  test('names of blocks are never used twice, though the model repeats its ids', () => {
    const codex = start().running();
    for (const turn of [TURN, NEXT]) {
      codex.delta('m', 'x').item('completed', { type: 'agentMessage', id: 'm', text: 'x' }).completed();
      if (turn === TURN) codex.prompt(NEXT).answer({ result: { turn: { id: C2 } } });
    }
    codex.delta('m', 'y', C2);
    const blocks = codex.signals.flatMap((signal) => (signal.kind === 'text' ? [signal.block] : []));
    expect(new Set(blocks).size).toBe(blocks.length);
  });

  test('thoughts: parts of a summary and raw ones are apart', () => {
    const codex = start().running();
    const at = { turnId: C1, itemId: 'r' };
    codex.said('item/reasoning/summaryPartAdded', { ...at, summaryIndex: 0 });
    codex.said('item/reasoning/summaryTextDelta', { ...at, delta: 'one' });
    codex.said('item/reasoning/summaryPartAdded', { ...at, summaryIndex: 1 });
    codex.said('item/reasoning/summaryTextDelta', { ...at, delta: 'two' });
    codex.said('item/reasoning/textDelta', { ...at, delta: 'raw' });
    codex.item('completed', { type: 'reasoning', id: 'r', summary: ['one', 'two'], content: ['raw'] });
    expect(codex.signals).toEqual([
      { kind: 'reasoning', block: 'b1', text: 'one' },
      { kind: 'reasoning', block: 'b1', text: '\n\n' },
      { kind: 'reasoning', block: 'b1', text: 'two' },
      { kind: 'reasoning', block: 'b2', text: 'raw' },
      { kind: 'reasoning-done', block: 'b1', text: 'one\n\ntwo' },
      { kind: 'reasoning-done', block: 'b2', text: 'raw' },
    ]);
  });

  test.each([
    [
      {
        type: 'commandExecution',
        command: 'ls',
        cwd: '/w',
        status: 'completed',
        exitCode: 0,
        aggregatedOutput: 'a',
      },
      'shell',
      'execute',
      'ok',
      'a',
    ],
    [
      { type: 'commandExecution', command: 'ls', status: 'completed', exitCode: 2, aggregatedOutput: null },
      'shell',
      'execute',
      'error',
      '',
    ],
    [{ type: 'commandExecution', command: 'ls', status: 'declined' }, 'shell', 'execute', 'denied', ''],
    [
      { type: 'fileChange', changes: [{ path: 'a', kind: { type: 'add' }, diff: 'x' }], status: 'declined' },
      'apply_patch',
      'edit',
      'denied',
      '',
    ],
    [
      {
        type: 'mcpToolCall',
        server: 's',
        tool: 't',
        arguments: { a: 1 },
        status: 'completed',
        result: { content: [{ type: 'text', text: 'hi' }] },
      },
      'mcp__s__t',
      'mcp',
      'ok',
      'hi',
    ],
    [
      { type: 'mcpToolCall', server: 's', tool: 't', status: 'failed', error: { message: 'broke' } },
      'mcp__s__t',
      'mcp',
      'error',
      'broke',
    ],
    [
      { type: 'webSearch', query: 'q', action: { type: 'open_page', url: 'u' } },
      'web_search',
      'fetch',
      'ok',
      'u',
    ],
    [{ type: 'webSearch', query: 'q', action: null }, 'web_search', 'search', 'ok', 'q'],
    [{ type: 'imageView', path: '/p' }, 'view_image', 'other', 'ok', ''],
    [{ type: 'dynamicToolCall', tool: 'd', status: 'failed' }, 'd', 'other', 'error', ''],
  ])('%j', (...row) => {
    const [item, name, tool, status, output] = row;
    const codex = start()
      .running()
      .item('started', { id: 'i', ...item })
      .item('completed', { id: 'i', ...item });
    expect(codex.signals).toMatchObject([
      { kind: 'tool', id: 'i', name, tool },
      { kind: 'tool-done', id: 'i', status, output },
    ]);
    // A completion alone says both.
    expect(
      start()
        .running()
        .item('completed', { id: 'i', ...item }).kinds,
    ).toEqual(['tool', 'tool-done']);
  });

  test('output comes bit by bit, of open tools only', () => {
    const codex = start().running();
    codex.said('item/commandExecution/outputDelta', { turnId: C1, itemId: 'c', delta: 'x' });
    expect(codex.signals).toEqual([]);
    codex.item('started', { type: 'commandExecution', id: 'c', command: 'ls' });
    codex.said('item/commandExecution/outputDelta', { turnId: C1, itemId: 'c', delta: 'x' });
    expect(codex.signals.at(-1)).toEqual({ kind: 'tool-output', id: 'c', text: 'x' });
  });

  test('plans, and the plan of plan mode that is taken out of the message', () => {
    const codex = start().running();
    codex.said('turn/plan/updated', { turnId: C1, plan: [{ step: 'a', status: 'inProgress' }] });
    codex.item('completed', { type: 'plan', id: 'p', text: '# Plan' });
    expect(codex.signals).toEqual([
      { kind: 'plan', entries: [{ text: 'a', status: 'inProgress' }] },
      { kind: 'plan', entries: [{ text: '# Plan', status: 'proposed' }] },
      { kind: 'text-done', block: 'b1', text: '# Plan' },
    ]);
  });

  test('compaction', () => {
    const codex = start().running().item('completed', { type: 'contextCompaction', id: 'x' });
    expect(codex.signals).toEqual([{ kind: 'compacted', trigger: 'auto' }]);
  });
});

describe('tokens', () => {
  const usage = (total: number, last: number, turnId = C1): object => {
    const of = (n: number): object => ({
      totalTokens: n,
      inputTokens: n,
      cachedInputTokens: 1,
      outputTokens: 0,
    });
    return { turnId, tokenUsage: { total: of(total), last: of(last), modelContextWindow: 1000 } };
  };

  test('a report of an ended turn after a resume only tells where the conversation stands', () => {
    const codex = start().said('thread/tokenUsage/updated', usage(500, 20, C2));
    expect(codex.signals).toEqual([]);
    codex.running().said('thread/tokenUsage/updated', usage(530, 30)).completed();
    expect(codex.signals[0]).toMatchObject({
      kind: 'usage',
      usage: { totalTokens: 530, contextWindow: 1000 },
    });
    expect(codex.ended()[0]?.costs).toMatchObject({ usage: { totalTokens: 30 }, agentTurns: 1 });
  });

  test('without one the first request tells it', () => {
    const codex = start().running().said('thread/tokenUsage/updated', usage(530, 30));
    codex.said('thread/tokenUsage/updated', usage(570, 40)).completed();
    expect(codex.ended()[0]?.costs).toMatchObject({
      usage: { totalTokens: 70 },
      agentTurns: 2,
      model: 'gpt-5.5',
    });
  });

  test('a report repeated is no request more', () => {
    const codex = start().running();
    for (let i = 0; i < 3; i += 1) codex.said('thread/tokenUsage/updated', usage(30, 30));
    expect(codex.completed().ended()[0]?.costs).toMatchObject({ usage: { totalTokens: 30 }, agentTurns: 1 });
  });
});
