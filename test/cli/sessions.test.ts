import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { command, pilotlight, said, shell } from '../support/command.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { testHome, type TestHome } from '../support/daemon.ts';
import { daemonForAll } from '../support/for-all.ts';

/** run, new, ls, show, send, attach, events, export, interrupt, close: sessions as the command line sees them. */
let home: TestHome;
let daemon: TestDaemon;

daemonForAll((made) => {
  ({ home, daemon } = made);
});

const pl = (...args: string[]) => pilotlight(home, args);
const create = async (): Promise<string> =>
  (await pl('new', '--agent', 'claude', '--mode', 'bypass')).stdout.trim();
const stateOf = async (id: string): Promise<unknown> =>
  JSON.parse((await pl('show', id, '--json')).stdout).state;
const openSessions = async (): Promise<{ id: string }[]> =>
  JSON.parse((await pl('ls', '--json')).stdout).items;

describe('run', () => {
  test.each(['claude', 'codex'])('%s: the answer alone on stdout; the session is closed', async (agent) => {
    const { code, stdout } = await pl('run', 'say Hello world', '--agent', agent);
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'Hello world\n' });
    expect(await openSessions()).toEqual([]);
  });

  test.each([[[]], [['-']]])('reads the prompt from stdin (%j)', async (prompt) => {
    const ran = await pilotlight(home, ['run', ...prompt, '--agent', 'claude'], {
      stdin: 'say from a pipe\n',
    });
    expect(ran).toMatchObject({ code: 0, stdout: 'from a pipe\n' });
  });

  test('--json: one event a line, the ending last, nothing else on stdout', async () => {
    const { code, stdout } = await pl('run', 'say x', '--agent', 'claude', '--json');
    const types = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).type);
    expect(code).toBe(0);
    expect(types[0]).toBe('turn.queued');
    expect(types.at(-1)).toBe('turn.completed');
  });

  test('a turn that fails is exit 1 and says why', async () => {
    const { code, stderr } = await pl('run', 'die@3', '--agent', 'claude');
    expect(code).toBe(1);
    expect(stderr).toContain('runtime_exited');
    expect(await openSessions()).toEqual([]);
  });

  test('--session without an id is wrong usage', async () => {
    const { code, stderr } = await pl('run', 'x', '--session', '');
    expect([code, stderr]).toEqual([2, expect.stringContaining('pilotlight ls')]);
  });

  test('--keep keeps the session, --session continues it', async () => {
    const first = await pl('run', 'say one', '--agent', 'claude', '--keep');
    const id = /session (\S+)/.exec(first.stderr)?.[1] ?? '';
    const second = await pl('run', 'recall', '--session', id);
    expect(second.code).toBe(0);
    expect(second.stdout).toContain('say one');
    expect(await stateOf(id)).toBe('idle');
    expect((await pl('run', 'hi', '--session', id, '--model', 'x')).code).toBe(2);
    await pl('close', id);
  });

  test('Ctrl-C interrupts the turn: exit 130, the session is closed', async () => {
    const { child, ended } = command(home, ['run', 'stream 400 words 50ms', '--agent', 'claude']);
    child.stdin.end();
    await said(child, 'w3');
    child.kill('SIGINT');
    expect(await ended).toBe(130);
    expect(await openSessions()).toEqual([]);
  });

  test('a reader that leaves ends it quietly and closes the session', async () => {
    const { child, ended } = command(home, ['run', 'stream 400 words 20ms', '--agent', 'claude']);
    child.stdin.end();
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    await said(child, 'w1');
    child.stdout.destroy();
    expect({ code: await ended, stderr }).toEqual({ code: 0, stderr: '' });
    expect(await openSessions()).toEqual([]);
  });

  test("the caller's PATH and keys go with the session: names are shown, values never", async () => {
    const ran = await pilotlight(home, ['new', '--agent', 'claude', '--json'], {
      env: { ANTHROPIC_API_KEY: 'sk-ant-made-up', GITHUB_TOKEN: 'ghp-made-up' },
    });
    expect(ran.stdout).not.toContain('secret');
    const view = JSON.parse(ran.stdout);
    expect(view.env.sort()).toEqual(['ANTHROPIC_API_KEY', 'PATH']);
    await pl('close', view.id);
  });

  test('starts a daemon when none runs, and says so', async () => {
    await using other = testHome({ config: '[server]\nport = 0\n' });
    const ran = await pilotlight(other, ['run', 'x', '--agent', 'nobody']);
    expect(ran.stderr).toContain('Started a daemon');
    expect(ran.code).toBe(2);
    expect((await pilotlight(other, ['stop', '--now'])).code).toBe(0);
  });
});

describe('send', () => {
  test('streams; --no-wait prints the id of the turn; busy is exit 5', async () => {
    const id = await create();
    expect(await pl('send', id, 'say one')).toMatchObject({ code: 0, stdout: 'one\n' });
    const long = await pl('send', id, 'stream 60 words 50ms', '--no-wait');
    expect(long.stdout).toMatch(/^trn_\w+\n$/);
    const busy = await pl('send', id, 'say two', '--json');
    expect(busy.code).toBe(5);
    expect(JSON.parse(busy.stdout).error.code).toBe('turn_in_progress');
    const queued = await pl('send', id, 'say two', '--when-busy', 'queue', '--json');
    // The choice reaches the daemon, which says for itself what it cannot do yet.
    if (queued.code !== 0) expect(JSON.parse(queued.stdout).error.code).toBe('unsupported');
    await pl('close', id);
  });

  test('to a closed session is exit 5, to none exit 4, wrong words exit 2', async () => {
    const id = await create();
    expect((await pl('close', id)).code).toBe(0);
    expect((await pl('send', id, 'x')).code).toBe(5);
    expect((await pl('send', 'ses_none', 'x')).code).toBe(4);
    const never = await pl('send', id, 'x', '--when-busy', 'never');
    expect(never.code).toBe(2);
    expect(never.stderr).toContain('--when-busy is one of');
    expect((await pl('send', id)).code).toBe(2);
  });
});

test('--env: variables of the agent, by value or from the caller; their values are nowhere to be seen', async () => {
  const log = join(home.cwd, 'env.log');
  const made = await pilotlight({ ...home, env: { ...home.env, FROM_ME: 'made-up-of-mine' } }, [
    'new',
    '--agent',
    'claude',
    '--cwd',
    home.cwd,
    '--env',
    `FAKE_AGENT_LOG=${log}`,
    '--env',
    'FROM_ME',
    '--json',
  ]);
  expect(made.code).toBe(0);
  const { id, env } = JSON.parse(made.stdout);
  expect(env).toEqual(expect.arrayContaining(['FAKE_AGENT_LOG', 'FROM_ME']));
  expect(made.stdout).not.toContain('made-up-of-mine');
  await pl('send', id, 'say one');
  expect(readFileSync(log, 'utf8')).toContain('say one');
  await pl('close', id);
  const missing = await pl('new', '--agent', 'claude', '--env', 'NOT_THERE');
  expect([missing.code, missing.stderr]).toEqual([2, expect.stringContaining('--env NOT_THERE')]);
  const continued = await pl('run', 'x', '--session', id, '--env', 'A=b');
  expect([continued.code, continued.stderr]).toEqual([
    2,
    expect.stringContaining('--env is of a new session'),
  ]);
});

test("--resume goes on with the agent's own conversation", async () => {
  const first = await create();
  await pl('send', first, 'say a word to keep');
  const { agentSessionId } = JSON.parse((await pl('show', first, '--json')).stdout);
  await pl('close', first);
  const resumed = await pl(
    'run',
    'recall',
    '--agent',
    'claude',
    '--cwd',
    home.cwd,
    '--resume',
    agentSessionId,
  );
  expect(resumed.stdout).toContain('say a word to keep');
});

test('ls, show, events, export', async () => {
  const id = await create();
  await pl('send', id, 'say one');
  expect((await pl('ls')).stdout).toContain(id);
  expect((await pl('show', id)).stdout).toContain('idle');
  const events = (await pl('events', id)).stdout.trimEnd().split('\n');
  const seqs = events.map((line): number => JSON.parse(line).seq);
  expect(seqs).toEqual(seqs.map((_, at) => at + 1));
  expect(await daemon.events(id)).toEqual(events.map((line): unknown => JSON.parse(line)));
  const later = (await pl('events', id, '--from', '3')).stdout.split('\n')[0] ?? '';
  expect(JSON.parse(later).seq).toBe(4);
  expect((await pl('export', id, '--markdown')).stdout).toBe('## You\n\nsay one\n\n## claude\n\none\n');
  const asJson = JSON.parse((await pl('export', id, '--markdown', '--json')).stdout);
  expect(asJson).toMatchObject({ session: { id }, markdown: '## You\n\nsay one\n\n## claude\n\none\n' });
  const exported = JSON.parse((await pl('export', id)).stdout);
  expect(exported.conversation).toEqual([
    { role: 'user', text: 'say one' },
    { role: 'agent', text: 'one' },
  ]);
  await pl('close', id);
  expect((await pl('ls')).stdout).not.toContain(id);
  expect((await pl('ls', '--all')).stdout).toContain(id);
});

test('export: a message that waited stands before its own answer, one that waits still at the end', async () => {
  const id = await create();
  const gates = ['first', 'last'].map((name) => join(home.root, `gate-${name}`));
  await pl('send', id, `hold ${gates[0] ?? ''}`, '--no-wait');
  await pl('send', id, 'say queued', '--when-busy', 'queue', '--no-wait');
  const taken = (await pl('send', id, 'say taken', '--when-busy', 'queue', '--no-wait')).stdout.trim();
  const last = await pl('send', id, `hold ${gates[1] ?? ''}`, '--when-busy', 'queue', '--no-wait');
  await pl('send', id, 'say later', '--when-busy', 'queue', '--no-wait');
  await daemon.request('DELETE', `/v1/sessions/${id}/turns/${taken}`);
  writeFileSync(gates[0] ?? '', '');
  const turn = last.stdout.trim();
  await daemon.follow(id, (event) => event.turn === turn && event.type === 'message.delta');
  const exported = JSON.parse((await pl('export', id)).stdout);
  expect(exported.conversation).toEqual([
    { role: 'user', text: `hold ${gates[0] ?? ''}` },
    { role: 'user', text: 'say taken' },
    { role: 'ending', text: 'interrupted' },
    { role: 'agent', text: 'holding on \nand going on' },
    { role: 'user', text: 'say queued' },
    { role: 'agent', text: 'queued' },
    { role: 'user', text: `hold ${gates[1] ?? ''}` },
    { role: 'user', text: 'say later' },
  ]);
  await pl('close', id);
});

test('interrupt ends the running turn; with none it is exit 5', async () => {
  const id = await create();
  expect((await pl('interrupt', id)).code).toBe(5);
  const { child, ended } = command(home, ['send', id, 'stream 400 words 50ms']);
  child.stdin.end();
  await said(child, 'w2');
  expect((await pl('interrupt', id)).code).toBe(0);
  expect(await ended).toBe(130);
  await pl('close', id);
});

describe('attach', () => {
  test('in the middle of an answer reads it from its first word, and ends with the session', async () => {
    const id = await create();
    const { child: sender, ended: sent } = command(home, ['send', id, 'stream 60 words 50ms']);
    sender.stdin.end();
    await said(sender, 'w5');
    const { child, ended } = command(home, ['attach', id]);
    child.stdin.end();
    let stdout = '';
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    await sent;
    await pl('close', id);
    expect(await ended).toBe(0);
    expect(stdout.trim().split(/\s+/)).toEqual(Array.from({ length: 60 }, (_, at) => `w${String(at)}`));
  });

  test('to a closed session says so and leaves', async () => {
    const id = await create();
    await pl('close', id);
    const { code, stderr } = await pl('attach', id);
    expect(code).toBe(0);
    expect(stderr).toContain('closed');
  });

  test('events --follow goes on live until Ctrl-C', async () => {
    const id = await create();
    const { child, ended } = command(home, ['events', id, '--follow']);
    child.stdin.end();
    const heard = said(child, '"turn.completed"');
    await said(child, '"session.created"');
    await pl('send', id, 'say live');
    expect(await heard).toContain('live');
    child.kill('SIGINT');
    expect(await ended).toBe(130);
    await pl('close', id);
  });
});

test.each([
  ['events', []],
  ['events', ['--json']],
  ['export', []],
  ['ls', ['--json']],
  ['send', ['say gone']],
])('what cannot be written is no success: %s %j to a full disk is exit 1 and says so', async (name, more) => {
  const id = await create();
  await pl('send', id, 'say one');
  const words = [name, ...(name === 'ls' ? [] : [id]), ...more].map((word) => `'${word}'`).join(' ');
  const { code, stderr } = await shell(home, `pilotlight ${words} > /dev/full`);
  expect({ code, stderr }).toEqual({
    code: 1,
    stderr: expect.stringMatching(/^pilotlight: stdout cannot be written: ENOSPC.*\n/),
  });
  await pl('close', id);
});

test.each([['events'], ['events', '--follow'], ['attach']])(
  'a place behind the end is exit 1 and says where the end is: %j %j',
  async (name, ...more) => {
    const id = await create();
    const { code, stderr } = await pl(name, id, '--from', '9999', ...more);
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: expect.stringMatching(/9999.*\n.*the end is at \d/),
    });
    await pl('close', id);
  },
);

test('nothing to do is wrong usage that says what is missing, with --json too', async () => {
  const { code, stdout } = await pl('--json');
  expect(code).toBe(2);
  expect(JSON.parse(stdout).error).toMatchObject({ code: 'usage', message: 'a command is missing' });
});

test('--session of a session that there is not: not told as one that was kept', async () => {
  const { code, stderr } = await pl('run', 'x', '--session', 'ses_none');
  expect({ code, stderr }).toMatchObject({
    code: 4,
    stderr: expect.stringMatching(/^pilotlight: There is no session/),
  });
});

test('wrong usage is exit 2, with --json one object on stdout', async () => {
  for (const args of [
    ['nonsense'],
    ['send'],
    ['run', 'x', '--odd'],
    ['new', '--agent', 'claude', '--mode', 'odd'],
    ['new'],
    ['events', 'ses_any', '--from', ''],
    ['start', '--port', 'abc'],
  ]) {
    const { code, stdout } = await pl(...args, '--json');
    expect({ args, code }).toEqual({ args, code: 2 });
    expect(JSON.parse(stdout).error.code).toBe('usage');
  }
  expect((await pl('run', 'x', '--agent', 'nobody')).code).toBe(2);
  expect((await pl('run', 'x', '--agent', 'claude', '--cwd', '/nowhere')).code).toBe(2);
});
