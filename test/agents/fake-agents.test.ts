/** What the fake agents do when nothing is wrong: the real ones' order of lines, words, memory, interrupts, asks. */
import { spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type Agent, type Line, Place, type Talker } from './talker.ts';

const AGENTS: readonly Agent[] = ['claude', 'codex'];

function place(): Place {
  const made = new Place();
  onTestFinished(() => made[Symbol.dispose]());
  return made;
}

async function greeted(agent: Agent, options: Parameters<Place['start']>[1] = {}): Promise<Talker> {
  const talker = place().start(agent, options);
  await talker.greet();
  return talker;
}

/** Recorded of Claude Code 2.1.330 with session state events and a uuid. */
const CLAUDE_TURN = [
  'system running',
  'command_lifecycle queued',
  'command_lifecycle started',
  'system init',
  'system status',
  'user',
  'stream_event message_start',
  'stream_event content_block_start',
  'stream_event content_block_delta',
  'stream_event content_block_delta',
  'assistant',
  'stream_event content_block_stop',
  'stream_event message_delta',
  'stream_event message_stop',
  'result success',
  'command_lifecycle completed',
  'system idle',
];

/** Recorded of 2.1.197: the echo comes behind the deltas, and there are no lifecycles. */
const OLD_CLAUDE_TURN = [
  'system init',
  'system status',
  'stream_event message_start',
  'stream_event content_block_start',
  'stream_event content_block_delta',
  'stream_event content_block_delta',
  'user',
  'assistant',
  'stream_event content_block_stop',
  'stream_event message_delta',
  'stream_event message_stop',
  'result success',
];

/** Recorded of 2.1.330, interrupted while text streamed. */
const CLAUDE_INTERRUPT = [
  'control_response',
  'assistant',
  'user',
  'stream_event content_block_stop',
  'stream_event message_delta',
  'stream_event message_stop',
  'result error_during_execution',
  'command_lifecycle cancelled',
  'system idle',
];

/** Recorded of 2.1.330: a permission is asked for and given. */
const CLAUDE_ASK = [
  'stream_event message_start',
  'stream_event content_block_start',
  'stream_event content_block_delta',
  'assistant',
  'stream_event content_block_stop',
  'stream_event message_delta',
  'system requires_action',
  'control_request can_use_tool',
  'stream_event message_stop',
  'control_response',
  'system running',
  'user',
  'system status',
  'stream_event message_start',
];

/** Recorded of Codex 0.169.0. */
const CODEX_TURN = [
  'answer',
  'thread/status/changed',
  'turn/started',
  'item/started userMessage',
  'item/completed userMessage',
  'item/started agentMessage',
  'item/agentMessage/delta',
  'item/agentMessage/delta',
  'item/completed agentMessage',
  'thread/tokenUsage/updated',
  'account/rateLimits/updated',
  'thread/readState/changed',
  'thread/status/changed',
  'turn/completed',
];

const CODEX_ASK = [
  'thread/status/changed',
  'item/started commandExecution',
  'item/commandExecution/requestApproval',
  'serverRequest/resolved',
  'thread/status/changed',
  'item/completed commandExecution',
  'thread/tokenUsage/updated',
  'account/rateLimits/updated',
  'item/started agentMessage',
];

const STATES = { CLAUDE_CODE_EMIT_SESSION_STATE_EVENTS: '1' };

describe('the order of lines is the real one', () => {
  test('claude: a turn', async () => {
    const talker = await greeted('claude', { env: STATES });
    const uuid = talker.prompt('say hello world');
    await talker.line((line) => line['state'] === 'idle');
    expect(talker.brief()).toEqual(CLAUDE_TURN);
    const result = await talker.ended();
    expect(result).toMatchObject({ is_error: false, result: 'hello world', total_cost_usd: 0.00028 });
    expect(result).toMatchObject({ terminal_reason: 'completed', user_message_uuids: [uuid] });
    expect(Object.keys(result).indexOf('type')).toBeGreaterThan(5);
    expect(await talker.turn('say again')).toMatchObject({
      total_cost_usd: 0.00056,
      usage: { input_tokens: 10 },
    });
  });

  test('claude: a turn of 2.1.197', async () => {
    const talker = await greeted('claude', { faults: 'old' });
    const result = await talker.turn('say hello world');
    expect(talker.brief()).toEqual(OLD_CLAUDE_TURN);
    expect(result).not.toHaveProperty('user_message_uuids');
    expect(await talker.control({ subtype: 'set_cwd', cwd: '/' })).toMatchObject({ subtype: 'error' });
    const init = await talker.line((line) => line['subtype'] === 'init');
    expect(init['claude_code_version']).toBe('2.1.197');
  });

  test('claude: an interrupt', async () => {
    const talker = await greeted('claude', { env: STATES });
    talker.prompt('stream 1000 words 20 ms');
    await talker.firstDelta();
    const before = talker.brief().length;
    expect(await talker.interrupt()).toMatchObject({ response: { still_queued: [] } });
    await talker.line((line) => line['state'] === 'idle');
    expect(withoutDeltas(talker.brief().slice(before))).toEqual(CLAUDE_INTERRUPT);
    expect(await talker.ended()).toMatchObject({ is_error: true, terminal_reason: 'aborted_streaming' });
    expect(talker.texts()).toEqual([talker.deltas().join('')]);
    expect(await talker.turn('say warm')).toMatchObject({ result: 'warm' });
  });

  test('claude: a permission', async () => {
    const talker = await greeted('claude', { env: STATES });
    talker.prompt('ask');
    await answered(talker, { behavior: 'allow', updatedInput: { command: 'touch other' } });
    expect(await talker.ended()).toMatchObject({ result: 'permission: allowed: touch other' });
    const brief = talker.brief();
    const from = brief.indexOf('stream_event message_start');
    expect(brief.slice(from, from + CLAUDE_ASK.length)).toEqual(CLAUDE_ASK);
  });

  test('codex: a turn', async () => {
    const talker = await greeted('codex');
    const uuid = talker.prompt('say hello world');
    const turn = await talker.ended();
    expect(talker.brief()).toEqual(CODEX_TURN);
    expect(turn).toMatchObject({
      status: 'completed',
      items: [{ type: 'agentMessage', text: 'hello world' }],
    });
    const item = await talker.line((line) => line['params']?.item?.type === 'userMessage');
    expect(item['params'].item.clientId).toBe(uuid);
  });

  test('codex: an approval', async () => {
    const talker = await greeted('codex');
    talker.prompt('ask');
    const request = await talker.line((line) => line['method'] === 'item/commandExecution/requestApproval');
    expect(request['id']).toBe(0);
    talker.send({ id: 0, result: { decision: 'accept' } });
    await talker.ended();
    expect(talker.texts()).toEqual(['permission: allowed: touch fake-agent']);
    expect(talker.brief().slice(5).slice(0, CODEX_ASK.length)).toEqual(CODEX_ASK);
  });

  test('codex: an interrupt, which is refused before turn/started', async () => {
    const talker = await greeted('codex');
    const uuid = talker.prompt('stream 1000 words 20 ms');
    const answer = await talker.line((line) => line['id'] === `turn-${uuid}`);
    const turnId = answer['result'].turn.id;
    const early = await talker.request('turn/interrupt', { threadId: talker.thread, turnId });
    expect(early['error']).toEqual({ code: -32600, message: 'no active turn to interrupt' });
    await talker.firstDelta();
    const before = talker.brief().length;
    expect(await talker.interrupt()).toMatchObject({ result: {} });
    expect(await talker.ended()).toMatchObject({ status: 'interrupted', items: [] });
    expect(withoutDeltas(talker.brief().slice(before))).toEqual([
      'answer',
      'thread/status/changed',
      'turn/completed',
    ]);
    const late = await talker.request('turn/interrupt', { threadId: talker.thread, turnId });
    expect(late['error'].message).toBe('no active turn to interrupt');
    await talker.turn('say warm');
    expect(talker.texts()).toEqual(['warm']);
  });
});

describe.each(AGENTS)('%s: words', (agent) => {
  test('a prompt without a word that means something is echoed; steps follow one another', async () => {
    const talker = await greeted(agent);
    await talker.turn('what is this');
    expect(talker.texts()).toEqual(['echo: what is this']);
    await talker.turn('say one then say two\nsay three');
    expect(talker.texts().join('')).toBe('one\ntwo\nthree');
    expect(talker.deltas().join('')).toBe('one\ntwo\nthree');
  });

  test('stream: words at their pace', async () => {
    const talker = await greeted(agent);
    const begun = performance.now();
    await talker.turn('stream 5 words 20 ms');
    expect(performance.now() - begun).toBeGreaterThan(75);
    expect(talker.deltas()).toEqual(['w0 ', 'w1 ', 'w2 ', 'w3 ', 'w4 ']);
    await talker.turn('stream 300 words 0 ms');
    expect(talker.deltas()).toHaveLength(300);
  });

  test('flood: numbered lines of exactly that many bytes, none lost', async () => {
    const talker = await greeted(agent);
    await talker.turn('flood 5000 lines of 500 bytes');
    const deltas = talker.deltas();
    expect(deltas.map((text) => Number(text.slice(0, 12)))).toEqual(
      Array.from({ length: 5000 }, (_, index) => index),
    );
    const sizes = talker.raw
      .filter((line) => /content_block_delta|\/delta/.test(line))
      .map((line) => line.length + 1);
    expect(new Set(sizes)).toEqual(new Set([500]));
    expect(talker.texts().join('')).toBe(deltas.join(''));
  });

  test('flood honours backpressure, and an interrupt is heard while the pipe is full', async () => {
    const talker = await greeted(agent);
    talker.prompt('flood 400000 lines of 1000 bytes');
    await talker.firstDelta();
    talker.child.stdout?.pause();
    const interrupt = talker.interrupt();
    talker.child.stdout?.resume();
    await interrupt;
    await talker.ended();
    expect(talker.bytes).toBeLessThan(100_000_000);
  });

  test('line: one giant line', async () => {
    const talker = await greeted(agent);
    await talker.turn('line 2 MB');
    expect(talker.deltas().map((text) => text.length)).toEqual([2 * 1024 * 1024]);
  });

  test('tool and think', async () => {
    const talker = await greeted(agent);
    await talker.turn('think then tool Grep then say ready');
    const brief = talker.brief();
    const expected =
      agent === 'claude'
        ? ['system thinking_tokens', 'assistant', 'user', 'assistant']
        : ['item/completed reasoning', 'item/started commandExecution', 'item/completed commandExecution'];
    expect(brief).toEqual(expect.arrayContaining(expected));
    expect(talker.texts()).toEqual(['ready']);
  });

  test('hold waits for a file', async () => {
    const here = place();
    const talker = here.start(agent);
    await talker.greet();
    const file = path.join(here.root, 'gate');
    talker.prompt(`hold ${file}`);
    await talker.line((line) => JSON.stringify(line).includes('"on '));
    expect(talker.texts()).toEqual([]);
    writeFileSync(file, '');
    await talker.ended();
    expect(talker.texts().join('')).toBe('holding on \nand going on');
  });

  test('recall remembers over processes, and the log says what was received before anything was printed', async () => {
    const here = place();
    const first = here.start(agent);
    await first.greet();
    const uuid = first.prompt('say first');
    await first.firstDelta();
    expect(here.received()).toMatchObject([{ pid: first.child.pid, uuid, text: 'say first' }]);
    await first.ended();
    const session = agent === 'codex' ? first.thread : (await first.ended())['session_id'];
    first.child.stdin?.end();
    expect(await first.exited).toEqual({ code: 0, signal: null });
    const second = here.start(agent, { args: ['--resume', session] });
    await second.greet({ resume: agent === 'codex' ? session : '' });
    await second.turn('recall');
    expect(second.texts()).toEqual(['I remember: say first']);
    expect(here.received().map((entry) => entry['session'])).toEqual([session, session]);
  });

  test('child: a process in a session of its own outlives the agent', async () => {
    const talker = await greeted(agent);
    await talker.turn('child');
    const pid = Number(talker.texts().join('').replace('child ', ''));
    onTestFinished(() => void process.kill(pid, 'SIGKILL'));
    talker.kill('SIGTERM');
    await talker.exited;
    // The session id is the sixth field, and the process leads it.
    expect(readFileSync(`/proc/${pid}/stat`, 'utf8').split(' ')[5]).toBe(String(pid));
  });

  test('grandchild-holds-stdout: the pipe outlives the process', async () => {
    const talker = await greeted(agent);
    await talker.turn('grandchild-holds-stdout');
    const pid = Number(talker.texts().join('').replace('grandchild ', ''));
    talker.child.stdin?.end();
    await talker.exited;
    expect(talker.child.stdout?.readableEnded).toBe(false);
    process.kill(pid, 'SIGKILL');
    await talker.closed;
  });

  test('memory grows the process', async () => {
    const talker = await greeted(agent);
    await talker.turn('memory 200 MB');
    const rss = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${talker.child.pid}/status`, 'utf8'))?.[1];
    expect(Number(rss)).toBeGreaterThan(200 * 1024);
  });

  test('a word that is no fault is said, not passed over', async () => {
    const talker = await greeted(agent);
    await talker.turn('fault explode');
    expect(talker.texts()).toEqual(['not a fault: explode']);
  });
});

async function hanging(agent: Agent): Promise<Talker> {
  const talker = await greeted(agent);
  talker.prompt('tool-hang');
  const begun = (line: Line): boolean =>
    line['event']?.type === 'message_stop' || line['params']?.item?.type === 'commandExecution';
  await talker.line(begun);
  await talker.interrupt();
  return talker;
}

describe('tool-hang ends with an interrupt', () => {
  test('claude: and so does its tool', async () => {
    const talker = await hanging('claude');
    expect(await talker.ended()).toMatchObject({ is_error: true, terminal_reason: 'aborted_tools' });
    expect(talker.raw.join('\n')).toContain('[Request interrupted by user for tool use]');
  });

  test('codex: its command lives on until the background terminals are cleaned', async () => {
    const talker = await hanging('codex');
    expect(await talker.ended()).toMatchObject({ status: 'interrupted' });
    const { thread: threadId } = talker;
    const list = await talker.request('thread/backgroundTerminals/list', { threadId });
    expect(list['result'].data).toHaveLength(1);
    await talker.request('thread/backgroundTerminals/clean', { threadId });
    const item = await talker.line((line) => line['params']?.item?.status === 'failed');
    expect(item['params'].item).toMatchObject({ type: 'commandExecution', exitCode: -1 });
  });
});

describe('claude', () => {
  test('denials, errors and questions', async () => {
    const talker = await greeted('claude');
    talker.prompt('ask');
    await answered(talker, { behavior: 'deny', message: 'no way' });
    expect(await talker.ended()).toMatchObject({
      result: 'permission: denied: no way',
      permission_denials: [{}],
    });
    talker.prompt('question');
    await answered(talker, { behavior: 'allow', updatedInput: { answers: { 'Which color?': 'Blue' } } });
    expect(await talker.ended()).toMatchObject({ result: 'answer: Blue' });
    talker.prompt('ask');
    await answered(talker, { behavior: 'deny', message: 'stop', interrupt: true });
    expect(await talker.ended()).toMatchObject({ terminal_reason: 'aborted_tools' });
  });

  test('an interrupt takes an open ask back', async () => {
    const talker = await greeted('claude');
    talker.prompt('ask');
    const ask = await talker.line((line) => line['type'] === 'control_request');
    await talker.interrupt();
    await talker.ended();
    const brief = talker.brief();
    expect(brief.indexOf('control_cancel_request')).toBeLessThan(brief.indexOf('control_response'));
    const cancel = await talker.line((line) => line['type'] === 'control_cancel_request');
    expect(cancel['request_id']).toBe(ask['request_id']);
  });

  test('messages in a turn are queued, merged, dropped; a message during a tool joins its turn', async () => {
    const here = place();
    const talker = here.start('claude', { env: STATES });
    await talker.greet();
    const gate = path.join(here.root, 'gate');
    const [one, two, three] = [randomUUID(), randomUUID(), randomUUID()];
    talker.prompt(`hold ${gate}`, { uuid: one });
    await talker.firstDelta();
    for (const [uuid, content] of [
      [two, 'say two'],
      [three, 'say three'],
    ])
      talker.send({ type: 'user', message: { role: 'user', content }, uuid });
    await talker.line((line) => line['command_uuid'] === three && line['state'] === 'queued');
    writeFileSync(gate, '');
    const merged = await talker.line((line) => line['type'] === 'result' && line['result_index'] === 1);
    expect(merged['user_message_uuids']).toEqual([two, three]);
    talker.prompt('ask', { uuid: randomUUID() });
    await talker.line((line) => line['type'] === 'control_request');
    const folded = randomUUID();
    talker.send({ type: 'user', message: { role: 'user', content: 'say folded' }, uuid: folded });
    await answered(talker, { behavior: 'allow' });
    const result = await talker.ended();
    expect(result['user_message_uuids']).toContain(folded);
    expect(result['result']).toContain('folded');
  });

  test('a uuid that was seen before gets an echo and no turn', async () => {
    const talker = await greeted('claude');
    const uuid = talker.prompt('say once');
    await talker.ended();
    await talker.line((line) => line['state'] === 'completed');
    talker.prompt('say twice', { uuid });
    await talker.line((line) => line['isReplay'] === true);
    expect(talker.brief()).toEqual(['command_lifecycle completed', 'user']);
    expect(await talker.turn('say fresh')).toMatchObject({ result: 'fresh', result_index: 1 });
  });

  test('control requests, modes and the clean end', async () => {
    const talker = await greeted('claude');
    expect(await talker.control({ subtype: 'set_permission_mode', mode: 'acceptEdits' })).toMatchObject({
      response: { mode: 'acceptEdits' },
    });
    expect(await talker.control({ subtype: 'set_permission_mode', mode: 'bypassPermissions' })).toMatchObject(
      { error_code: 'bypass_not_launched' },
    );
    expect(await talker.control({ subtype: 'nope' })).toMatchObject({ error_code: 'unsupported_request' });
    expect(await talker.control({ subtype: 'end_session' })).toMatchObject({ subtype: 'success' });
    expect(await talker.exited).toEqual({ code: 0, signal: null });
  });

  test('under bypass nothing is asked', async () => {
    const talker = await greeted('claude', { args: ['--permission-mode', 'bypassPermissions'] });
    expect(await talker.turn('ask')).toMatchObject({ result: 'permission: not needed: touch fake-agent' });
  });

  test('an invalid line ends the process; so does a session id in use', async () => {
    const here = place();
    const id = randomUUID();
    const talker = here.start('claude', { args: ['--session-id', id] });
    expect(await talker.turn('say x')).toMatchObject({ session_id: id });
    talker.child.stdin?.write('{oops\n');
    expect(await talker.exited).toMatchObject({ code: 1 });
    expect(talker.stderr).toContain('Error parsing streaming input line');
    const second = here.start('claude', { args: ['--session-id', id] });
    expect(await second.exited).toMatchObject({ code: 1 });
    await second.closed;
    expect(second.stderr).toContain('already in use');
  });

  test('the end of stdin lets a turn finish; signals end with the real codes', async () => {
    const talker = await greeted('claude');
    talker.prompt('stream 5 words 10 ms');
    talker.child.stdin?.end();
    expect(await talker.ended()).toMatchObject({ result: 'w0 w1 w2 w3 w4 ' });
    expect(await talker.exited).toEqual({ code: 0, signal: null });
    for (const [signal, code] of [
      ['SIGTERM', 143],
      ['SIGHUP', 129],
      ['SIGINT', 0],
    ] as const) {
      const other = await greeted('claude');
      other.kill(signal);
      expect(await other.exited).toEqual({ code, signal: null });
    }
  });
});

describe('codex', () => {
  test('declines, cancellations, policies and questions', async () => {
    const talker = await greeted('codex');
    const decide = async (result: object): Promise<void> => {
      const request = await talker.line((line) => line['method'] !== undefined && line['id'] !== undefined);
      talker.send({ id: request['id'], result });
    };
    talker.prompt('ask');
    await decide({ decision: 'decline' });
    expect(await talker.ended()).toMatchObject({ status: 'completed' });
    expect(talker.texts()).toEqual(['permission: denied: decline']);
    talker.prompt('ask');
    await decide({ decision: 'cancel' });
    expect(await talker.ended()).toMatchObject({ status: 'interrupted' });
    await talker.turn('question');
    expect(talker.texts().join('')).toContain('unavailable');
    talker.prompt('question', { extra: { collaborationMode: { mode: 'plan', settings: {} } } });
    await decide({ answers: { q1: { answers: ['Blue'] } } });
    await talker.ended();
    expect(talker.texts()).toEqual(['answer: Blue']);
  });

  test('a message in a turn steers it: one end, and what was being said is never completed', async () => {
    const talker = await greeted('codex');
    const uuid = talker.prompt('stream 1000 words 20 ms');
    await talker.firstDelta();
    const input = [{ type: 'text', text: 'say steered' }];
    const steered = await talker.request('turn/start', { threadId: talker.thread, input });
    const answer = await talker.line((line) => line['id'] === `turn-${uuid}`);
    expect(steered['result'].turn.id).toBe(answer['result'].turn.id);
    await talker.ended();
    expect(talker.texts()).toEqual(['steered']);
    expect(talker.brief().filter((one) => one === 'item/started agentMessage')).toHaveLength(2);
  });

  test('refusals: unknown threads, uninitialised, a second writer', async () => {
    const here = place();
    const talker = here.start('codex');
    expect((await talker.request('thread/start', {}))['error'].message).toBe('Not initialized');
    await talker.greet();
    const missing = await talker.request('thread/resume', { threadId: randomUUID() });
    expect(missing['error'].message).toContain('no rollout found for thread id');
    talker.child.stdin?.write('{oops\n');
    expect(await talker.request('no/such', {})).toMatchObject({ error: { code: -32600 } });
    await talker.turn('say mine');
    const second = here.start('codex');
    const refused = await second.greet({ resume: talker.thread });
    expect(refused['error'].message).toContain('already has an active writer');
    talker.kill('SIGKILL');
    await talker.exited;
    expect(await second.request('thread/resume', { threadId: talker.thread })).toHaveProperty('result');
  });

  test('the end of stdin and SIGTERM drop a turn at once', async () => {
    for (const end of [
      (talker: Talker) => talker.child.stdin?.end(),
      (talker: Talker) => talker.kill('SIGTERM'),
    ]) {
      const talker = await greeted('codex');
      talker.prompt('stream 1000 words 20 ms');
      await talker.firstDelta();
      end(talker);
      expect(await talker.exited).toEqual({ code: 0, signal: null });
      await talker.closed;
      expect(talker.brief()).not.toContain('turn/completed');
    }
  });
});

test('versions', () => {
  const here = place();
  const version = (file: string, env = {}): string =>
    spawnSync(file, ['--version'], { env: { PATH: process.env['PATH'] ?? '', ...env } }).stdout.toString();
  expect(version(here.fakes.claudePath)).toBe('2.1.330 (Claude Code)\n');
  expect(version(here.fakes.claudePath, { FAKE_FAULT: 'old' })).toBe('2.1.197 (Claude Code)\n');
  expect(version(here.fakes.codexPath)).toBe('codex-cli 0.169.0\n');
});

function withoutDeltas(brief: readonly string[]): string[] {
  return brief.filter(
    (one) => one !== 'stream_event content_block_delta' && one !== 'item/agentMessage/delta',
  );
}

/** Answers the request that the turn makes. */
async function answered(talker: Talker, response: object): Promise<void> {
  const request = await talker.line((line) => line['type'] === 'control_request');
  talker.send({
    type: 'control_response',
    response: { subtype: 'success', request_id: request['request_id'], response },
  });
}
