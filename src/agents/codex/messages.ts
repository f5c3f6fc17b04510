/**
 * The shapes of what Codex sends, loose and only as far as they are used: a field that is missing or new never breaks a line.
 * Lines that come by the thousand (deltas) are read by hand in `deltas.ts`, not here.
 */
import { z } from 'zod';

const text = z.string().catch('');
const optionalText = z.string().nullish().catch(undefined);
const optionalNumber = z.number().nullish().catch(undefined);

/** One line: a request, a notification or a response, told apart by `method` and `id` alone (the server's ids collide with ours). */
export interface Envelope {
  readonly id?: string | number;
  readonly method?: string;
  readonly params?: unknown;
  readonly result?: unknown;
  readonly error?: unknown;
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A line as an envelope; undefined when it is not a JSON object. */
export function envelopeOf(line: string): Envelope | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (!isRecord(value)) return undefined;
  const { id, method, params, result, error } = value;
  return {
    ...(typeof id === 'string' || typeof id === 'number' ? { id } : {}),
    ...(typeof method === 'string' ? { method } : {}),
    params,
    result,
    error,
  };
}

export const RpcError = z.looseObject({
  code: z.number().catch(0),
  message: text,
  data: z
    .looseObject({ input_error_code: optionalText, max_chars: optionalNumber })
    .nullish()
    .catch(undefined),
});
export type RpcError = z.infer<typeof RpcError>;

// The handshake.

export const Initialized = z.looseObject({ userAgent: optionalText });

const Provider = z.looseObject({ stream_idle_timeout_ms: optionalNumber });
export const ConfigView = z.looseObject({
  model_provider: optionalText,
  sandbox_workspace_write: z.unknown().optional(),
  model_providers: z.record(z.string(), Provider).nullish().catch(undefined),
});
export type ConfigView = z.infer<typeof ConfigView>;
export const ConfigRead = z.looseObject({ config: ConfigView });

export const ThreadOpened = z.looseObject({
  thread: z.looseObject({ id: z.string().min(1) }),
  model: optionalText,
  reasoningEffort: optionalText,
});

// Turns.

const TurnError = z.looseObject({
  message: text,
  codexErrorInfo: z.unknown().optional(),
  additionalDetails: optionalText,
});
export type TurnError = z.infer<typeof TurnError>;

export const Turn = z.looseObject({
  id: z.string().min(1),
  status: text,
  error: TurnError.nullish().catch(undefined),
  items: z.array(z.looseObject({ type: text, id: text, text: optionalText })).catch([]),
});
export type Turn = z.infer<typeof Turn>;
export const TurnNotice = z.looseObject({ turn: Turn });
export const TurnAnswer = z.looseObject({ turn: z.looseObject({ id: z.string().min(1) }) });
export const ErrorNotice = z.looseObject({ error: TurnError, willRetry: z.boolean().catch(false) });

const Breakdown = z.looseObject({
  totalTokens: z.number(),
  inputTokens: z.number(),
  cachedInputTokens: z.number().catch(0),
  cacheWriteInputTokens: z.number().catch(0),
  outputTokens: z.number(),
});
export type Breakdown = z.infer<typeof Breakdown>;
export const TokenUsage = z.looseObject({
  tokenUsage: z.looseObject({ total: Breakdown, last: Breakdown, modelContextWindow: optionalNumber }),
});

export const PlanNotice = z.looseObject({
  plan: z.array(z.looseObject({ step: text, status: text })).catch([]),
});

// Items.

/** An item of any type; its other fields are read by the schema of its type. */
export interface Item {
  readonly [field: string]: unknown;
  readonly type: string;
  readonly id: string;
}

export const UserMessage = z.looseObject({ clientId: optionalText });
export const AgentMessage = z.looseObject({ text });
export const Reasoning = z.looseObject({
  summary: z.array(z.string()).catch([]),
  content: z.array(z.string()).catch([]),
});
export const CommandExecution = z.looseObject({
  command: text,
  cwd: optionalText,
  status: text,
  aggregatedOutput: optionalText,
  exitCode: optionalNumber,
});
const Change = z.looseObject({ path: text, kind: z.unknown().optional(), diff: text });
export const FileChange = z.looseObject({ changes: z.array(Change).catch([]), status: text });
export const McpToolCall = z.looseObject({
  server: text,
  tool: text,
  arguments: z.unknown().optional(),
  status: text,
  result: z
    .looseObject({ content: z.array(z.unknown()).catch([]) })
    .nullish()
    .catch(undefined),
  error: z.looseObject({ message: text }).nullish().catch(undefined),
});
export const DynamicToolCall = z.looseObject({
  tool: text,
  arguments: z.unknown().optional(),
  status: text,
  contentItems: z.array(z.unknown()).nullish().catch(undefined),
});
export const WebSearch = z.looseObject({
  query: text,
  action: z.looseObject({ type: text, url: optionalText }).nullish().catch(undefined),
});
export const CollabCall = z.looseObject({
  tool: text,
  status: text,
  prompt: optionalText,
  model: optionalText,
  receiverThreadIds: z.array(z.string()).catch([]),
});
export const SubAgentActivity = z.looseObject({ agentThreadId: z.string() });
export const ImageView = z.looseObject({ path: text });
export const ImageGeneration = z.looseObject({
  status: text,
  revisedPrompt: optionalText,
  savedPath: optionalText,
});
export const Sleep = z.looseObject({ durationMs: optionalNumber });

// The rest of the notifications.

export const ThreadStarted = z.looseObject({
  thread: z.looseObject({ id: z.string().min(1), parentThreadId: optionalText }),
});
export const RateLimits = z.looseObject({
  rateLimits: z.looseObject({ rateLimitReachedType: z.unknown().optional() }),
});
export const McpStatus = z.looseObject({ name: text, status: text, error: optionalText });
export const Warning = z.looseObject({ message: text });
export const Summary = z.looseObject({ summary: text, details: optionalText });
export const Rerouted = z.looseObject({
  fromModel: text,
  toModel: z.string().min(1),
  reason: z.unknown().optional(),
});
export const SettingsUpdated = z.looseObject({
  threadSettings: z.looseObject({ model: optionalText, effort: optionalText }),
});
export const Resolved = z.looseObject({ requestId: z.union([z.string(), z.number()]) });

// Requests of the server.

const asked = { turnId: optionalText, itemId: text, reason: optionalText };
export const CommandApproval = z.looseObject({
  ...asked,
  command: optionalText,
  cwd: optionalText,
  networkApprovalContext: z.json().nullish().catch(undefined),
  proposedExecpolicyAmendment: z.array(z.string()).nullish().catch(undefined),
  proposedNetworkPolicyAmendments: z.array(z.json()).nullish().catch(undefined),
});
export const FileApproval = z.looseObject({ ...asked, grantRoot: optionalText });
export const PermissionsApproval = z.looseObject({
  ...asked,
  permissions: z.looseObject({
    network: z.json().nullish().catch(undefined),
    fileSystem: z.json().nullish().catch(undefined),
  }),
});
const Option = z.looseObject({ label: text, description: optionalText });
export const UserInput = z.looseObject({
  ...asked,
  questions: z.array(
    z.looseObject({
      id: z.string(),
      question: text,
      isSecret: z.boolean().catch(false),
      options: z.array(Option).nullish().catch(undefined),
    }),
  ),
});
export const Elicitation = z.looseObject({
  turnId: optionalText,
  serverName: text,
  mode: text,
  message: text,
  url: optionalText,
  requestedSchema: z
    .looseObject({ required: z.array(z.string()).nullish().catch(undefined) })
    .nullish()
    .catch(undefined),
});
export const LegacyCommandApproval = z.looseObject({
  callId: text,
  command: z.array(z.string()).catch([]),
  cwd: optionalText,
  reason: optionalText,
});
export const LegacyPatchApproval = z.looseObject({
  callId: text,
  fileChanges: z.record(z.string(), z.unknown()).catch({}),
  reason: optionalText,
});
