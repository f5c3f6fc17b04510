/**
 * Tokens and money. Claude counts a turn's tokens, but money over the whole conversation, resumed ones included.
 * `inputTokens` holds the cached ones too, as with every agent. Knows nothing of turns. Pure.
 */
import type { Usage } from '../../protocol/index.ts';
import type { AgentCosts } from '../../session/ports.ts';
import { isRecord, numberOf, recordOf, type Line } from './messages.ts';
import { BOUNDS, type ClaudeState } from './state.ts';

/** What a result says its turn cost. */
export function costsOf(state: ClaudeState, line: Line): AgentCosts {
  const usage = usageOf(state, line);
  const costUsd = costOf(state, line);
  const agentTurns = numberOf(line['num_turns']);
  const model = state.model ?? mainModel(state, line)?.[0].slice(0, BOUNDS.id);
  return {
    ...(usage === undefined ? {} : { usage }),
    ...(costUsd === undefined ? {} : { costUsd }),
    ...(model === undefined ? {} : { model }),
    ...(agentTurns === undefined ? {} : { agentTurns }),
  };
}

/** The conversation's cost behind this result. */
export function totalCost(state: ClaudeState, line: Line): number | null {
  return numberOf(line['total_cost_usd']) ?? state.cost;
}

/**
 * 2.1.330 says what was used since the last result. Otherwise the difference of totals: not known for the first turn of a resumed
 * conversation (its total goes on from before), and a total that fell was reset.
 */
function costOf(state: ClaudeState, line: Line): number | undefined {
  const since = line['model_usage_since_last_result'];
  if (isRecord(since))
    return Object.values(since).reduce<number>(
      (sum, one) => sum + (numberOf(recordOf(one)['costUSD']) ?? 0),
      0,
    );
  const total = numberOf(line['total_cost_usd']);
  if (total === undefined || state.cost === null) return undefined;
  return total < state.cost ? total : total - state.cost;
}

function usageOf(state: ClaudeState, line: Line): Usage | undefined {
  const usage = line['usage'];
  if (!isRecord(usage)) return undefined;
  const window = numberOf(mainModel(state, line)?.[1]['contextWindow']);
  return counted(
    {
      input: numberOf(usage['input_tokens']) ?? 0,
      read: numberOf(usage['cache_read_input_tokens']) ?? 0,
      written: numberOf(usage['cache_creation_input_tokens']) ?? 0,
      output: numberOf(usage['output_tokens']) ?? 0,
    },
    window,
  );
}

/** Of the conversation so far, all models together; undefined where nothing was used. */
export function conversationUsage(state: ClaudeState, line: Line): Usage | undefined {
  const models = Object.values(recordOf(line['modelUsage'])).filter(isRecord);
  if (models.length === 0) return undefined;
  const sum = (field: string): number =>
    models.reduce((total, model) => total + (numberOf(model[field]) ?? 0), 0);
  return counted(
    {
      input: sum('inputTokens'),
      read: sum('cacheReadInputTokens'),
      written: sum('cacheCreationInputTokens'),
      output: sum('outputTokens'),
    },
    numberOf(mainModel(state, line)?.[1]['contextWindow']),
  );
}

interface Counts {
  readonly input: number;
  readonly read: number;
  readonly written: number;
  readonly output: number;
}

function counted({ input, read, written, output }: Counts, contextWindow: number | undefined): Usage {
  const inputTokens = input + read + written;
  return {
    inputTokens,
    outputTokens: output,
    cacheReadTokens: read,
    cacheWriteTokens: written,
    totalTokens: inputTokens + output,
    ...(contextWindow === undefined ? {} : { contextWindow }),
  };
}

function mainModel(state: ClaudeState, line: Line): readonly [string, Line] | undefined {
  const models = Object.entries(recordOf(line['modelUsage'])).filter((entry): entry is [string, Line] =>
    isRecord(entry[1]),
  );
  return models.find(([name]) => name === state.model) ?? (models.length === 1 ? models[0] : undefined);
}
