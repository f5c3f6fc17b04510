/**
 * The lines of Claude Code's stream-json output, in the shapes of 2.1.330 (2.1.197 where `old` is on).
 * Pure but for fresh uuids. Knows nothing of order.
 */
import { randomUUID } from 'node:crypto';

/** `session`: {id, old, model, cwd, mode}. Every line names its session and has a uuid of its own. */
export function linesOf(session) {
  const own = () => ({ session_id: session.id, uuid: randomUUID() });
  const system = (subtype, fields) => ({ type: 'system', subtype, ...fields, ...own() });
  const user = (content, fields) => ({
    type: 'user',
    message: { role: 'user', content },
    parent_tool_use_id: null,
    ...own(),
    timestamp: new Date().toISOString(),
    ...fields,
  });
  return {
    system,
    user,
    lifecycle: (uuid, state) => ({ type: 'command_lifecycle', command_uuid: uuid, state, ...own() }),
    init: () =>
      system('init', {
        cwd: session.cwd,
        tools: ['Task', 'AskUserQuestion', 'Bash', 'Edit', 'Read', 'Write'],
        mcp_servers: [],
        model: session.model,
        permissionMode: session.mode,
        slash_commands: ['clear', 'compact', 'context'],
        apiKeySource: 'none',
        claude_code_version: session.version,
        output_style: 'default',
        agents: ['general-purpose'],
        skills: [],
        plugins: [],
        fast_mode_state: 'off',
      }),
    event: (event, fields) => ({
      type: 'stream_event',
      event,
      parent_tool_use_id: null,
      ...own(),
      ...fields,
    }),
    assistant: (message, fields) => ({
      type: 'assistant',
      message: { ...message, stop_reason: null, stop_sequence: null, context_management: null },
      parent_tool_use_id: null,
      ...own(),
      timestamp: new Date().toISOString(),
      request_id: `req_${message.id}`,
      ...fields,
    }),
    toolResult: (id, content, isError, fields) =>
      user([{ tool_use_id: id, type: 'tool_result', content, is_error: isError }], fields),
    interrupted: (forTool) =>
      user([{ type: 'text', text: `[Request interrupted by user${forTool ? ' for tool use' : ''}]` }]),
  };
}

export const USAGE = { input_tokens: 10, cache_creation_input_tokens: 0, cache_read_input_tokens: 0 };
export const TOKENS_OUT = 12;
/** What one model request costs. */
export const COST_USD = 0.00028;

/** Keys in the order of 2.1.330: `type` is in the middle of a result line. */
export function resultLine(session, turn, ended) {
  const usage = { ...USAGE, input_tokens: 10 * turn.requests, output_tokens: TOKENS_OUT * turn.requests };
  const total = session.requests;
  const elapsed = Math.round(performance.now() - turn.startedAt);
  const { subtype, isError, terminal, text, ...rest } = ended;
  return {
    duration_api_ms: elapsed,
    stop_reason: rest.stopReason ?? null,
    session_id: session.id,
    total_cost_usd: COST_USD * total,
    usage: { ...usage, service_tier: 'standard' },
    modelUsage: {
      [session.model]: {
        inputTokens: 10 * total,
        outputTokens: TOKENS_OUT * total,
        cacheReadInputTokens: 0,
        cacheCreationInputTokens: 0,
        webSearchRequests: 0,
        costUSD: COST_USD * total,
        contextWindow: 200_000,
        maxOutputTokens: 32_000,
      },
    },
    permission_denials: turn.denials,
    terminal_reason: terminal,
    fast_mode_state: 'off',
    ...(turn.origin === undefined ? {} : { origin: turn.origin }),
    is_error: isError,
    num_turns: turn.requests + (subtype === 'success' ? 0 : 1),
    subtype,
    api_error_status: rest.status ?? null,
    ...(rest.errors === undefined ? {} : { errors: rest.errors }),
    ...(text === undefined ? {} : { result: text }),
    type: 'result',
    duration_ms: elapsed,
    uuid: randomUUID(),
    begun_message_ids: turn.messageIds,
    ...turn.names(),
    queued_turn_count: session.queue.length,
    result_index: session.results,
  };
}

/** What a result has at the least: its text, costs and terminal reason were seen to be absent. */
export function bareResult({ type, subtype, is_error, session_id, uuid, ...result }) {
  const { user_message_uuid: last, user_message_uuids: all } = result;
  const names = all === undefined ? {} : { user_message_uuid: last, user_message_uuids: all };
  return { type, subtype, is_error, session_id, uuid, ...names };
}

/** 2.1.197 had neither lifecycles nor the uuids of the messages that a result answers. */
export function spuriousResult(session, message) {
  return {
    type: 'result',
    subtype: 'error_during_execution',
    duration_ms: 0,
    duration_api_ms: 0,
    is_error: true,
    num_turns: 0,
    stop_reason: null,
    session_id: session.id,
    total_cost_usd: 0,
    usage: { ...USAGE, input_tokens: 0, output_tokens: 0 },
    modelUsage: {},
    permission_denials: [],
    uuid: randomUUID(),
    errors: [message],
  };
}
