import { describe, expect, test } from 'vitest';
import { PilotlightError, type TurnInput } from '../../protocol/index.ts';
import type { AgentSettings, HandshakeChannel } from '../dialect.ts';
import { claude } from './index.ts';

const SETTINGS: AgentSettings = {
  session: 'ses_1',
  cwd: '/work',
  mode: 'default',
  freshId: '0192f0c1-0000-7000-8000-000000000001',
  agentOptions: {},
  env: {
    PATH: '/bin',
    ANTHROPIC_API_KEY: 'made-up',
    CLAUDECODE: '1',
    CLAUDE_CODE_ENTRYPOINT: 'cli',
    CLAUDE_CODE_SSE_PORT: '1',
  },
  limits: { inactivityTimeoutMs: 300_000, requestTimeoutMs: 30_000, threadTimeoutMs: 10_000 },
};
const BINARY = { path: '/opt/claude' };

const FLAGS =
  '-p --output-format stream-json --input-format stream-json --replay-user-messages --include-partial-messages --verbose --permission-prompt-tool stdio';

describe('plan', () => {
  test('a new conversation under the id that was minted for it', () => {
    const plan = claude.plan(BINARY, { ...SETTINGS, systemPrompt: 'secret words', model: 'opus' });
    expect(plan.file).toBe('/opt/claude');
    expect(plan.args.join(' ')).toBe(
      `${FLAGS} --session-id ${SETTINGS.freshId} --model opus --permission-mode default`,
    );
    expect(plan.env).toEqual({
      PATH: '/bin',
      ANTHROPIC_API_KEY: 'made-up',
      CLAUDE_CODE_DISABLE_PLUGIN_CACHE: '1',
      DISABLE_AUTOUPDATER: '1',
    });
  });

  test('an earlier one is resumed', () => {
    const { args } = claude.plan(BINARY, { ...SETTINGS, resume: 'old' });
    expect(args.join(' ')).toBe(`${FLAGS} --resume old --permission-mode default`);
  });

  test.each([
    ['acceptEdits', '--permission-mode acceptEdits'],
    ['plan', '--permission-mode plan'],
    ['readOnly', '--permission-mode plan'],
    ['bypass', '--dangerously-skip-permissions'],
  ] as const)('mode %s', (mode, flags) => {
    const plan = claude.plan(BINARY, { ...SETTINGS, mode });
    expect(plan.args.join(' ').endsWith(flags)).toBe(true);
    const sandboxed = mode === 'bypass' && process.getuid?.() === 0;
    expect(plan.env['IS_SANDBOX']).toBe(sandboxed ? '1' : undefined);
  });

  test('what is closed is denied by a pattern that fits its path, whatever letters it has', () => {
    const { args } = claude.plan(BINARY, { ...SETTINGS, closed: ['/a (b)/c?d\\e[f]*'] });
    const said = JSON.parse(args[args.indexOf('--settings') + 1] ?? '');
    expect(said).toEqual({
      permissions: { deny: ['Read(//a (b)/c?d?e?f??/**)', 'Edit(//a (b)/c?d?e?f??/**)'] },
    });
  });

  test.each([
    { model: '--dangerously-skip-permissions' },
    { resume: '-r' },
    { agentOptions: { colour: 'red' } },
  ])('%j is refused', (more) => {
    expect(() => claude.plan(BINARY, { ...SETTINGS, ...more })).toThrow(
      expect.objectContaining({ code: 'bad_request' }),
    );
  });

  test('the goodbye interrupts and ends the session, a line each', () => {
    const lines = claude.plan(BINARY, SETTINGS).goodbye.split('\n');
    expect(lines.pop()).toBe('');
    expect(lines.map((line) => JSON.parse(line).request.subtype)).toEqual(['interrupt', 'end_session']);
  });
});

/** A Claude in memory: says its lines, and nothing more. */
class Said implements HandshakeChannel {
  readonly signal = new AbortController().signal;
  readonly sent: unknown[] = [];
  readonly #lines: string[];

  constructor(lines: readonly object[]) {
    this.#lines = lines.map((line) => JSON.stringify(line));
  }

  send(line: string): void {
    this.sent.push(JSON.parse(line));
  }

  async receive<T>(pick: (line: string) => T | undefined): Promise<T> {
    for (let line = this.#lines.shift(); line !== undefined; line = this.#lines.shift()) {
      const value = pick(line);
      if (value !== undefined) return value;
    }
    throw new PilotlightError('spawn_failed', 'the process ended');
  }
}

const answer = (body: object): object => ({
  type: 'control_response',
  response: { request_id: 'initialize', ...body },
});
const WELL = answer({ subtype: 'success', response: { claude_code_version: '2.1.330', pid: 7 } });

describe('greet', () => {
  test('initialize and its answer; the system prompt goes by protocol', async () => {
    const channel = new Said([WELL]);
    const greeted = await claude.greet(channel, { ...SETTINGS, systemPrompt: 'Be\ud800 kind.' });
    expect(channel.sent).toEqual([
      {
        type: 'control_request',
        request_id: 'initialize',
        request: { subtype: 'initialize', appendSystemPrompt: 'Be\ufffd kind.' },
      },
    ]);
    expect(greeted).toMatchObject({
      agentSessionId: SETTINGS.freshId,
      version: '2.1.330',
      resumed: false,
      signals: [],
    });
    expect(claude.revive(JSON.parse(JSON.stringify(greeted.state)))).toEqual(greeted.state);
  });

  test('a resumed conversation keeps its id; an old version does not say which it is', async () => {
    const channel = new Said([answer({ subtype: 'success' })]);
    const greeted = await claude.greet(channel, { ...SETTINGS, resume: 'old' });
    expect(greeted).toMatchObject({ agentSessionId: 'old', resumed: true });
    expect(greeted).not.toHaveProperty('version');
  });

  test('what comes in between is heard, and asked is answered', async () => {
    const channel = new Said([
      { type: 'control_request', request_id: 'h1', request: { subtype: 'hook_callback' } },
      { type: 'brand_new' },
      { type: 'control_response', response: { subtype: 'success', request_id: 'other' } },
      WELL,
    ]);
    const greeted = await claude.greet(channel, SETTINGS);
    expect(greeted.signals).toMatchObject([{ kind: 'notice', code: 'unknown_message' }]);
    expect(channel.sent).toHaveLength(2);
  });

  test.each([
    [
      { type: 'result', is_error: true, errors: ['No conversation found with session ID: x'] },
      'agent_unavailable',
    ],
    [{ type: 'result', is_error: true, errors: ['Session ID x is already in use'] }, 'agent_session_in_use'],
    [{ type: 'error', error: { message: 'broken' } }, 'agent_unavailable'],
    [answer({ subtype: 'error', error: 'no' }), 'agent_unavailable'],
  ])('%j is a start that failed', async (line, code) => {
    await expect(claude.greet(new Said([line]), SETTINGS)).rejects.toMatchObject({ code });
  });

  test('an exit before is one too', async () => {
    await expect(claude.greet(new Said([]), SETTINGS)).rejects.toThrow('the process ended');
  });
});

describe('render', () => {
  const context = (input: TurnInput): { settings: AgentSettings; input: () => TurnInput } => ({
    settings: SETTINGS,
    input: () => input,
  });
  const write = { kind: 'prompt', ref: { turn: 'trn_0192f0c1000070008000000000000001' } };

  test('a prompt: text, images, our uuid; the same line each time', () => {
    const image = { type: 'image', mediaType: 'image/png', data: 'AAAA' } as const;
    const input: TurnInput = [{ type: 'text', text: 'look' }, image];
    const line = claude.render(write, context(input));
    expect(JSON.parse(line)).toEqual({
      type: 'user',
      message: {
        role: 'user',
        content: [
          { type: 'text', text: 'look' },
          { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'AAAA' } },
        ],
      },
      parent_tool_use_id: null,
      uuid: '0192f0c1-0000-7000-8000-000000000001',
    });
    expect(claude.render(write, context(input))).toBe(line);
  });

  test('what would break a line is replaced', () => {
    const line = claude.render(write, context('a\ud83d\0b\nc'));
    expect(JSON.parse(line).message.content).toBe('a\ufffd\ufffdb\nc');
    expect(line).not.toContain('\n');
  });

  test('an unknown write is a fault of ours', () => {
    expect(() => claude.render({ kind: 'nope', ref: null }, context(''))).toThrow(/nope/);
  });
});

test('a state of another version is not read', () => {
  expect(() => claude.revive({ v: 2 })).toThrow(/expected 1/);
});
