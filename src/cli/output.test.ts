import { expect, test } from 'vitest';
import { createOutput, harmless, table } from './output.ts';

function outputs(tty: { readonly stdout: boolean; readonly stderr: boolean }, noColor = false) {
  const written = { stdout: '', stderr: '' };
  const sink = (name: 'stdout' | 'stderr') => ({
    isTTY: tty[name],
    write: (text: string) => void (written[name] += text),
  });
  const streams = { stdout: sink('stdout'), stderr: sink('stderr') };
  return { written, output: createOutput({ json: false, noColor, streams }) };
}

test('each stream has colours only when it is itself a terminal', () => {
  const { output, written } = outputs({ stdout: true, stderr: false });
  output.note('message', 'red');
  output.line(output.style('green', 'result'));
  expect(written.stderr).toBe('message\n');
  expect(written.stdout).toContain('\u001B[32m');
  const other = outputs({ stdout: false, stderr: true });
  other.output.note('message', 'red');
  other.output.line(other.output.style('green', 'result'));
  expect(other.written.stderr).toContain('\u001B[31m');
  expect(other.written.stdout).toBe('result\n');
});

test('NO_COLOR is heard on terminals', () => {
  const { output, written } = outputs({ stdout: true, stderr: true }, true);
  output.note('message', 'red');
  output.line(output.style('green', 'result'));
  expect(written).toEqual({ stdout: 'result\n', stderr: 'message\n' });
});

test('a pipe gets text as it is, a terminal gets it harmless', () => {
  const text = 'a\u001B]0;title\u0007b\r\n\tc';
  const pipe = outputs({ stdout: false, stderr: false });
  pipe.output.text(text);
  expect(pipe.written.stdout).toBe(text);
  expect(harmless(text)).toBe('ab\n\tc');
});

test('a name cannot break a table', () => {
  expect(
    table([
      ['a', 'b'],
      ['long\n\u001B[31mer', 'x'],
    ]),
  ).toBe('a        b\nlong er  x');
});
