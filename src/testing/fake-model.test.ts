import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { bulk, type FakeModel, type ModelRequest, startFakeModel } from './index.ts';
import { type JsonObject, listOf, objectOf, textOf } from './json.ts';

let model: FakeModel;

beforeEach(async () => {
  model = await startFakeModel();
});
afterEach(() => model.close());

const SHELL = [{ name: 'Bash' }, { name: 'Write' }, { name: 'Read' }];
const EXEC = [
  { type: 'function', name: 'exec_command' },
  { type: 'custom', name: 'apply_patch' },
];

function post(path: string, body: object, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
  return fetch(model.url + path, { method: 'POST', body: JSON.stringify(body), headers });
}

/** A Messages request; a string is one user message. */
function messages(said: string | object[], more: object = {}): Promise<Response> {
  const list = typeof said === 'string' ? [{ role: 'user', content: said }] : said;
  return post('/v1/messages', {
    model: 'm',
    max_tokens: 1000,
    messages: list,
    stream: true,
    tools: SHELL,
    ...more,
  });
}

function responses(said: string | object[], more: object = {}): Promise<Response> {
  const input =
    typeof said === 'string'
      ? [{ type: 'message', role: 'user', content: [{ type: 'input_text', text: said }] }]
      : said;
  return post('/v1/responses', { model: 'm', input, stream: true, tools: EXEC, ...more });
}

/** The events of a whole stream; each one's `event:` line must agree with its data. */
async function events(response: Promise<Response>): Promise<JsonObject[]> {
  const text = await (await response).text();
  return text
    .split('\n\n')
    .filter((one) => one !== '')
    .map((one) => {
      // No pattern: of a data line of megabytes one runs out of stack.
      const [event = '', data = '', ...more] = one.split('\n');
      expect([event.slice(0, 7), data.slice(0, 6), more]).toEqual(['event: ', 'data: ', []]);
      const parsed = objectOf(JSON.parse(data.slice(6)));
      expect(parsed['type']).toBe(event.slice(7));
      return parsed;
    });
}

const types = (all: readonly JsonObject[]): string[] => all.map((one) => textOf(one['type']));

const joined = (all: readonly JsonObject[], type: string): string =>
  all
    .map((one) =>
      textOf(
        type === objectOf(one['delta'])['type']
          ? objectOf(one['delta'])['text']
          : type === one['type']
            ? one['delta']
            : '',
      ),
    )
    .join('');

const said = async (response: Promise<Response>): Promise<string> =>
  joined(await events(response), 'text_delta');

describe('Messages API', () => {
  test('streams the events of an answer in order', async () => {
    const all = await events(messages('think about it then say yes'));
    expect(types(all)).toEqual([
      'message_start',
      'content_block_start',
      'content_block_delta',
      'content_block_delta',
      'content_block_stop',
      'content_block_start',
      'content_block_delta',
      'content_block_stop',
      'message_delta',
      'message_stop',
    ]);
    expect(all.at(-2)).toMatchObject({
      delta: { stop_reason: 'end_turn' },
      usage: { output_tokens: expect.any(Number) },
    });
    expect(all[3]).toMatchObject({
      index: 0,
      delta: { type: 'signature_delta', signature: expect.stringMatching(/./) },
    });
  });

  test('answers whole when nobody asks for a stream', async () => {
    const answer: unknown = await (
      await messages('think about it\nsay yes\nrun: ls', { stream: false })
    ).json();
    expect(answer).toMatchObject({
      type: 'message',
      role: 'assistant',
      stop_reason: 'tool_use',
      content: [
        { type: 'thinking', thinking: 'Let me think about it.' },
        { type: 'text', text: 'yes' },
        { type: 'tool_use', name: 'Bash', input: { command: 'ls' } },
      ],
    });
  });

  test('a script goes on after tool results, at the step that the conversation has reached', async () => {
    const conversation: object[] = [{ role: 'user', content: 'parallel: a | b\nsay between\nrun: c' }];
    const reply = async (results: readonly string[]): Promise<JsonObject> => {
      const answer = objectOf(await (await messages(conversation, { stream: false })).json());
      const calls = listOf(answer['content'])
        .map(objectOf)
        .filter((block) => block['type'] === 'tool_use');
      expect(calls).toHaveLength(results.length);
      const content = results.map((text, index) => ({
        type: 'tool_result',
        tool_use_id: calls[index]?.['id'],
        content: text,
      }));
      conversation.push({ role: 'assistant', content: answer['content'] }, { role: 'user', content });
      return answer;
    };
    expect(await reply(['A', 'B'])).toMatchObject({
      content: [{ input: { command: 'a' } }, { input: { command: 'b' } }],
    });
    expect(await reply(['C'])).toMatchObject({ content: [{ text: 'between' }, { input: { command: 'c' } }] });
    expect(await said(messages(conversation))).toBe('The tool answered: C');
    expect(model.requests.map((request) => request.round)).toEqual([0, 1, 2]);
  });

  test('looks past what Claude Code injects, and does not answer it', async () => {
    const reminder = { type: 'text', text: '<system-reminder>\nsay wrong\n</system-reminder>' };
    const content = [reminder, { type: 'text', text: 'say right' }, reminder];
    const conversation = [
      { role: 'user', content },
      { role: 'system', content: 'say wrong' },
    ];
    expect(await said(messages(conversation))).toBe('right');
    const own = { role: 'user', content: '<task-notification>\ndone\n</task-notification>' };
    expect(await said(messages([...conversation, { role: 'assistant', content: 'right' }, own]))).toBe(
      'Noted.',
    );
    expect(model.requests.at(-1)).toMatchObject({ unprompted: true, lastUserText: 'say right' });
    const steered = {
      role: 'system',
      content:
        'The user sent a new message while you were working:\nsay steered\n\nThis is how Claude Code surfaces',
    };
    expect(await said(messages([...conversation, steered]))).toBe('steered');
    const again = { role: 'user', content: 'Your response above was cut off mid-stream. Resume directly' };
    expect(await said(messages([...conversation, { role: 'assistant', content: 'ri' }, again]))).toBe(
      'right',
    );
  });

  test('knows the requests that Claude Code makes for itself', async () => {
    const agent = { 'user-agent': 'claude-cli/2.1.330' };
    const title = {
      messages: [{ role: 'user', content: 'say hi' }],
      output_config: { format: { schema: { type: 'object', properties: { title: { type: 'string' } } } } },
    };
    expect(await (await post('/v1/messages', title, agent)).json()).toMatchObject({
      content: [{ text: '{"title":"fake"}' }],
    });
    const counted = await post('/v1/messages/count_tokens', { messages: [] });
    expect(await counted.json()).toEqual({ input_tokens: expect.any(Number) });
    const summary = [
      { role: 'user', content: 'remember: blue' },
      { role: 'user', content: 'CRITICAL: Respond with TEXT ONLY.' },
    ];
    expect(await said(messages(summary))).toContain('remember: blue');
    expect(model.requests.map((request) => request.side)).toEqual(['other', 'count', 'compaction']);
  });

  test.each([
    ['fail 401', 401, 'authentication_error'],
    ['fail 429 after 7s', 429, 'rate_limit_error'],
    ['fail 500', 500, 'api_error'],
    ['fail 529', 529, 'overloaded_error'],
    ['context-error', 400, 'invalid_request_error'],
  ])('%s', async (words, status, type) => {
    const response = await messages(words);
    expect(response.status).toBe(status);
    expect(response.headers.get('retry-after')).toBe(status === 429 ? '7' : null);
    expect(await response.json()).toMatchObject({ type: 'error', error: { type } });
  });

  test('faults strike as often as they say, one after the other, also on the retry that does not stream', async () => {
    const words = 'fail 529 twice then cut once then say through';
    expect((await messages(words)).status).toBe(529);
    expect((await messages(words, { stream: false })).status).toBe(529);
    await expect(said(messages(words))).rejects.toThrow('terminated');
    expect(await said(messages(words))).toBe('through');
    expect((await messages(words)).status).toBe(529);
  });

  test('a retry behind a compaction is the same request, the same words later on are a new one', async () => {
    const before = [
      { role: 'user', content: 'one' },
      { role: 'assistant', content: 'two' },
    ];
    const asked = { role: 'user', content: 'context-error once then say fine' };
    expect((await messages([...before, asked])).status).toBe(400);
    expect(await said(messages([asked]))).toBe('fine');
    expect((await messages([asked])).status).toBe(400);
    expect((await messages([...before, asked])).status).toBe(400);
  });
});

describe('Responses API', () => {
  test('streams the events of an answer in order, numbered', async () => {
    const all = await events(responses('think about it then say yes'));
    expect(types(all)).toEqual([
      'response.created',
      'response.in_progress',
      ...[
        'output_item.added',
        'reasoning_summary_part.added',
        'reasoning_summary_text.delta',
        'reasoning_summary_text.done',
      ].map((one) => `response.${one}`),
      ...['reasoning_summary_part.done', 'output_item.done', 'output_item.added', 'content_part.added'].map(
        (one) => `response.${one}`,
      ),
      ...['output_text.delta', 'output_text.done', 'content_part.done', 'output_item.done', 'completed'].map(
        (one) => `response.${one}`,
      ),
    ]);
    expect(all.map((one) => one['sequence_number'])).toEqual(all.map((_, index) => index));
    expect(all.at(-1)).toMatchObject({
      response: {
        status: 'completed',
        output: [{ type: 'reasoning' }, { type: 'message' }],
        usage: { total_tokens: expect.any(Number) },
      },
    });
    expect(joined(all, 'response.output_text.delta')).toBe('yes');
  });

  test('asks for functions and for custom tools, and quotes their outputs without the frame', async () => {
    const first: unknown = await (await responses('run: ls\nwrite: a.txt: hello', { stream: false })).json();
    const call = objectOf(listOf(objectOf(first)['output'])[0]);
    expect(call).toMatchObject({ type: 'function_call', name: 'exec_command', arguments: '{"cmd":"ls"}' });
    const user = {
      type: 'message',
      role: 'user',
      content: [{ type: 'input_text', text: 'run: ls\nwrite: a.txt: hello' }],
    };
    const framed = 'Chunk ID: 1\nWall time: 0.1 seconds\nProcess exited with code 2\nOutput:\nno such file\n';
    const rest = [user, call, { type: 'function_call_output', call_id: call['call_id'], output: framed }];
    const second = await events(responses(rest));
    const patch = '*** Begin Patch\n*** Add File: a.txt\n+hello\n*** End Patch';
    const item = objectOf(second.find((one) => one['type'] === 'response.output_item.done')?.['item']);
    expect(item).toMatchObject({ type: 'custom_tool_call', name: 'apply_patch', input: patch });
    expect(types(second)).toContain('response.custom_tool_call_input.delta');
    expect(model.requests.at(-1)?.toolResults).toMatchObject([{ text: 'no such file\n', failed: true }]);
    const third = [
      ...rest,
      item,
      { type: 'custom_tool_call_output', call_id: item['call_id'], output: 'Success' },
    ];
    expect(joined(await events(responses(third)), 'response.output_text.delta')).toBe(
      'The tool answered: Success',
    );
  });

  test('errors in the form of each kind', async () => {
    expect((await responses('fail 429 after 3s')).headers.get('retry-after')).toBe('3');
    expect(await (await responses('fail 401')).json()).toMatchObject({ error: { code: 'invalid_api_key' } });
    const failed = await events(responses('context-error'));
    expect(failed).toMatchObject([
      { type: 'response.failed', response: { error: { code: 'context_length_exceeded' } } },
    ]);
    const whole = await responses('context-error', { stream: false });
    expect(await whole.json()).toMatchObject({ error: { code: 'context_length_exceeded' } });
  });

  test('lists its model', async () => {
    const list: unknown = await (await fetch(`${model.url}/v1/models`)).json();
    expect(list).toMatchObject({ object: 'list', data: [{ id: 'fake-model' }] });
  });
});

describe('the course of an answer', () => {
  test('a held answer sends what comes before and waits for its gate, also when the gate was opened first', async () => {
    const response = await messages('say before\nhold g1\nsay after');
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    while (!text.includes('"before"')) text += (await reader?.read())?.value ?? '';
    expect(text).not.toContain('after');
    expect(model.held).toEqual(['g1']);
    await fetch(`${model.url}/control/release`, { method: 'POST', body: '{"name":"g1"}' });
    for (let more = await reader?.read(); more?.done === false; more = await reader?.read())
      text += more.value;
    expect(text).toContain('"after"');
    expect(model.held).toEqual([]);
    model.release('g2');
    expect(await said(messages('hold g2 before headers then say there'))).toBe('there');
  });

  test('a cut breaks the connection behind what was said', async () => {
    const response = await messages('cut');
    let text = '';
    const read = async (): Promise<void> => {
      for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) text += chunk;
    };
    await expect(read()).rejects.toThrow('terminated');
    expect(text).toContain('Half of an answer, ');
    expect(text).not.toContain('other half');
  });

  test('silence lasts until the caller leaves or the model is closed', async () => {
    const leaving = new AbortController();
    const quiet = fetch(`${model.url}/v1/messages`, {
      method: 'POST',
      body: JSON.stringify({ messages: [{ role: 'user', content: 'silence without headers' }] }),
      signal: leaving.signal,
    });
    await model.waitForRequest((request) => request.lastUserText.startsWith('silence'));
    leaving.abort();
    await expect(quiet).rejects.toThrow('abort');
    const second = await messages('silence');
    expect(second.status).toBe(200);
    await model.close();
    await expect(second.text()).rejects.toThrow('terminated');
  });

  test('paces its deltas', async () => {
    const begun = performance.now();
    const all = await events(messages('count to 5 every 20ms'));
    expect(performance.now() - begun).toBeGreaterThanOrEqual(4 * 19);
    expect(joined(all, 'text_delta')).toBe('1 2 3 4 5');
    expect(types(all).filter((type) => type === 'content_block_delta')).toHaveLength(5);
  });

  test('a big text arrives whole', async () => {
    const response = await messages('big 5MB in 64B deltas');
    const size = 5 * 1024 * 1024;
    expect(await said(Promise.resolve(response))).toBe(bulk(size));
    expect(joined(await events(responses('big 5MB')), 'response.output_text.delta')).toBe(bulk(size));
  });

  test('never splits a character between two deltas', async () => {
    const text = '👩‍🚀'.repeat(40);
    model.setScenario({ rules: [{ reply: { blocks: [{ text, chunk: 1 }] } }] });
    const all = await events(messages('x'));
    expect(joined(all, 'text_delta')).toBe(text);
    expect(all.every((one) => textOf(objectOf(one['delta'])['text']).isWellFormed())).toBe(true);
  });
});

describe('scripts', () => {
  test('rules answer by text, list by list for each tool round, and leave the rest to the words', async () => {
    const usage = { input: 100, output: 7, cached: 40 };
    model.setScenario({
      rules: [
        {
          when: /deploy/,
          reply: [{ blocks: [{ tool: 'Bash', input: { command: 'x' } }] }, { text: 'deployed', usage }],
        },
        { when: 'HELLO', reply: 'hi' },
      ],
    });
    expect(await said(messages('well, hello'))).toBe('hi');
    expect(await said(messages('say words'))).toBe('words');
    const first = objectOf(await (await messages('deploy', { stream: false })).json());
    const results = [
      { type: 'tool_result', tool_use_id: objectOf(listOf(first['content'])[0])['id'], content: 'ok' },
    ];
    const after = [
      { role: 'user', content: 'deploy' },
      { role: 'assistant', content: first['content'] },
      { role: 'user', content: results },
    ];
    const second: unknown = await (await messages(after, { stream: false })).json();
    expect(second).toMatchObject({
      content: [{ text: 'deployed' }],
      usage: { input_tokens: 60, cache_read_input_tokens: 40, output_tokens: 7 },
    });
  });

  test('a function sees the request and may leave it', async () => {
    model.setScenario((request: ModelRequest) => (request.model === 'special' ? 'scripted' : undefined));
    expect(await said(messages('say words', { model: 'special' }))).toBe('scripted');
    expect(await said(messages('say words'))).toBe('words');
    model.setScenario(undefined);
    expect(await said(messages('say words', { model: 'special' }))).toBe('words');
  });
});

describe('records and control', () => {
  test('records what came, within its limits, and tells who waits', async () => {
    await using small = await startFakeModel({ keep: { requests: 2 } });
    const ask = (text: string): Promise<Response> =>
      fetch(`${small.url}/v1/messages`, {
        method: 'POST',
        headers: { 'x-api-key': 'k' },
        body: JSON.stringify({ messages: [{ role: 'user', content: text }] }),
      });
    const waiting = small.waitForRequest((request) => request.lastUserText === 'two');
    for (const text of ['one', 'two', 'three']) await ask(text);
    expect((await waiting).headers['x-api-key']).toBe('k');
    expect(small.requests.map((request) => [request.number, request.lastUserText])).toEqual([
      [2, 'two'],
      [3, 'three'],
    ]);
    await expect(small.waitForRequest(() => false, { timeoutMs: 5 })).rejects.toMatchObject({
      code: 'timeout',
    });
    const late = small.waitForRequest(() => false);
    await Promise.all([expect(late).rejects.toMatchObject({ code: 'aborted' }), small.close()]);
  });

  test('lists and forgets requests for another process, and refuses web pages', async () => {
    await messages('say hi');
    const listed: unknown = await (await fetch(`${model.url}/control/requests`)).json();
    expect(listed).toMatchObject([{ number: 1, api: 'anthropic', lastUserText: 'say hi' }]);
    expect(listed).not.toMatchObject([{ body: expect.anything() }]);
    expect(await (await fetch(`${model.url}/control/requests?bodies=1`)).json()).toMatchObject([
      { body: { model: 'm' } },
    ]);
    expect(
      (await fetch(`${model.url}/control/requests`, { headers: { origin: 'https://example.com' } })).status,
    ).toBe(403);
    expect((await fetch(`${model.url}/control/requests`, { method: 'DELETE' })).status).toBe(204);
    expect(model.requests).toEqual([]);
  });

  test('bears nonsense and says what it does not serve', async () => {
    const bad = await fetch(`${model.url}/v1/messages`, { method: 'POST', body: '{"half' });
    expect([bad.status, await bad.json()]).toMatchObject([400, { error: { type: 'invalid_request_error' } }]);
    expect((await fetch(`${model.url}/nope`)).status).toBe(404);
    expect((await fetch(model.url, { method: 'HEAD' })).status).toBe(200);
    const socket = connect(model.port, '127.0.0.1');
    socket.end('POST /v1/messages HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nhalf');
    await once(socket.resume(), 'close');
    expect(await said(messages('say alive'))).toBe('alive');
  });

  test('a port in use is said so', async () => {
    await expect(startFakeModel({ port: model.port })).rejects.toMatchObject({ code: 'bad_request' });
  });
});
