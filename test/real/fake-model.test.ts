import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bulk, type FakeModel, startFakeModel } from '../../src/testing/index.ts';
import { JsonLinesChild, type Line } from '../support/json-lines-child.ts';
import { type RealAgents, realAgents } from '../support/real-agents.ts';

let model: FakeModel;
let agents: RealAgents;

beforeAll(async () => {
  model = await startFakeModel();
  agents = realAgents(model.url);
});

afterAll(async () => {
  await model.close();
  await agents.dispose();
});

function claude(...extra: string[]): JsonLinesChild {
  const args = [
    '-p',
    '--output-format',
    'stream-json',
    '--input-format',
    'stream-json',
    '--replay-user-messages',
  ];
  args.push('--include-partial-messages', '--verbose', '--dangerously-skip-permissions', ...extra);
  return new JsonLinesChild({ ...agents.claude, cwd: agents.cwd, args });
}

/** One turn: the lines that it printed, the last one being its result. */
async function turn(child: JsonLinesChild, content: string): Promise<{ lines: Line[]; result: Line }> {
  const from = child.lines.length;
  child.send({ type: 'user', message: { role: 'user', content }, parent_tool_use_id: null });
  const result = await child.line((line) => line['type'] === 'result', { from });
  return { result, lines: child.lines.slice(from) };
}

const deltas = (lines: readonly Line[], kind: string, field: string): string =>
  lines
    .filter((line) => line['type'] === 'stream_event' && line['event'].delta?.type === kind)
    .map((line) => line['event'].delta[field])
    .join('');

const toolUses = (lines: readonly Line[]): Line[] =>
  lines
    .filter((line) => line['type'] === 'assistant')
    .flatMap((line) => line['message'].content)
    .filter((block: Line) => block['type'] === 'tool_use');

describe('Claude Code', () => {
  test('streams text and thinking, uses tools, one and several, and quotes what they answered', async () => {
    await using child = claude();
    const said = await turn(child, 'say Hello there');
    expect(said.result).toMatchObject({ is_error: false, result: 'Hello there' });
    expect(deltas(said.lines, 'text_delta', 'text')).toBe('Hello there');

    const echoed = await turn(child, 'what is this?');
    expect(echoed.result['result']).toBe('You said: what is this?');

    const thought = await turn(child, 'think about whales then say They are large');
    expect(thought.result['result']).toBe('They are large');
    expect(deltas(thought.lines, 'thinking_delta', 'thinking')).toBe('Let me think about whales.');
    const thinking = thought.lines.find((line) => line['type'] === 'assistant')?.['message'].content[0];
    expect(thinking).toMatchObject({ type: 'thinking', signature: expect.stringMatching(/^signature-/) });

    const ran = await turn(child, 'run: echo "a mark: $((40+2))"');
    expect(ran.result).toMatchObject({ is_error: false, result: 'The tool answered: a mark: 42' });
    expect(toolUses(ran.lines)).toMatchObject([
      { name: 'Bash', input: { command: 'echo "a mark: $((40+2))"' } },
    ]);

    const several = await turn(child, 'parallel: echo one | echo two | echo three');
    expect(toolUses(several.lines)).toHaveLength(3);
    expect(several.result['result'].split('\n').sort()).toEqual(
      ['one', 'three', 'two'].map((word) => `The tool answered: ${word}`),
    );

    const script = await turn(
      child,
      'write: note.txt: first line\\nsecond line\nread: note.txt\nrun: wc -l note.txt\nsay All done',
    );
    expect(script.result).toMatchObject({ is_error: false, result: 'All done' });
    expect(toolUses(script.lines).map((use) => use['name'])).toEqual(['Write', 'Read', 'Bash']);
    expect(await readFile(path.join(agents.cwd, 'note.txt'), 'utf8')).toBe('first line\nsecond line');
  });

  test('a 5 MB answer arrives whole', async () => {
    await using child = claude();
    const { result, lines } = await turn(child, 'big 5MB');
    expect(result['result']).toBe(bulk(5 * 1024 * 1024));
    expect(deltas(lines, 'text_delta', 'text')).toBe(bulk(5 * 1024 * 1024));
  });

  test('529 twice is retried, a cut is retried, a refused key and a too long context are results', async () => {
    await using child = claude();
    const overloaded = await turn(child, 'fail 529 twice then say Back again');
    expect(overloaded.result).toMatchObject({ is_error: false, result: 'Back again' });
    expect(retries(overloaded.lines)).toEqual([529, 529]);

    const cut = await turn(child, 'cut once');
    expect(cut.result['is_error']).toBe(false);
    expect(cut.result['result']).toContain('and the other half.');
    expect(deltas(cut.lines, 'text_delta', 'text')).toContain('Half of an answer, ');

    const bad = await turn(child, 'fail 400');
    expect(bad.result).toMatchObject({ is_error: true, api_error_status: 400 });

    const long = await turn(child, 'context-error');
    expect(long.result).toMatchObject({ is_error: true, terminal_reason: 'prompt_too_long' });
    const shorter = await turn(child, 'context-error once then say Compacted');
    expect(shorter.result).toMatchObject({ is_error: false, result: 'Compacted' });
    expect(model.requests.some((request) => request.side === 'compaction')).toBe(true);

    const after = await turn(child, 'say Still here');
    expect(after.result).toMatchObject({ is_error: false, result: 'Still here' });
  });

  test('a held answer waits for its gate, a message in between is answered, a silent one can be interrupted', async () => {
    await using child = claude();
    child.send({
      type: 'user',
      message: { role: 'user', content: 'say before\nhold gate-claude\nsay after' },
      parent_tool_use_id: null,
    });
    await child.line((line) => line['event']?.delta?.text === 'before');
    expect(model.held).toContain('gate-claude');
    model.release('gate-claude');
    const held = await child.line((line) => line['type'] === 'result');
    expect(held).toMatchObject({ is_error: false, result: 'after' });

    const from = child.lines.length;
    child.send({ type: 'user', message: { role: 'user', content: 'silence' }, parent_tool_use_id: null });
    await child.line((line) => line['event']?.type === 'message_start', { from });
    child.send({ type: 'control_request', request_id: 'i', request: { subtype: 'interrupt' } });
    const stopped = await child.line((line) => line['type'] === 'result', { from });
    expect(stopped['terminal_reason']).toMatch(/^aborted/);
    expect((await turn(child, 'say Fresh')).result['result']).toBe('Fresh');
  });

  test('a message sent while a tool runs is answered in the same turn', async () => {
    await using child = claude();
    child.send({
      type: 'user',
      message: { role: 'user', content: 'run: until [ -e go ]; do sleep 0.05; done' },
      parent_tool_use_id: null,
    });
    await child.line((line) => line['type'] === 'assistant');
    child.send({
      type: 'user',
      message: { role: 'user', content: 'say Steered' },
      parent_tool_use_id: null,
      uuid: crypto.randomUUID(),
    });
    await child.line((line) => line['type'] === 'command_lifecycle' && line['state'] === 'queued');
    await writeFile(path.join(agents.cwd, 'go'), '');
    const result = await child.line((line) => line['type'] === 'result');
    expect(result['result']).toBe('Steered');
  });

  test('a turn that Claude starts itself, for a background task that ended, is noted and not run again', async () => {
    await using child = claude();
    const command = 'until [ -e background ]; do sleep 0.05; done';
    const started = await turn(
      child,
      `tool: Bash ${JSON.stringify({ command, run_in_background: true })}\nsay Started`,
    );
    expect(started.result['result']).toBe('Started');
    const from = child.lines.length;
    await writeFile(path.join(agents.cwd, 'background'), '');
    const own = await child.line((line) => line['type'] === 'result', { from });
    expect(own).toMatchObject({ result: 'Noted.', origin: { kind: 'task-notification' } });
  });

  test('what was said is recalled after a restart with --resume', async () => {
    let session: string;
    {
      await using child = claude();
      session = (await turn(child, 'remember: the code is 4711')).result['session_id'];
      child.endInput();
      expect((await child.finished()).code).toBe(0);
    }
    await using child = claude('--resume', session);
    expect((await turn(child, 'recall')).result['result']).toBe('You told me: the code is 4711');
    await turn(child, '/compact');
    expect((await turn(child, 'recall')).result['result']).toBe('You told me: the code is 4711');
  });
});

function retries(lines: readonly Line[]): number[] {
  return lines.filter((line) => line['subtype'] === 'api_retry').map((line) => line['error_status']);
}

async function codexExec(
  prompt: string,
  ...extra: string[]
): Promise<{ code: number | null; lines: readonly Line[]; text: string }> {
  const args = [
    'exec',
    ...extra,
    '--json',
    '--skip-git-repo-check',
    '--dangerously-bypass-approvals-and-sandbox',
    prompt,
  ];
  await using child = new JsonLinesChild({ ...agents.codex, cwd: agents.cwd, args });
  child.endInput();
  const { code, lines } = await child.finished();
  const items = lines.filter((line) => line['type'] === 'item.completed').map((line) => line['item']);
  return { code, lines, text: items.findLast((item) => item.type === 'agent_message')?.text };
}

/** An initialized app-server with one thread. */
async function codexThread(): Promise<{
  child: JsonLinesChild;
  threadId: string;
  start: (text: string) => Promise<Line>;
}> {
  const child = new JsonLinesChild({ ...agents.codex, cwd: agents.cwd, args: ['app-server'] });
  child.send({
    id: 1,
    method: 'initialize',
    params: { clientInfo: { name: 'test', title: 'test', version: '1' } },
  });
  await child.line((line) => line['id'] === 1 && 'result' in line);
  child.send({ method: 'initialized', params: {} });
  child.send({
    id: 2,
    method: 'thread/start',
    params: { cwd: agents.cwd, approvalPolicy: 'never', sandbox: 'danger-full-access' },
  });
  const threadId: string = (await child.line((line) => line['id'] === 2 && 'result' in line))['result'].thread
    .id;
  let id = 2;
  const start = async (text: string): Promise<Line> => {
    const from = child.lines.length;
    id += 1;
    child.send({ id, method: 'turn/start', params: { threadId, input: [{ type: 'text', text }] } });
    return (await child.line((line) => line['method'] === 'turn/completed', { from }))['params'].turn;
  };
  return { child, threadId, start };
}

const completed = (child: JsonLinesChild, type: string): Line[] =>
  child.lines
    .filter((line) => line['method'] === 'item/completed' && line['params'].item.type === type)
    .map((line) => line['params'].item);

const codexDeltas = (child: JsonLinesChild, method: string): string =>
  child.lines
    .filter((line) => line['method'] === method)
    .map((line) => line['params'].delta)
    .join('');

describe('Codex', () => {
  test('exec: text, tool use, resume', async () => {
    const said = await codexExec('say Hello there');
    expect(said).toMatchObject({ code: 0, text: 'Hello there' });
    const thread: string = said.lines.find((line) => line['type'] === 'thread.started')?.['thread_id'];
    expect(await codexExec('remember: the code is 4711', 'resume', thread)).toMatchObject({ code: 0 });
    expect(await codexExec('recall', 'resume', thread)).toMatchObject({
      text: 'You told me: the code is 4711',
    });
    const ran = await codexExec('run: echo "a mark: $((40+2))"');
    expect(ran).toMatchObject({ code: 0, text: 'The tool answered: a mark: 42' });
  });

  test('app-server: deltas, reasoning, tools one and several, a patch', async () => {
    const { child, start } = await codexThread();
    await using _ = child;
    await start('think about whales then say They are large');
    expect(codexDeltas(child, 'item/agentMessage/delta')).toBe('They are large');
    expect(codexDeltas(child, 'item/reasoning/summaryTextDelta')).toBe('Let me think about whales.');
    expect(completed(child, 'reasoning')).toMatchObject([{ summary: ['Let me think about whales.'] }]);

    const several = await start('parallel: echo one | echo two | echo three');
    expect(several['status']).toBe('completed');
    expect(
      completed(child, 'commandExecution')
        .map((item): string => item['aggregatedOutput'].trim())
        .sort(),
    ).toEqual(['one', 'three', 'two']);
    expect(completed(child, 'agentMessage').at(-1)?.['text'].split('\n').sort()).toEqual(
      ['one', 'three', 'two'].map((word) => `The tool answered: ${word}`),
    );

    await start('write: patch.txt: first line\\nsecond line\nread: patch.txt\nrun: exit 3\nsay All done');
    expect(completed(child, 'fileChange')).toMatchObject([{ status: 'completed' }]);
    expect(completed(child, 'commandExecution').at(-1)).toMatchObject({ exitCode: 3 });
    expect(completed(child, 'agentMessage').at(-1)?.['text']).toBe('All done');
    expect(await readFile(path.join(agents.cwd, 'patch.txt'), 'utf8')).toBe('first line\nsecond line\n');
  });

  test('app-server: a 5 MB answer arrives whole', async () => {
    const { child, start } = await codexThread();
    await using _ = child;
    await start('big 5MB');
    expect(completed(child, 'agentMessage')[0]?.['text']).toBe(bulk(5 * 1024 * 1024));
    expect(codexDeltas(child, 'item/agentMessage/delta')).toBe(bulk(5 * 1024 * 1024));
  });

  test('app-server: faults are retried or end the turn, and the thread goes on', async () => {
    const { child, start } = await codexThread();
    await using _ = child;
    expect(await start('fail 529 twice then say Back again')).toMatchObject({
      status: 'completed',
      items: [{ text: 'Back again' }],
    });
    expect(await start('cut once')).toMatchObject({
      status: 'completed',
      items: [{ text: 'and the other half.' }],
    });
    expect(await start('fail 401')).toMatchObject({
      status: 'failed',
      error: { codexErrorInfo: expect.anything() },
    });
    expect(await start('context-error')).toMatchObject({
      status: 'failed',
      error: { codexErrorInfo: 'contextWindowExceeded' },
    });
    expect(await start('say Still here')).toMatchObject({
      status: 'completed',
      items: [{ text: 'Still here' }],
    });
  });

  test('app-server: what was said is recalled after a compaction, asked for or because of the tokens', async () => {
    const { child, threadId, start } = await codexThread();
    await using _ = child;
    await start('remember: pears');
    const from = child.lines.length;
    child.send({ id: 99, method: 'thread/compact/start', params: { threadId } });
    await child.line((line) => line['method'] === 'turn/completed', { from });
    expect(await start('recall')).toMatchObject({ items: [{ text: 'You told me: pears' }] });
    await start('tokens 250000 10');
    expect(await start('recall')).toMatchObject({ items: [{ text: 'You told me: pears' }] });
    const sides = model.requests
      .filter((request) => request.conversation === threadId)
      .map((request) => request.side);
    expect(sides).toEqual([null, 'compaction', null, null, 'compaction', null]);
  });

  test('app-server: a held answer waits for its gate, a long command is waited for, a silent one can be interrupted', async () => {
    const { child, threadId, start } = await codexThread();
    await using _ = child;
    const running = start('say before\nhold gate-codex\nsay after');
    await child.line(
      (line) => line['method'] === 'item/agentMessage/delta' && line['params'].delta === 'before',
    );
    model.release('gate-codex');
    expect(await running).toMatchObject({ status: 'completed', items: [{ text: 'after' }] });

    expect(await start('run: sleep 11; echo slow')).toMatchObject({
      status: 'completed',
      items: [{ text: 'The tool answered: slow' }],
    });

    const from = child.lines.length;
    const silent = start('silence');
    const started = await child.line((line) => line['method'] === 'turn/started', { from });
    child.send({ id: 99, method: 'turn/interrupt', params: { threadId, turnId: started['params'].turn.id } });
    expect(await silent).toMatchObject({ status: 'interrupted' });
  });
});
