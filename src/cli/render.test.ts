import { describe, expect, test } from 'vitest';
import type { SessionEvent } from '../protocol/index.ts';
import { createOutput } from './output.ts';
import { Renderer } from './render.ts';

/** What a terminal, or the two pipes, would have got. */
function screen(
  options: { readonly tty?: boolean; readonly json?: boolean; readonly question?: boolean } = {},
) {
  const isTTY = options.tty === true;
  const written = { stdout: '', stderr: '', all: '' };
  const sink = (name: 'stdout' | 'stderr') => ({
    isTTY,
    write(text: string) {
      written[name] += text;
      written.all += text;
    },
  });
  const streams = { stdout: sink('stdout'), stderr: sink('stderr') };
  const output = createOutput({ json: options.json === true, noColor: true, streams });
  return { written, renderer: new Renderer(output, { showsQuestion: () => options.question === true }) };
}

let seq = 0;
function event<T extends SessionEvent['type']>(
  type: T,
  data: Extract<SessionEvent, { type: T }>['data'],
): SessionEvent {
  seq += 1;
  return { session: 's', seq, turn: 't', time: '2026-01-01T00:00:00.000Z', type, data } as SessionEvent;
}

const delta = (text: string, message = 'm'): SessionEvent => event('message.delta', { message, text });
const completed = (text: string, message = 'm'): SessionEvent =>
  event('message.completed', { message, text });
const end = (): SessionEvent =>
  event('turn.completed', { stopReason: 'end_turn', text: '', durationMs: 1234, ttftMs: 12, costUsd: 0.5 });
const warn = (): SessionEvent =>
  event('notice', { level: 'warning', code: 'api_retry', message: 'retrying' });

describe('a pipe', () => {
  test('gets each message once, whole, and nothing else', () => {
    const { renderer, written } = screen();
    for (const one of [delta('Hel'), delta('lo'), completed('Hello'), completed('only whole', 'n'), end()])
      renderer.show(one);
    expect(written.stdout).toBe('Hello\nonly whole\n');
    expect(written.stderr).toBe('');
  });

  test('a notice in the middle of a message does not break its text', () => {
    const { renderer, written } = screen();
    for (const one of [delta('Hel'), warn(), delta('lo'), completed('Hello')]) renderer.show(one);
    expect(written.stdout).toBe('Hello\n');
    expect(written.stderr).toBe('! retrying\n');
  });

  test('tools, refusals and failures go to stderr', () => {
    const { renderer, written } = screen();
    for (const one of [
      event('tool.started', { id: '1', name: 'Bash', kind: 'execute', input: { command: 'echo hi' } }),
      event('permission.requested', {
        id: 'p',
        kind: 'tool',
        tool: { id: '1', name: 'Bash', input: { command: 'echo hi' } },
        expiresAt: '',
      }),
      event('permission.resolved', { id: 'p', decision: 'deny', by: { kind: 'policy' }, message: 'no' }),
      event('tool.completed', { id: '1', status: 'denied', output: 'not allowed\nmore' }),
      event('turn.failed', { code: 'runtime_exited', message: 'gone', effects: 'none', durationMs: 1 }),
    ])
      renderer.show(one);
    expect(written.stdout).toBe('');
    expect(written.stderr.split('\n')).toEqual([
      '● Bash echo hi',
      '? wants to use Bash echo hi',
      '  denied by policy: no',
      '  denied: not allowed',
      '✗ runtime_exited: gone',
      '  The agent never saw the message: it can be sent again.',
      '',
    ]);
  });

  test('with --json gets every event as one line, as it is', () => {
    const { renderer, written } = screen({ json: true });
    const events = [delta('\u001B[2Jx'), warn(), end()];
    for (const one of events) renderer.show(one);
    const lines = written.stdout.trimEnd().split('\n');
    expect(lines.map((line): unknown => JSON.parse(line))).toEqual(events);
    expect(written.stderr).toBe('');
  });
});

describe('a terminal', () => {
  test('a notice has a line of its own', () => {
    const { renderer, written } = screen({ tty: true });
    for (const one of [delta('Hel'), warn(), delta('lo'), completed('Hello')]) renderer.show(one);
    expect(written.all).toBe('Hel\n! retrying\nlo\n');
  });

  test('a preview that does not hold is said to be void, and the true text follows whole', () => {
    const { renderer, written } = screen({ tty: true });
    for (const one of [delta('wrong'), completed('right')]) renderer.show(one);
    expect(written.all).toBe('wrong\n(the text above is void: the answer is another one)\nright\n');
  });

  test('a discarded preview is said to be void; one that was never shown is not', () => {
    const { renderer, written } = screen({ tty: true });
    const discarded = (message: string) => event('message.discarded', { message, reason: 'retry' });
    for (const one of [delta('half'), discarded('m'), discarded('unseen'), completed('all', 'n')])
      renderer.show(one);
    expect(written.all).toBe('half\n(the text above is void: retry)\nall\n');
  });

  test('text of an agent cannot control it, not even cut in two', () => {
    const { renderer, written } = screen({ tty: true });
    for (const one of [delta('a\u001B'), delta('[2Jb\u0007\u009B31m'), end()]) renderer.show(one);
    // oxlint-disable-next-line eslint/no-control-regex -- that none is left is what is tested
    expect(written.all).not.toMatch(/[\u0000-\u0008\u000B-\u001F\u007F-\u009F]/);
  });

  test('the costs end a turn', () => {
    const { renderer, written } = screen({ tty: true });
    renderer.show(end());
    expect(written.stderr).toBe('  first token 12 ms · 1.2 s · $0.5000\n');
  });

  test('what was asked is shown where that is wanted', () => {
    for (const question of [true, false]) {
      const { renderer, written } = screen({ tty: true, question });
      renderer.show(event('turn.queued', { input: 'say hi', position: 0 }));
      expect(written.all).toBe(question ? '› say hi\n' : '');
    }
  });

  test("a subagent's text is not the answer", () => {
    const { renderer, written } = screen({ tty: true });
    for (const type of ['message.delta', 'message.completed'] as const)
      renderer.show(event(type, { message: 'm', parent: 'tool', text: 'inner' }));
    expect(written.all).toBe('');
  });
});
