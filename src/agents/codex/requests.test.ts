import { expect, test } from 'vitest';
import type { AgentSignal, AskAnswer } from '../../session/ports.ts';
import { codex, type CodexState } from './index.ts';
import { newState } from './state.ts';
import type { RenderContext, Step } from '../dialect.ts';

const THREAD = '01a20220-a2c2-7df1-99b0-971031a95220';
const C1 = '01a20220-a2dc-7270-9c31-0043339d5667';
const IDS = { next: () => 2_000_001 };
const FRESH: CodexState = newState({ thread: THREAD, model: null, effort: null, plan: false });
const CONTEXT: RenderContext = {
  settings: {
    session: 's',
    cwd: '/w',
    mode: 'default',
    freshId: 'f',
    agentOptions: {},
    env: {},
    limits: { inactivityTimeoutMs: 1, requestTimeoutMs: 1, threadTimeoutMs: 1 },
  },
  input: () => '',
};

function asked(method: string, params: object, id: string | number = 0): Step<CodexState> {
  const message = { method, id, params: { threadId: THREAD, turnId: C1, itemId: 'call_1', ...params } };
  return codex.translate(FRESH, JSON.stringify(message), IDS);
}

function askOf(step: Step<CodexState>): Extract<AgentSignal, { kind: 'ask' }>['ask'] | undefined {
  return step.signals.find((signal) => signal.kind === 'ask')?.ask;
}

function lines(step: Step<CodexState>): unknown[] {
  return step.writes.map((write) => JSON.parse(codex.render(JSON.parse(JSON.stringify(write)), CONTEXT)));
}

function answered(step: Step<CodexState>, answer: AskAnswer): unknown {
  const request = askOf(step)?.request ?? '';
  const after = codex.accept(
    codex.revive(JSON.parse(JSON.stringify(step.state))),
    { kind: 'answer', request, answer },
    IDS,
  );
  expect(after.state.asks).toEqual([]);
  return lines(after)[0];
}

const PERMISSIONS = { network: { enabled: true }, fileSystem: null };
const QUESTIONS = {
  questions: [
    {
      id: 'q1',
      header: 'H',
      question: 'Which?',
      isOther: true,
      isSecret: true,
      options: [{ label: 'a', description: 'b' }],
    },
  ],
};
const FORM = {
  serverName: 's',
  mode: 'form',
  message: 'Sure?',
  requestedSchema: { type: 'object', properties: {} },
};

test.each([
  [
    'item/commandExecution/requestApproval',
    { command: 'ls' },
    { decision: 'accept' },
    { decision: 'decline' },
  ],
  ['item/fileChange/requestApproval', {}, { decision: 'accept' }, { decision: 'decline' }],
  [
    'item/permissions/requestApproval',
    { permissions: PERMISSIONS },
    { permissions: { network: { enabled: true } }, scope: 'turn' },
    { permissions: {}, scope: 'turn' },
  ],
  ['item/tool/requestUserInput', QUESTIONS, { answers: {} }, { answers: {} }],
  [
    'mcpServer/elicitation/request',
    FORM,
    { action: 'accept', content: {}, _meta: null },
    { action: 'decline', content: null, _meta: null },
  ],
  [
    'execCommandApproval',
    { conversationId: THREAD, callId: 'c', command: ['ls', '-l'] },
    { decision: 'approved' },
    { decision: { denied: { rejection: 'Denied' } } },
  ],
  [
    'applyPatchApproval',
    { conversationId: THREAD, callId: 'c', fileChanges: {} },
    { decision: 'approved' },
    { decision: { denied: { rejection: 'Denied' } } },
  ],
])('%s: allow and deny have their own shapes, and the server its own id', (...row) => {
  const [method, params, allowed, denied] = row;
  for (const id of [0, 'abc']) {
    const step = asked(method, params, id);
    expect(step.writes).toEqual([]);
    expect(askOf(step)?.request).toBe(String(id));
    expect(answered(step, { decision: 'allow' })).toEqual({ id, result: allowed });
    expect(answered(step, { decision: 'deny' })).toEqual({ id, result: denied });
  }
});

test('a question is asked with its options, and answered by its id', () => {
  const step = asked('item/tool/requestUserInput', QUESTIONS);
  expect(askOf(step)).toMatchObject({
    kind: 'question',
    questions: [{ id: 'q1', text: 'Which?', secret: true, options: [{ label: 'a', description: 'b' }] }],
  });
  expect(answered(step, { decision: 'allow', answers: { q1: ['a'] } })).toEqual({
    id: 0,
    result: { answers: { q1: { answers: ['a'] } } },
  });
});

test('a file change is asked with the diff of its item, and with the files that it changes: of one that is moved, both', () => {
  const started = codex.accept(FRESH, { kind: 'prompt', turn: 'trn_1' }, IDS);
  const feed = (state: CodexState, message: object): CodexState =>
    codex.translate(state, JSON.stringify(message), IDS).state;
  let state = feed(started.state, { id: 2_000_001, result: { turn: { id: C1 } } });
  const item = {
    type: 'fileChange',
    id: 'call_1',
    changes: [
      { path: '/w/a', kind: { type: 'add' }, diff: 'words' },
      { path: '/w/b', kind: { type: 'update', move_path: '/elsewhere/b' }, diff: '' },
    ],
  };
  state = feed(state, { method: 'item/started', params: { threadId: THREAD, turnId: C1, item } });
  const message = {
    method: 'item/fileChange/requestApproval',
    id: 4,
    params: { threadId: THREAD, turnId: C1, itemId: 'call_1', reason: 'because' },
  };
  const step = codex.translate(state, JSON.stringify(message), IDS);
  const tool = { id: 'call_1', input: { paths: ['/w/a', '/w/b', '/elsewhere/b'] } };
  expect(askOf(step)).toMatchObject({ diff: 'add /w/a\nwords\nupdate /w/b\n', reason: 'because', tool });
});

test.each([
  'item/tool/call',
  'account/chatgptAuthTokens/refresh',
  'attestation/generate',
  'currentTime/read',
  'some/novelty',
])('%s is refused at once', (method) => {
  const step = asked(method, {}, 9);
  expect(lines(step)).toMatchObject([{ id: 9, error: { code: -32601 } }]);
  expect(step.signals).toMatchObject([{ kind: 'notice', code: 'request_refused' }]);
});

test('a request that cannot be read is refused', () => {
  expect(lines(asked('item/tool/requestUserInput', { questions: 'x' }, 9))).toMatchObject([
    { id: 9, error: { code: -32602 } },
  ]);
});

test('what nobody could fill in or give back is denied at once', () => {
  const schema = { type: 'object', properties: { name: {} }, required: ['name'] };
  expect(lines(asked('mcpServer/elicitation/request', { ...FORM, requestedSchema: schema }))).toEqual([
    { id: 0, result: { action: 'decline', content: null, _meta: null } },
  ]);
  const permissions = { network: null, fileSystem: { read: ['x'.repeat(5_000)] } };
  expect(lines(asked('item/permissions/requestApproval', { permissions }))).toEqual([
    { id: 0, result: { permissions: {}, scope: 'turn' } },
  ]);
});

test('a request of another thread is left to its session; one of a subagent of ours is asked here', () => {
  const step = asked('item/commandExecution/requestApproval', { threadId: 'other' });
  expect([step.signals, step.writes]).toEqual([[], []]);
  const child = { method: 'thread/started', params: { thread: { id: 'child', parentThreadId: THREAD } } };
  const { state } = codex.translate(FRESH, JSON.stringify(child), IDS);
  const message = {
    method: 'item/commandExecution/requestApproval',
    id: 1,
    params: { threadId: 'child', command: 'ls' },
  };
  const open = codex.translate(state, JSON.stringify(message), IDS);
  expect(askOf(open)).toMatchObject({ request: '1' });
  const resolved = { method: 'serverRequest/resolved', params: { threadId: 'child', requestId: 1 } };
  expect(codex.translate(open.state, JSON.stringify(resolved), IDS).signals).toEqual([
    { kind: 'ask-withdrawn', request: '1' },
  ]);
});

test('taken back while open; not when we answered; a late answer is dropped', () => {
  const step = asked('item/commandExecution/requestApproval', { command: 'ls' }, 3);
  const resolved = JSON.stringify({
    method: 'serverRequest/resolved',
    params: { threadId: THREAD, requestId: 3 },
  });
  const gone = codex.translate(step.state, resolved, IDS);
  expect(gone.signals).toEqual([{ kind: 'ask-withdrawn', request: '3' }]);
  const late = codex.accept(gone.state, { kind: 'answer', request: '3', answer: { decision: 'allow' } }, IDS);
  expect(late.writes).toEqual([]);
  const given = codex.accept(step.state, { kind: 'answer', request: '3', answer: { decision: 'deny' } }, IDS);
  expect(codex.translate(given.state, resolved, IDS).signals).toEqual([]);
});
