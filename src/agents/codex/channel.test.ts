import { describe, expect, test } from 'vitest';
import { PilotlightError, type SessionMode, type TurnInput } from '../../protocol/index.ts';
import type { AgentSettings, HandshakeChannel, Json } from '../dialect.ts';
import { codex } from './index.ts';

const SETTINGS: AgentSettings = {
  session: 'ses_1',
  cwd: '/work',
  mode: 'default',
  freshId: '0192f0c1-0000-7000-8000-000000000001',
  agentOptions: {},
  env: { PATH: '/bin', OPENAI_API_KEY: 'made-up' },
  limits: { inactivityTimeoutMs: 300_000, requestTimeoutMs: 30_000, threadTimeoutMs: 10_000 },
};
const BINARY = { path: '/opt/codex' };

type Params = Readonly<Record<string, unknown>>;
type Answer = { readonly result: Json } | { readonly error: Json } | 'silence';
type Script = Readonly<Record<string, (params: Params, time: number) => Answer>>;

const OPENED = { thread: { id: 'thread-new' }, model: 'gpt-5.5', reasoningEffort: 'low' };
const USUAL: Script = {
  initialize: () => ({ result: { userAgent: 'pilotlight/0.169.0 (Debian; x86_64) dumb (pilotlight; 1)' } }),
  'config/read': () => ({ result: { config: { model_provider: null, model_providers: {} } } }),
  'thread/start': () => ({ result: OPENED }),
  'thread/resume': (params) => ({ result: { ...OPENED, thread: { id: String(params['threadId']) } } }),
};

/** A server in memory: answers by script, says `before` first. A wait for what never comes times out at once. */
class Server implements HandshakeChannel {
  readonly signal = new AbortController().signal;
  readonly sent: {
    readonly method: string;
    readonly id?: number;
    readonly params: Params;
    readonly error?: unknown;
  }[] = [];
  readonly timeouts: (number | undefined)[] = [];
  #lines: string[] = [];
  readonly #script: Script;
  readonly #before: readonly object[];

  constructor(script: Script = {}, before: readonly object[] = []) {
    this.#script = { ...USUAL, ...script };
    this.#before = before;
  }

  send(line: string): void {
    const message: Server['sent'][number] = JSON.parse(line);
    this.sent.push(message);
    if (message.id === undefined || message.method === undefined) return;
    const time = this.calls(message.method).length;
    const answer = this.#script[message.method]?.(message.params, time) ?? 'silence';
    for (const one of this.#before) this.#lines.push(JSON.stringify(one));
    if (answer !== 'silence') this.#lines.push(JSON.stringify({ id: message.id, ...answer }));
  }

  async receive<T>(
    pick: (line: string) => T | undefined,
    options: { readonly timeoutMs?: number } = {},
  ): Promise<T> {
    this.timeouts.push(options.timeoutMs);
    for (let line = this.#lines.shift(); line !== undefined; line = this.#lines.shift()) {
      const value = pick(line);
      if (value !== undefined) return value;
    }
    throw new PilotlightError('timeout', 'nothing came');
  }

  calls(method: string): Params[] {
    return this.sent.filter((message) => message.method === method).map((message) => message.params);
  }
}

const refused = (message: string, code = -32600): Answer => ({ error: { code, message } });

describe('plan', () => {
  test('the native binary, nothing that a person wrote in argv, EOF as goodbye', () => {
    const settings = { ...SETTINGS, model: 'some-model', systemPrompt: 'secret words' };
    const plan = codex.plan(BINARY, settings);
    expect(plan).toEqual({
      file: '/opt/codex',
      args: [
        'app-server',
        '-c',
        'analytics.enabled=false',
        '-c',
        'check_for_update_on_startup=false',
        '-c',
        'features.shell_snapshot=false',
      ],
      env: SETTINGS.env,
      goodbye: '',
    });
  });

  test.each([[{ colour: 'red' }], [{ effort: 3 }], [{ config: 'x' }]])(
    'agentOptions %j are refused by name',
    (agentOptions) => {
      expect(() => codex.plan(BINARY, { ...SETTINGS, agentOptions })).toThrow(/agentOptions/);
    },
  );
});

describe('greet', () => {
  test('initialize, initialized, then a thread; the state knows it', async () => {
    const server = new Server();
    const greeted = await codex.greet(server, SETTINGS);
    expect(server.sent.map((message) => message.method)).toEqual([
      'initialize',
      'initialized',
      'config/read',
      'thread/start',
    ]);
    expect(server.calls('initialize')[0]).toMatchObject({ capabilities: { experimentalApi: true } });
    expect(greeted).toMatchObject({
      agentSessionId: 'thread-new',
      version: '0.169.0',
      resumed: false,
      signals: [],
    });
    expect(codex.revive(JSON.parse(JSON.stringify(greeted.state)))).toEqual(greeted.state);
  });

  test.each([
    ['default', 'untrusted', 'workspace-write'],
    ['acceptEdits', 'on-request', 'workspace-write'],
    ['plan', 'never', 'read-only'],
    ['readOnly', 'never', 'read-only'],
    ['bypass', 'never', 'danger-full-access'],
  ] as const)('mode %s', async (...row) => {
    const [mode, approvalPolicy, sandbox] = row satisfies readonly [SessionMode, string, string];
    for (const resume of [undefined, 'thread-old']) {
      const server = new Server();
      const settings = {
        ...SETTINGS,
        mode,
        systemPrompt: 'Be kind.',
        model: 'm',
        ...(resume ? { resume } : {}),
      };
      const { state } = await codex.greet(server, settings);
      const method = resume ? 'thread/resume' : 'thread/start';
      expect(server.calls(method)[0]).toMatchObject({
        cwd: '/work',
        approvalPolicy,
        sandbox,
        developerInstructions: 'Be kind.',
        model: 'm',
        ...(resume ? { threadId: resume, excludeTurns: true } : {}),
      });
      expect(state.plan).toBe(mode === 'plan');
    }
  });

  test('a conversation that is not there is replaced by a new one, with a notice that names it', async () => {
    const server = new Server({
      'thread/resume': () => refused('no rollout found for thread id thread-old'),
    });
    const greeted = await codex.greet(server, { ...SETTINGS, resume: 'thread-old' });
    expect(greeted).toMatchObject({ resumed: false, agentSessionId: 'thread-new' });
    expect(greeted.signals).toMatchObject([{ kind: 'notice', code: 'resume_lost' }]);
    expect(JSON.stringify(greeted.signals)).toContain('thread-old');
  });

  test.each([
    ['thread x already has an active writer', 'agent_session_in_use'],
    ['failed to load configuration', 'agent_unavailable'],
  ])('any other refusal of a resume is an error: %s', async (message, code) => {
    const server = new Server({ 'thread/resume': () => refused(message) });
    await expect(codex.greet(server, { ...SETTINGS, resume: 'old' })).rejects.toMatchObject({ code });
    expect(server.calls('thread/start')).toEqual([]);
  });

  test('a busy server is asked again within the bound', async () => {
    const script: Script = {
      'thread/start': (_, time) => (time < 3 ? refused('busy', -32001) : { result: OPENED }),
    };
    const server = new Server(script);
    expect((await codex.greet(server, SETTINGS)).state.thread).toBe('thread-new');
    expect(server.calls('thread/start')).toHaveLength(3);
    const short = { ...SETTINGS, limits: { ...SETTINGS.limits, threadTimeoutMs: 20 } };
    await expect(codex.greet(new Server(script), short)).rejects.toMatchObject({ code: 'agent_unavailable' });
  });

  test('each answer is waited for no longer than its bound, and named when it does not come', async () => {
    const server = new Server({ 'thread/start': () => 'silence' });
    await expect(codex.greet(server, SETTINGS)).rejects.toMatchObject({
      code: 'timeout',
      message: expect.stringContaining('thread/start within 10000 ms'),
    });
    expect(server.timeouts.map((ms) => (ms ?? 0) > 20_000)).toEqual([true, true, false]);
    expect(server.timeouts.at(-1)).toBeLessThanOrEqual(10_000);
  });

  test('an answer of another shape is a broken protocol', async () => {
    const server = new Server({ 'thread/start': () => ({ result: { thread: {} } }) });
    await expect(codex.greet(server, SETTINGS)).rejects.toMatchObject({ code: 'protocol' });
  });

  test('what comes in between is heard, and asked is answered', async () => {
    const server = new Server({}, [
      { method: 'configWarning', params: { summary: 'odd' } },
      { method: 'attestation/generate', id: 5, params: {} },
      { method: 'remoteControl/status/changed', params: {} },
      { nonsense: true },
    ]);
    const greeted = await codex.greet(server, SETTINGS);
    expect(greeted.signals[0]).toMatchObject({ kind: 'notice', code: 'config_warning' });
    expect(server.sent.filter((message) => message.id === 5 && message.error !== undefined)).not.toEqual([]);
  });
});

describe('the bound on a silent stream', () => {
  const idle = async (agentOptions: AgentSettings['agentOptions'], config: Json = {}): Promise<unknown> => {
    const server = new Server({ 'config/read': () => ({ result: { config } }) });
    await codex.greet(server, { ...SETTINGS, agentOptions });
    return server.calls('thread/start')[0]?.['config'];
  };
  const key = 'model_providers.mine.stream_idle_timeout_ms';
  const providers = (ms: number | null): Json => ({
    model_provider: 'mine',
    model_providers: { mine: { stream_idle_timeout_ms: ms } },
  });

  test('is two thirds of ours, for a provider of config.toml', async () => {
    expect(await idle({}, providers(null))).toEqual({ [key]: 200_000 });
    expect(await idle({}, providers(900_000))).toEqual({ [key]: 200_000 });
  });

  test('leaves a shorter one, and one of the session', async () => {
    expect(await idle({}, providers(1_000))).toBeUndefined();
    expect(await idle({ config: { [key]: 7 } }, providers(null))).toEqual({ [key]: 7 });
  });

  test('goes into a provider that the session brings', async () => {
    const inline = { 'model_providers.in': { base_url: 'u' } };
    expect(await idle({ modelProvider: 'in', config: inline })).toEqual({
      'model_providers.in': { base_url: 'u', stream_idle_timeout_ms: 200_000 },
    });
    const nested = { model_provider: 'in', model_providers: { in: { base_url: 'u' } } };
    expect(await idle({ config: nested })).toEqual({
      model_provider: 'in',
      model_providers: { in: { base_url: 'u', stream_idle_timeout_ms: 200_000 } },
    });
  });

  test('is not set for a built-in provider: Codex would not start the thread', async () => {
    expect(await idle({}, { model_provider: null, model_providers: {} })).toBeUndefined();
    expect(await idle({ effort: 'high' }, { model_provider: 'openai' })).toEqual({
      model_reasoning_effort: 'high',
    });
  });

  test('without config/read nothing is set', async () => {
    const server = new Server({ 'config/read': () => refused('unknown variant') });
    await codex.greet(server, SETTINGS);
    expect(server.calls('thread/start')[0]).not.toHaveProperty('config');
  });
});

describe('render', () => {
  const context = (input: TurnInput): { settings: AgentSettings; input: () => TurnInput } => ({
    settings: SETTINGS,
    input: () => input,
  });
  const turn = 'trn_0192f0c1000070008000000000000001';

  test('a prompt: text, images, our id of the message; the same line each time', () => {
    const ref = { id: 7, thread: 't', turn };
    const image = { type: 'image', mediaType: 'image/png', data: 'AAAA' } as const;
    const line = codex.render({ kind: 'turn/start', ref }, context([{ type: 'text', text: 'look' }, image]));
    expect(JSON.parse(line)).toEqual({
      id: 7,
      method: 'turn/start',
      params: {
        threadId: 't',
        input: [
          { type: 'text', text: 'look', text_elements: [] },
          { type: 'image', url: 'data:image/png;base64,AAAA' },
        ],
        clientUserMessageId: '0192f0c1-0000-7000-8000-000000000001',
      },
    });
    expect(codex.render({ kind: 'turn/start', ref }, context([{ type: 'text', text: 'look' }, image]))).toBe(
      line,
    );
  });

  test('half a character does not break the line', () => {
    const line = codex.render(
      { kind: 'turn/start', ref: { id: 7, thread: 't', turn } },
      context('a\ud83d\nb'),
    );
    expect(line.isWellFormed()).toBe(true);
    expect(line).not.toMatch(/\\ud83d|\n/);
  });

  test('plan mode goes with every prompt', () => {
    const ref = { id: 7, thread: 't', turn, plan: { model: 'm', effort: null } };
    expect(JSON.parse(codex.render({ kind: 'turn/start', ref }, context('x')))).toMatchObject({
      params: { collaborationMode: { mode: 'plan', settings: { model: 'm', developer_instructions: null } } },
    });
  });

  test('a write that is not ours is an error', () => {
    expect(() => codex.render({ kind: 'user', ref: {} }, context('x'))).toThrow(PilotlightError);
  });
});

test('a state of another version is not read', () => {
  expect(() => codex.revive({ v: 2 })).toThrow(/v/);
});
