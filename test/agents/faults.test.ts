/** Each fault of the fake agents does what its name says, in both agents. */
import { onTestFinished, describe, expect, test } from 'vitest';
import { randomUUID } from 'node:crypto';
import path from 'node:path';
import { parseFaults, PROCESS_FAULTS, START_FAULTS, TURN_FAULTS } from './script.mjs';
import { type Agent, type Line, Place, type Talker } from './talker.ts';

const AGENTS: readonly Agent[] = ['claude', 'codex'];
type Options = Parameters<Place['start']>[1];

function started(agent: Agent, options: Options = {}): Talker {
  const made = new Place();
  onTestFinished(() => made[Symbol.dispose]());
  return made.start(agent, options);
}

async function greeted(agent: Agent, options: Options = {}): Promise<Talker> {
  const talker = started(agent, options);
  await talker.greet();
  return talker;
}

const ends = (line: Line): boolean => line['type'] === 'result' || line['method'] === 'turn/completed';

/** A refusal for good: how the turn ends, and what is told before. */
const REFUSED: Readonly<Record<Agent, readonly [object, object]>> = {
  claude: [
    { subtype: 'success', is_error: true, terminal_reason: 'api_error', api_error_status: 401 },
    { error: 'authentication_failed', message: { model: '<synthetic>' } },
  ],
  codex: [
    { status: 'failed', error: { codexErrorInfo: { httpConnectionFailed: { httpStatusCode: 401 } } } },
    { params: { willRetry: false } },
  ],
};

describe.each(AGENTS)('%s: a turn ends badly', (agent) => {
  const AT = 6;

  test('die@N: exits with 3 behind that line', async () => {
    const talker = await greeted(agent);
    talker.prompt(`say a b c then fault die@${AT}`);
    expect(await talker.exited).toEqual({ code: 3, signal: null });
    await talker.closed;
    expect(talker.turnLines()).toHaveLength(AT);
    expect(talker.rest).toHaveLength(0);
  });

  test('die without a number: behind the first delta', async () => {
    const talker = await greeted(agent);
    talker.prompt('say a b c then fault die');
    expect(await talker.exited).toMatchObject({ code: 3 });
    await talker.closed;
    expect(talker.deltas()).toEqual(['a ']);
  });

  test('half@N: the line is cut in the middle', async () => {
    const talker = await greeted(agent);
    talker.prompt(`say a b c then half@${AT}`);
    expect(await talker.exited).toMatchObject({ code: 3 });
    await talker.closed;
    expect(talker.turnLines()).toHaveLength(AT - 1);
    expect(talker.rest.toString()).toMatch(/^\{/);
    expect(() => JSON.parse(talker.rest.toString()) as unknown).toThrow(SyntaxError);
  });

  test('kill-self@N', async () => {
    const talker = await greeted(agent, { faults: `kill-self@${AT}` });
    talker.prompt('say a b c');
    expect(await talker.exited).toEqual({ code: null, signal: 'SIGKILL' });
    await talker.closed;
    expect(talker.turnLines()).toHaveLength(AT);
  });

  test('hang@N: silent for good, deaf to an interrupt and to the end of stdin', async () => {
    const talker = await greeted(agent);
    talker.prompt(`say a b c then hang@${AT}`);
    await talker.until(() => talker.turnLines().length === AT);
    void talker.interrupt().catch(() => undefined);
    talker.child.stdin?.end();
    await talker.until(() => talker.stderr.includes('the end of stdin is ignored'));
    expect(talker.turnLines()).toHaveLength(AT);
    talker.kill('SIGTERM');
    expect(await talker.exited).toEqual({ code: agent === 'claude' ? 143 : 0, signal: null });
  });

  test('hang-soft@N: silent until an interrupt', async () => {
    const talker = await greeted(agent);
    talker.prompt('say a b c then hang-soft');
    await talker.firstDelta();
    await talker.interrupt();
    const ended = await talker.ended();
    expect(ended).toMatchObject(agent === 'claude' ? { is_error: true } : { status: 'interrupted' });
    expect(talker.deltas()).toEqual(['a ']);
    await talker.turn('say fine');
    expect(talker.texts()).toEqual(['fine']);
  });

  test('no-result: the turn never ends, the next one does', async () => {
    const talker = await greeted(agent);
    const from = talker.lines.length;
    talker.prompt('say a then no-result');
    const done = agent === 'claude' ? 'stream_event message_stop' : 'account/rateLimits/updated';
    await talker.until(() => talker.brief().includes(done));
    await talker.turn('say b');
    expect(talker.lines.slice(from).filter(ends)).toHaveLength(1);
    expect(talker.texts()).toEqual(['b']);
  });

  test('second-result: an end that belongs to no turn', async () => {
    const talker = await greeted(agent);
    talker.prompt('say a then second-result');
    await talker.until(() => talker.turnLines().filter(ends).length === 2);
    const second = talker.turnLines().filter(ends)[1];
    expect(second).toMatchObject(
      agent === 'claude'
        ? { subtype: 'error_during_execution', is_error: true, num_turns: 0, duration_ms: 0 }
        : { params: { turn: { status: 'failed' } } },
    );
  });

  test('error-result: the model refuses for good', async () => {
    const talker = await greeted(agent);
    const ended = await talker.turn('say a then error-result:401');
    const told = await talker.line((line) => line['type'] === 'assistant' || line['method'] === 'error');
    const [end, telling] = REFUSED[agent];
    expect(ended).toMatchObject(end);
    expect(told).toMatchObject(telling);
    await talker.turn('say fine');
    expect(talker.texts()).toEqual(['fine']);
  });

  test('woke: a turn that nobody asked for follows', async () => {
    const talker = await greeted(agent);
    talker.prompt('say a then woke');
    await talker.until(() => talker.turnLines().filter(ends).length === 2);
    expect(talker.texts()).toEqual(['a', 'I woke up by myself']);
    const second = talker.turnLines().filter(ends)[1];
    const origin = agent === 'claude' ? { origin: { kind: 'task-notification' } } : {};
    expect(second).toMatchObject(origin);
    expect(
      talker.brief().filter((one) => one === (agent === 'claude' ? 'user' : 'item/started userMessage')),
    ).toHaveLength(1);
  });
});

describe.each(AGENTS)('%s: lines that mislead', (agent) => {
  test('no-receipt: nothing says that the message was taken', async () => {
    const talker = await greeted(agent);
    const uuid = talker.prompt('say a then no-receipt');
    await talker.ended();
    expect(talker.texts()).toEqual(['a']);
    expect(talker.raw.join('\n')).not.toContain(uuid);
  });

  test('late-receipt: it comes behind the deltas', async () => {
    const talker = await greeted(agent);
    await talker.turn('say a then late-receipt');
    const brief = talker.brief();
    const [receipt, delta] =
      agent === 'claude'
        ? ['user', 'stream_event content_block_delta']
        : ['answer', 'item/agentMessage/delta'];
    expect(brief).toContain(receipt);
    expect(brief.indexOf(receipt)).toBeGreaterThan(brief.indexOf(delta));
  });

  test('repeated-tool-ids, repeated-message-ids: two turns, one id', async () => {
    const talker = await greeted(agent, { faults: 'repeated-tool-ids,repeated-message-ids' });
    await talker.turn('tool A');
    await talker.turn('tool B');
    const text = talker.raw.join('\n');
    const ids = new Set(text.match(/"id":"(toolu|call|msg|m)_[^"]+"/g));
    expect([...ids].every((id) => id.includes('repeated'))).toBe(true);
    expect(ids.size).toBe(2);
  });

  test('retry-stream: the text is cut and streamed again', async () => {
    const talker = await greeted(agent);
    await talker.turn('say a b c d then retry-stream');
    expect(talker.deltas().join('')).toBe('a b a b c d');
    expect(talker.texts()).toEqual(['a b c d']);
    const retry = agent === 'claude' ? 'system api_retry' : 'error';
    const begin = agent === 'claude' ? 'stream_event message_start' : 'item/started agentMessage';
    expect(talker.brief()).toContain(retry);
    expect(talker.brief().filter((one) => one === begin)).toHaveLength(2);
  });

  test('fallback: the whole text at once, no deltas', async () => {
    const talker = await greeted(agent);
    await talker.turn('say a b c then fallback');
    expect(talker.deltas()).toEqual([]);
    expect(talker.texts()).toEqual(['a b c']);
    expect(talker.brief().filter((one) => one.startsWith('stream_event'))).toEqual([]);
  });

  test('garbage: lines that are not JSON stand between the others', async () => {
    const talker = await greeted(agent);
    await talker.turn('say a b c d e f then garbage');
    expect(talker.brief().filter((one) => one === 'garbage').length).toBeGreaterThan(2);
    expect(talker.texts()).toEqual(['a b c d e f']);
  });

  test('invalid-utf8', async () => {
    const talker = await greeted(agent);
    const bytes: Buffer[] = [];
    talker.child.stdout?.on('data', (chunk: Buffer) => bytes.push(chunk));
    await talker.turn('say a then invalid-utf8');
    expect(Buffer.concat(bytes).includes(Buffer.from([0xc3, 0x28, 0xff]))).toBe(true);
    expect(() => new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(bytes))).toThrow(TypeError);
  });

  test('unknown-types', async () => {
    const talker = await greeted(agent);
    await talker.turn('say a then unknown-types');
    expect(talker.raw.filter((line) => /from_?the_?future/i.test(line)).length).toBeGreaterThan(3);
    const request = talker
      .turnLines()
      .find(
        (line) =>
          JSON.stringify(line).includes('request') &&
          (line['request_id'] ?? line['id']) !== undefined &&
          /future/i.test(JSON.stringify(line)),
      );
    expect(request).toBeDefined();
    expect(talker.texts()).toEqual(['a']);
  });

  test('huge-line: megabytes of no JSON on one line, then the turn goes on', async () => {
    const talker = await greeted(agent);
    await talker.turn('say a b then huge-line:3');
    expect(talker.raw.map((line) => line.length)).toContain(3 * 1024 * 1024);
    expect(talker.texts()).toEqual(['a b']);
  });

  test('huge-no-newline: the newline comes only with an interrupt', async () => {
    const talker = await greeted(agent);
    talker.prompt('say a b then huge-no-newline:3');
    await talker.until(() => talker.rest.length === 3 * 1024 * 1024);
    void talker.interrupt().catch(() => undefined);
    await talker.until(() => talker.rest.length < 1000);
    const ended = await talker.ended();
    expect(ended).toMatchObject(agent === 'claude' ? { is_error: true } : { status: 'interrupted' });
  });
});

describe.each(AGENTS)('%s: a process that does not end', (agent) => {
  test('ignore-sigterm', async () => {
    const talker = await greeted(agent);
    await talker.turn('say a then ignore-sigterm');
    talker.kill('SIGTERM');
    await talker.until(() => talker.stderr.includes('SIGTERM is ignored'));
    await talker.turn('say alive');
    expect(talker.texts()).toEqual(['alive']);
    talker.kill('SIGKILL');
    expect(await talker.exited).toEqual({ code: null, signal: 'SIGKILL' });
  });

  test('ignore-eof', async () => {
    const talker = await greeted(agent, { faults: 'ignore-eof' });
    await talker.turn('say a');
    talker.child.stdin?.end();
    await talker.until(() => talker.stderr.includes('the end of stdin is ignored'));
    talker.kill('SIGTERM');
    expect(await talker.exited).toEqual({ code: agent === 'claude' ? 143 : 0, signal: null });
  });

  test('eof-late', async () => {
    const talker = await greeted(agent, { faults: 'eof-late:300' });
    const begun = performance.now();
    talker.child.stdin?.end();
    expect(await talker.exited).toEqual({ code: 0, signal: null });
    expect(performance.now() - begun).toBeGreaterThan(290);
  });

  test('result-then-hang: behind its result the agent is dead but for its process', async () => {
    const talker = await greeted(agent, { faults: 'result-then-hang' });
    await talker.turn('say a');
    const heard = talker.lines.length;
    talker.prompt('say b');
    talker.child.stdin?.end();
    await talker.until(() => talker.stderr.includes('the end of stdin is ignored'));
    talker.kill('SIGTERM');
    await talker.closed;
    expect(talker.lines.slice(heard).filter(ends)).toEqual([]);
    expect(talker.texts()).toEqual([]);
  });

  test('stop-reading-stdin: what is written piles up', async () => {
    const here = new Place();
    onTestFinished(() => here[Symbol.dispose]());
    const talker = here.start(agent);
    await talker.greet();
    await talker.turn('say a then stop-reading-stdin');
    talker.prompt('say b');
    const taken = new Promise((resolve) => {
      talker.child.stdin?.write(Buffer.alloc(4 * 1024 * 1024, ' '), (error) => resolve(error == null));
    });
    talker.kill('SIGTERM');
    await talker.exited;
    expect(await taken).toBe(false);
    expect(here.received()).toHaveLength(1);
  });
});

describe.each(AGENTS)('%s: a start that goes wrong', (agent) => {
  test('silent-start: initialize is never answered', async () => {
    const talker = started(agent, { faults: 'silent-start' });
    void talker.greet().catch(() => undefined);
    talker.child.stdin?.end();
    expect(await talker.exited).toEqual({ code: 0, signal: null });
    await talker.closed;
    expect(talker.lines).toEqual([]);
  });

  test('exit-at-start', async () => {
    expect(await started(agent, { faults: 'exit-at-start' }).exited).toEqual({ code: 1, signal: null });
    expect(await started(agent, { faults: 'exit-at-start:7' }).exited).toEqual({ code: 7, signal: null });
  });

  test('stderr-then-exit', async () => {
    const talker = started(agent, { faults: 'stderr-then-exit' });
    expect(await talker.exited).toMatchObject({ code: 1 });
    await talker.closed;
    expect(talker.stderr).toContain('cannot start');
  });

  test('slow-start', async () => {
    const begun = performance.now();
    await greeted(agent, { faults: 'slow-start:400' });
    expect(performance.now() - begun).toBeGreaterThan(390);
  });

  test('startup-garbage', async () => {
    const talker = await greeted(agent, { faults: 'startup-garbage' });
    expect(talker.lines.filter((line) => 'garbage' in line)).toHaveLength(3);
    await talker.turn('say a');
    expect(talker.texts()).toEqual(['a']);
  });

  test('a misspelt fault ends the process at once', async () => {
    const talker = started(agent, { faults: 'dye@3' });
    expect(await talker.exited).toMatchObject({ code: 2 });
  });

  test('FAKE_FAULT_ONCE: only the first process has the faults', async () => {
    const here = new Place();
    onTestFinished(() => here[Symbol.dispose]());
    const env = { FAKE_FAULT_ONCE: path.join(here.root, `once-${randomUUID()}`) };
    expect(await here.start(agent, { faults: 'exit-at-start', env }).exited).toMatchObject({ code: 1 });
    const second = here.start(agent, { faults: 'exit-at-start', env });
    await second.greet();
    await second.turn('say a');
    expect(second.texts()).toEqual(['a']);
  });
});

/** A conversation that exists, in a place of its own. */
async function conversation(agent: Agent): Promise<{ here: Place; id: string }> {
  const here = new Place();
  onTestFinished(() => here[Symbol.dispose]());
  const first = here.start(agent);
  await first.greet();
  const ended = await first.turn('say a');
  first.child.stdin?.end();
  await first.exited;
  return { here, id: agent === 'claude' ? `${ended['session_id']}` : first.thread };
}

describe('a conversation that is not taken up again', () => {
  test.each([
    ['resume-fails', 'cannot be read', []],
    ['resume-unknown', 'No conversation found with session ID', ['error_during_execution']],
  ])('claude: %s', async (faults, said, results) => {
    const { here, id } = await conversation('claude');
    const talker = here.start('claude', { faults, args: ['--resume', id] });
    expect(await talker.exited).toEqual({ code: 1, signal: null });
    await talker.closed;
    expect(talker.stderr).toContain(said);
    expect(talker.lines.map((line) => line['subtype'])).toEqual(results);
  });

  test.each([
    ['resume-fails', 'the file is damaged'],
    ['resume-unknown', 'no rollout found'],
  ])('codex: %s', async (faults, said) => {
    const { here, id } = await conversation('codex');
    const answer = await here.start('codex', { faults }).greet({ resume: id });
    expect(answer['error'].message).toContain(said);
  });
});

test('every fault is known by its name', () => {
  const all = [...TURN_FAULTS, ...PROCESS_FAULTS, ...START_FAULTS];
  expect(new Set(all).size).toBe(all.length);
  expect(parseFaults('die@3, exit-at-start:7 ,')).toEqual([
    { name: 'die', at: 3, argument: undefined },
    { name: 'exit-at-start', at: undefined, argument: '7' },
  ]);
});
