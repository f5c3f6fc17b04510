import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { C1, C2, NEXT, start, THREAD, TURN } from '../../../test/support/driven-codex.ts';
describe('what is not known', () => {
  test('is a notice with a bounded piece of it', () => {
    const codex = start().said('thread/novelty', { text: 'x'.repeat(10_000) });
    expect(codex.signals).toMatchObject([{ kind: 'notice', code: 'unknown_message' }]);
    expect(JSON.stringify(codex.signals).length).toBeLessThan(4_000);
  });

  test.each(['not json', '42', '[]', '"x"', 'null'])('%s is no line', (line) => {
    expect(start().raw(line).signals).toMatchObject([{ kind: 'notice', code: 'not_json' }]);
  });

  test('a known method that lost its parameters breaks nothing', () => {
    const codex = start().running();
    for (const method of [
      'turn/completed',
      'turn/started',
      'error',
      'thread/tokenUsage/updated',
      'warning',
      'item/started',
      'item/completed',
      'item/agentMessage/delta',
      'thread/started',
      'serverRequest/resolved',
    ])
      for (const params of [
        undefined,
        null,
        {},
        [],
        { threadId: THREAD },
        { threadId: THREAD, turnId: C1, item: {} },
      ])
        codex.line({ method, params });
    expect(codex.state.turns).toHaveLength(1);
  });

  test('answers to nothing are dropped', () => {
    expect(start().line({ id: 77, result: {} }).line({ id: 'x', error: {} }).line({}).signals).toEqual([]);
  });

  test('warnings of the process, once for a limit that is reached', () => {
    const codex = start();
    const limits = { rateLimits: { rateLimitReachedType: 'primary' } };
    codex.line({ method: 'account/rateLimits/updated', params: limits });
    codex.line({ method: 'account/rateLimits/updated', params: limits });
    codex.said('mcpServer/startupStatus/updated', { name: 'a', status: 'failed', error: 'gone' });
    codex.said('mcpServer/startupStatus/updated', { name: 'a', status: 'ready', error: null });
    codex.line({ method: 'deprecationNotice', params: { summary: 'old' } });
    codex.line({ method: 'configWarning', params: { summary: 'odd', details: 'very' } });
    codex.said('warning', { message: 'careful' });
    const codes = codex.signals.map((signal) => (signal.kind === 'notice' ? signal.code : signal.kind));
    expect(codes).toEqual([
      'rate_limit',
      'mcp_failed',
      'agent_deprecation',
      'config_warning',
      'agent_warning',
    ]);
  });
});

test('the state stays under 64 KiB whatever comes', () => {
  const codex = start();
  const long = '\u{1f980}漢"\\'.repeat(4_000);
  for (const turn of [TURN, NEXT]) codex.prompt(turn);
  codex.started(C1).started(C2);
  for (const turnId of [C1, C2])
    for (let n = 0; n < 60; n += 1) {
      const id = `${n}${long}`;
      const changes = [{ path: long, kind: { type: 'update' }, diff: long }];
      codex.item('started', { type: 'fileChange', id, changes }, turnId);
      codex.delta(id, long, turnId).delta(`raw${id}`, long, turnId);
      codex.said('item/reasoning/textDelta', { turnId, itemId: id, delta: long });
      codex.said('error', { turnId, willRetry: false, error: { message: long, codexErrorInfo: long } });
      codex.item('started', { type: 'subAgentActivity', id, agentThreadId: `${n}-thread` }, turnId);
      const permissions = { network: { enabled: true }, fileSystem: { read: [long.slice(0, 1_500)] } };
      codex.line({
        id: n,
        method: 'item/permissions/requestApproval',
        params: { threadId: THREAD, turnId, itemId: id, permissions },
      });
      const questions = [{ id: `${n}`, question: long }];
      codex.line({
        id: `q${n}`,
        method: 'item/tool/requestUserInput',
        params: { threadId: THREAD, turnId, itemId: id, questions },
      });
      codex.completed('completed', { items: [{ type: 'agentMessage', id, text: long }] }, `early${n}`);
      codex.said('model/rerouted', { turnId, fromModel: 'a', toModel: long, reason: 'x' });
    }
  expect(Buffer.byteLength(JSON.stringify(codex.state))).toBeLessThan(65_536);
});

test('every notification that this Codex can send is known', () => {
  const list = new URL('../../../test/golden/codex/notifications.list', import.meta.url);
  const methods = readFileSync(list, 'utf8').trim().split('\n');
  expect(methods.length).toBeGreaterThan(80);
  const unknown = methods.filter((method) =>
    start()
      .said(method)
      .signals.some((signal) => signal.kind === 'notice' && signal.message.includes('does not know')),
  );
  expect(unknown).toEqual([]);
});
