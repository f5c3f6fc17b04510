import { tmpdir } from 'node:os';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createDirectHost } from '../process/index.ts';
import { runCredentialCommand, type Printed } from './credential-command.ts';

let children: ReturnType<typeof createDirectHost>;
beforeAll(() => {
  children = createDirectHost({
    homeId: 'credential-test',
    ladder: { termAfterMs: 20, killAfterMs: 50, stuckAfterMs: 2000 },
  });
});
// Resolves only when every process that a test left is gone.
afterAll(() => children[Symbol.asyncDispose]());

function run(command: string | readonly string[], timeoutMs = 10_000): Promise<Printed> {
  const env = { PATH: process.env['PATH'], MADE_UP: 'made-up' };
  return runCredentialCommand('key', { command, timeoutMs }, { children, cwd: tmpdir(), env });
}

describe('what a command prints', () => {
  test.each([
    ['echo made-up-value', 'made-up-value'],
    ['printf made-up-value', 'made-up-value'],
    ['printf "  made-up-value\\r\\n\\n"', 'made-up-value'],
    ['echo "$MADE_UP"; echo noise >&2', 'made-up'],
    [['echo', '$MADE_UP "x"'], '$MADE_UP "x"'],
  ])('%j gives %j', async (command, value) => {
    expect(await run(command)).toEqual({ value });
  });

  test('a value with its expiry', async () => {
    const printed = await run(`echo '{"value": "made-up", "expiresAt": "2030-01-01T00:00:00Z"}'`);
    expect(printed).toEqual({ value: 'made-up', expiresAt: Date.parse('2030-01-01T00:00:00Z') });
  });
});

describe('what cannot be used is said, and nothing of what was printed', () => {
  test.each([
    ['true', /printed nothing/],
    ['echo made-up-1; echo made-up-2', /more than one line/],
    ['echo \'{"token": "made-up"}\'', /printed an object/],
    ['echo \'{"value": "made-up\'', /printed an object/],
    ['echo made-up; echo made-up >&2; exit 3', /ended with code 3/],
    ['kill -9 $$', /ended with SIGKILL/],
    [['/nonexistent/made-up'], /could not be started|code 127/],
    ['yes made-up', /printed more than 64 KiB/],
    ['head -c 5000000 /dev/zero', /printed more than 64 KiB/],
  ])('%j', async (command, words) => {
    const error = await run(command).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(String(error)).toMatch(words);
    expect(String(error)).not.toContain('made-up');
    expect(error).toMatchObject({ code: 'unauthorized' });
  });

  test.each([
    'exec sleep 1000',
    'trap "" TERM; while :; do sleep 1; done',
    'setsid sleep 1000 & echo made-up; wait',
  ])('one that hangs is ended with its tree: %s', async (command) => {
    await expect(run(command, 50)).rejects.toThrow(/did not end within 50 ms/);
  });
});
