/** What `codex app-server` 0.169.0 says, in its shapes. Pure. Knows nothing of order. */

export const VERSION = '0.169.0';

/** The object of a thread in answers and in `thread/started`. */
export function threadShape(thread) {
  const seconds = Math.floor(thread.createdAt / 1000);
  return {
    id: thread.id,
    environments: [{ environmentId: 'local', cwd: thread.cwd, runtimeWorkspaceRoots: [thread.cwd] }],
    sessionId: thread.id,
    forkedFromId: null,
    parentThreadId: null,
    preview: thread.remembered[0] ?? '',
    ephemeral: false,
    historyMode: 'paginated',
    modelProvider: 'fake',
    model: thread.model,
    reasoningEffort: null,
    createdAt: seconds,
    updatedAt: seconds,
    status: thread.turn === undefined ? { type: 'idle' } : { type: 'active', activeFlags: [] },
    path: thread.path,
    cwd: thread.cwd,
    cliVersion: VERSION,
    source: 'vscode',
    name: null,
    turns: [],
  };
}

/** The answer to `thread/start` and `thread/resume`. */
export function threadOpened(thread) {
  return {
    thread: threadShape(thread),
    model: thread.model,
    modelProvider: 'fake',
    serviceTier: null,
    cwd: thread.cwd,
    runtimeWorkspaceRoots: [thread.cwd],
    instructionSources: [],
    approvalPolicy: thread.approvalPolicy,
    approvalsReviewer: 'user',
    sandbox: { type: thread.sandbox ?? 'readOnly' },
    reasoningEffort: null,
  };
}

export function turnShape(id, fields) {
  return {
    id,
    rootTurnId: id,
    items: [],
    itemsView: 'notLoaded',
    status: 'inProgress',
    error: null,
    startedAt: null,
    completedAt: null,
    durationMs: null,
    ...fields,
  };
}

export function userMessage(id, { text, clientId }) {
  const content = [{ type: 'text', text, text_elements: [] }];
  return { type: 'userMessage', id, clientId: clientId ?? null, content };
}

export function agentMessage(id, text) {
  return {
    type: 'agentMessage',
    moderation: null,
    id,
    text,
    phase: null,
    memoryCitation: null,
    delivery: null,
    questions: null,
  };
}

export function reasoning(id, summary) {
  return { type: 'reasoning', id, summary, content: [] };
}

export function commandExecution(id, { command, cwd, ...fields }) {
  return {
    type: 'commandExecution',
    id,
    pluginId: null,
    scriptPath: null,
    command: `/bin/bash -lc '${command}'`,
    cwd,
    processId: String(process.pid),
    source: 'unifiedExecStartup',
    status: 'inProgress',
    commandActions: [{ type: 'unknown', command }],
    aggregatedOutput: null,
    exitCode: null,
    durationMs: null,
    ...fields,
  };
}

/** What one model request uses. */
const LAST = {
  totalTokens: 22,
  inputTokens: 10,
  cachedInputTokens: 0,
  cacheWriteInputTokens: 0,
  outputTokens: 12,
  reasoningOutputTokens: 0,
};

export function tokenUsage(requests) {
  const total = Object.fromEntries(Object.entries(LAST).map(([name, value]) => [name, value * requests]));
  return { total, last: LAST, modelContextWindow: 258_400 };
}

export const RATE_LIMITS = { limitId: 'codex', primary: null, secondary: null, rateLimitReachedType: null };

/** How an HTTP status of the model's API is told. */
export function turnError(status) {
  const named = { 429: 'usageLimitExceeded', 500: 'internalServerError', 400: 'other' };
  return {
    message: `made up by the fake agent: ${status}`,
    codexErrorInfo: named[status] ?? { httpConnectionFailed: { httpStatusCode: status } },
    additionalDetails: null,
    misalignment: null,
  };
}

export const QUESTION = {
  id: 'q1',
  header: 'Color',
  question: 'Which color?',
  isOther: true,
  isSecret: false,
  options: [
    { label: 'Red', description: 'a warm one' },
    { label: 'Blue', description: 'a cold one' },
  ],
};
