/**
 * Tokens: of the conversation so far, and of one turn as the difference between its end and its beginning.
 * The difference of totals is used, not the sum of `last`: compaction reports `last` again, and as an estimate of the new context.
 * As Codex counts, `inputTokens` holds the cached ones too. Knows nothing of lines. Pure.
 */
import type { Usage } from '../../protocol/index.ts';
import type { AgentCosts } from '../../session/ports.ts';
import type { Breakdown } from './messages.ts';
import type { CodexState, CodexTurn, Tokens } from './state.ts';

export function tokensOf(given: Breakdown): Tokens {
  return {
    total: given.totalTokens,
    input: given.inputTokens,
    cached: given.cachedInputTokens,
    cacheWrite: given.cacheWriteInputTokens,
    output: given.outputTokens,
  };
}

/** a − b, never below zero: a total that was reset must not make a turn's price negative. */
export function minus(a: Tokens, b: Tokens): Tokens {
  const less = (x: number, y: number): number => Math.max(0, x - y);
  return {
    total: less(a.total, b.total),
    input: less(a.input, b.input),
    cached: less(a.cached, b.cached),
    cacheWrite: less(a.cacheWrite, b.cacheWrite),
    output: less(a.output, b.output),
  };
}

export function usageOf(tokens: Tokens, contextWindow?: number | null): Usage {
  return {
    inputTokens: tokens.input,
    outputTokens: tokens.output,
    cacheReadTokens: tokens.cached,
    cacheWriteTokens: tokens.cacheWrite,
    totalTokens: tokens.total,
    ...(contextWindow === undefined || contextWindow === null ? {} : { contextWindow }),
  };
}

export function costsOf(state: CodexState, turn: CodexTurn): AgentCosts {
  const used =
    state.total === null || turn.base === null ? {} : { usage: usageOf(minus(state.total, turn.base)) };
  return {
    ...used,
    ...(state.model === null ? {} : { model: state.model }),
    ...(turn.requests === 0 ? {} : { agentTurns: turn.requests }),
  };
}
