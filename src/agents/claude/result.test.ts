/** How a turn ends: judged by `is_error` and the terminal reason; bound to its message by uuid. */
import { describe, expect, test } from 'vitest';
import { uuidOf as uuid } from '../../protocol/index.ts';
import { NEXT, start, TURN } from '../../../test/support/driven-claude.ts';

describe('the judgement', () => {
  test('an API failure is a "success" with is_error', () => {
    const claude = start().running();
    claude.result({
      is_error: true,
      terminal_reason: 'api_error',
      api_error_status: 500,
      result: 'API Error: 500',
    });
    expect(claude.of('ended')[0]).toMatchObject({
      turn: TURN,
      outcome: { kind: 'failed', code: 'model_error', message: 'API Error: 500' },
    });
  });

  test.each([
    [{ api_error_status: 401, terminal_reason: 'api_error' }, 'auth_failed'],
    [{ api_error_status: 403, terminal_reason: 'api_error' }, 'auth_failed'],
    [{ api_error_status: 429, terminal_reason: 'api_error' }, 'rate_limited'],
    [{ api_error_status: 400, terminal_reason: 'prompt_too_long' }, 'context_exceeded'],
    [
      { api_error_status: 400, terminal_reason: 'api_error', result: 'Prompt is too long' },
      'context_exceeded',
    ],
    [{ api_error_status: 400, terminal_reason: 'api_error' }, 'model_error'],
    [{ api_error_status: 413, terminal_reason: 'image_error' }, 'model_error'],
    [{ api_error_status: null, terminal_reason: 'api_error' }, 'model_error'],
    [{ result: 'API Error: 529 overloaded', terminal_reason: null }, 'model_error'],
    [{ subtype: 'error_during_execution', terminal_reason: null, errors: ['boom'] }, 'agent_error'],
    [{ subtype: 'error_max_budget_usd', terminal_reason: null }, 'limit_reached'],
  ])('%j is %s', (fields, code) => {
    const claude = start()
      .running()
      .result({ is_error: true, ...fields });
    expect(claude.of('ended')[0]?.outcome).toMatchObject({ kind: 'failed', code });
  });

  test('the error that the CLI said names the failure, and is no message of the agent', () => {
    const claude = start().running();
    const message = { model: '<synthetic>', content: [{ type: 'text', text: 'Failed to authenticate' }] };
    claude.line({ type: 'assistant', message, error: 'authentication_failed', is_api_error_message: true });
    claude.result({ is_error: true, terminal_reason: null });
    expect(claude.kinds).toEqual(['ended']);
    expect(claude.of('ended')[0]?.outcome).toEqual({
      kind: 'failed',
      code: 'auth_failed',
      message: 'Failed to authenticate',
    });
  });

  test.each([
    [{ subtype: 'error_during_execution', is_error: true, terminal_reason: 'aborted_streaming' }],
    [{ subtype: 'error_during_execution', is_error: true, terminal_reason: 'aborted_tools' }],
    [{ subtype: 'success', is_error: false, terminal_reason: 'aborted_streaming', result: 'half' }],
  ])('%j is an interrupt', (fields) => {
    expect(start().running().result(fields).of('ended')[0]?.outcome).toEqual({ kind: 'interrupted' });
  });

  test('an error without a reason behind an interrupt of ours is that interrupt', () => {
    const claude = start().running().accept({ kind: 'interrupt' });
    claude.result({ subtype: 'error_during_execution', is_error: true, terminal_reason: null });
    expect(claude.of('ended')[0]?.outcome).toEqual({ kind: 'interrupted' });
  });

  test('the most turns is a completion', () => {
    const fields = { subtype: 'error_max_turns', is_error: true, terminal_reason: 'max_turns' };
    expect(start().running().result(fields).of('ended')[0]?.outcome).toEqual({
      kind: 'completed',
      stopReason: 'max_turns',
    });
  });

  test('the text of a local command comes with its ending; a text that was said does not come again', () => {
    const local = start().running().result({ result: 'Context: 2k', terminal_reason: null });
    expect(local.of('ended')[0]?.outcome).toMatchObject({ kind: 'completed', text: 'Context: 2k' });
    const said = start().running().text('hi').result({ result: 'hi' });
    expect(said.of('ended')[0]?.outcome).not.toHaveProperty('text');
  });

  test('a line of type error fails the turn', () => {
    const claude = start()
      .running()
      .line({ type: 'error', error: { type: 'overloaded', message: 'no' } });
    expect(claude.of('ended')).toMatchObject([{ turn: TURN, outcome: { kind: 'failed', message: 'no' } }]);
  });
});

describe('whose it is', () => {
  test('a second, spurious result is a notice, also when the next prompt is written', () => {
    const spurious = {
      subtype: 'error_during_execution',
      is_error: true,
      terminal_reason: null,
      num_turns: 0,
    };
    const claude = start().running().result().forget().bareResult(spurious);
    expect(claude.notices()).toEqual(['lone_result']);
    claude.forget().prompt(NEXT).bareResult(spurious);
    expect(claude.kinds).toEqual(['notice']);
    expect(claude.lifecycle('queued', NEXT).result({}, NEXT).of('ended')[0]?.turn).toBe(NEXT);
  });

  test('the result of a background task does not end the open turn', () => {
    const claude = start()
      .prompt()
      .bareResult({ origin: { kind: 'task-notification' } });
    expect(claude.kinds).toEqual(['notice']);
    expect(claude.lifecycle('queued').result().of('ended')).toHaveLength(1);
  });

  test('messages that were taken into one turn have one result', () => {
    const claude = start().running().prompt(NEXT).lifecycle('queued', NEXT).forget();
    claude.result({ user_message_uuids: [TURN, NEXT].map((turn) => uuid(turn)) });
    expect(claude.of('ended').map(({ turn }) => turn)).toEqual([TURN]);
    expect(claude.state.turns).toEqual([]);
  });

  test('a message that was swallowed does not stay for ever', () => {
    const claude = start().running().lifecycle('completed').running(NEXT).result({}, NEXT);
    expect(claude.of('ended').map(({ turn }) => turn)).toEqual([NEXT]);
    expect(claude.state.turns).toEqual([]);
  });

  test('one that waited and was dropped is interrupted', () => {
    const claude = start()
      .running()
      .prompt(NEXT)
      .lifecycle('queued', NEXT)
      .forget()
      .lifecycle('cancelled', NEXT);
    expect(claude.of('ended')).toEqual([
      { kind: 'ended', turn: NEXT, outcome: { kind: 'interrupted' }, costs: {} },
    ]);
    expect(claude.lifecycle('cancelled', NEXT).of('ended')).toHaveLength(1);
  });

  test('a version that names nothing: the oldest that was taken in', () => {
    const claude = start().prompt().init().text('hi').bareResult();
    expect(claude.of('ended').map(({ turn }) => turn)).toEqual([TURN]);
  });
});

describe('the price', () => {
  const usage = {
    input_tokens: 10,
    cache_creation_input_tokens: 200,
    cache_read_input_tokens: 3_000,
    output_tokens: 40,
  };

  test('tokens of the turn, cached ones included', () => {
    const modelUsage = { 'claude-opus-5-5': { inputTokens: 1, contextWindow: 1_000_000 } };
    const claude = start().running().result({ usage, modelUsage, num_turns: 3 });
    expect(claude.of('ended')[0]?.costs).toEqual({
      usage: {
        inputTokens: 3_210,
        outputTokens: 40,
        cacheReadTokens: 3_000,
        cacheWriteTokens: 200,
        totalTokens: 3_250,
        contextWindow: 1_000_000,
      },
      model: 'claude-opus-5-5',
      agentTurns: 3,
    });
  });

  test('money is the difference of totals; a total that fell was reset', () => {
    const claude = start();
    const costs = [0.5, 0.75, 0.1].map((total, at) => {
      const turn = `${TURN.slice(0, -1)}${String(at)}`;
      return claude.running(turn).result({ total_cost_usd: total }, turn).of('ended')[0]?.costs.costUsd;
    });
    expect(costs).toEqual([0.5, 0.25, 0.1]);
  });

  test('a newer version says it itself', () => {
    const since = { a: { costUSD: 0.25 }, b: { costUSD: 0.5 } };
    const claude = start().running().result({ total_cost_usd: 9, model_usage_since_last_result: since });
    expect(claude.of('ended')[0]?.costs.costUsd).toBe(0.75);
  });

  test('of a resumed conversation the first turn is not known from a total', () => {
    const claude = start();
    claude.state = { ...claude.state, cost: null };
    claude.running().result({ total_cost_usd: 9 });
    expect(claude.of('ended')[0]?.costs).not.toHaveProperty('costUsd');
    claude.running(NEXT).result({ total_cost_usd: 9.5 }, NEXT);
    expect(claude.of('ended')[0]?.costs.costUsd).toBe(0.5);
  });
});
