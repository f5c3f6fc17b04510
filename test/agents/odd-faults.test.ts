/** Faults of lines and endings that are odd rather than broken: each does what its name says, in both agents. */
import { onTestFinished, describe, expect, test } from 'vitest';
import { type Agent, type Line, Place, type Talker } from './talker.ts';

const AGENTS: readonly Agent[] = ['claude', 'codex'];

async function greeted(agent: Agent): Promise<Talker> {
  const made = new Place();
  onTestFinished(() => made[Symbol.dispose]());
  const talker = made.start(agent);
  await talker.greet();
  return talker;
}

const ends = (line: Line): boolean => line['type'] === 'result' || line['method'] === 'turn/completed';

describe.each(AGENTS)('%s: odd lines and endings', (agent) => {
  test('exit-clean@N: exits with 0 in the middle of a turn', async () => {
    const talker = await greeted(agent);
    talker.prompt('say a b c then exit-clean@6');
    expect(await talker.exited).toEqual({ code: 0, signal: null });
    await talker.closed;
    expect(talker.turnLines()).toHaveLength(6);
  });

  test('result-then-exit: the turn ends, and the process with it', async () => {
    const talker = await greeted(agent);
    await talker.turn('say a then result-then-exit:4');
    expect(await talker.exited).toEqual({ code: 4, signal: null });
    expect(talker.texts()).toEqual(['a']);
  });

  test('close-stdout@N: the pipe ends, the process lives', async () => {
    const talker = await greeted(agent);
    const over = new Promise((resolve) => talker.child.stdout?.once('end', resolve));
    talker.prompt('say a b c then close-stdout@6');
    await over;
    expect(talker.turnLines()).toHaveLength(6);
    expect([talker.child.exitCode, talker.child.signalCode]).toEqual([null, null]);
    talker.kill('SIGTERM');
    await talker.exited;
  });

  test('torn-lines: halves of lines, and every line whole', async () => {
    const talker = await greeted(agent);
    let torn = 0;
    talker.child.stdout?.on('data', (chunk: Buffer) => (torn += chunk.at(-1) === 10 ? 0 : 1));
    await talker.turn('say a b c then torn-lines:5');
    expect(torn).toBeGreaterThan(5);
    expect(talker.texts()).toEqual(['a b c']);
  });

  test('crlf: lines end with a carriage return too', async () => {
    const talker = await greeted(agent);
    const from = talker.raw.length;
    await talker.turn('say a then crlf');
    expect(talker.raw.slice(from).filter((line) => line.endsWith('\r')).length).toBeGreaterThan(5);
    expect(talker.texts()).toEqual(['a']);
  });

  test('stderr-flood: megabytes on stderr', async () => {
    const talker = await greeted(agent);
    await talker.turn('say a then stderr-flood:2');
    await talker.until(() => talker.stderr.length >= 2 * 1024 * 1024);
    expect(talker.texts()).toEqual(['a']);
  });

  test('open-tools: a tool starts and does not complete', async () => {
    const talker = await greeted(agent);
    await talker.turn('tool Bash then say after then open-tools');
    const said = talker.raw.join('\n');
    expect(said).toMatch(agent === 'claude' ? /"tool_use"/ : /"commandExecution"/);
    const done = talker.brief().filter((one) => one === 'item/completed commandExecution');
    expect([done, said.includes('tool_result')]).toEqual([[], false]);
    expect(talker.texts()).toEqual(['after']);
  });

  test('deaf-interrupt: neither answered nor heeded', async () => {
    const talker = await greeted(agent);
    talker.prompt('deaf-interrupt\nstream 20 words 10 ms');
    await talker.firstDelta();
    let answered = false;
    void talker.interrupt().then(
      () => (answered = true),
      () => undefined,
    );
    await talker.ended();
    expect(talker.deltas()).toHaveLength(20);
    expect(answered).toBe(false);
  });

  test('interrupt-refused: the first one, with an error', async () => {
    const talker = await greeted(agent);
    talker.prompt('interrupt-refused\nsay a then tool-hang');
    await talker.firstDelta();
    const first = await talker.interrupt();
    expect(JSON.stringify(first)).toMatch(/refused|expected active turn id/);
    await talker.interrupt();
    const ended = await talker.ended();
    expect(ended).toMatchObject(agent === 'claude' ? { is_error: true } : { status: 'interrupted' });
  });

  test('empty-result: completed without a word', async () => {
    const talker = await greeted(agent);
    const ended = await talker.turn('empty-result\nsay never said');
    expect(ended).toMatchObject(agent === 'claude' ? { is_error: false } : { status: 'completed' });
    expect(talker.texts()).toEqual([]);
    await talker.until(() => talker.stderr.includes('the model gave nothing'));
  });

  test('bare-result: an ending with nothing but its status', async () => {
    const talker = await greeted(agent);
    const ended = await talker.turn('say a then bare-result');
    expect(Object.keys(ended).toSorted()).toEqual(
      agent === 'claude'
        ? ['is_error', 'session_id', 'subtype', 'type', 'user_message_uuid', 'user_message_uuids', 'uuid']
        : ['id', 'status'],
    );
  });

  test('no-opening: the turn begins with its first item', async () => {
    const talker = await greeted(agent);
    await talker.turn('say a then no-opening');
    expect(talker.brief()).not.toContain(agent === 'claude' ? 'system init' : 'turn/started');
    expect(talker.texts()).toEqual(['a']);
  });
});

test('claude: new-session: the conversation goes on under another id', async () => {
  const here = new Place();
  onTestFinished(() => here[Symbol.dispose]());
  const talker = here.start('claude');
  await talker.greet();
  const first = await talker.turn('say a');
  const second = await talker.turn('say b then new-session');
  expect(second['session_id']).not.toBe(first['session_id']);
  talker.child.stdin?.end();
  await talker.exited;
  const again = here.start('claude', { args: ['--resume', `${second['session_id']}`] });
  await again.greet();
  await again.turn('recall');
  expect(again.texts().join('')).toContain('say a');
});

test('codex: overloaded: the turn is refused, the next one is not', async () => {
  const talker = await greeted('codex');
  talker.prompt('overloaded\nsay a');
  const refused = await talker.line((line) => line['error'] !== undefined);
  expect(refused['error']).toMatchObject({ code: -32_001 });
  expect(talker.turnLines().filter(ends)).toEqual([]);
  await talker.turn('say b');
  expect(talker.texts()).toEqual(['b']);
});
