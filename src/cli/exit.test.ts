import { expect, test } from 'vitest';
import { ERROR_TABLE, PilotlightError } from '../protocol/index.ts';
import { Exit, explain, UsageError } from './exit.ts';
import { createOutput } from './output.ts';

function explained(error: unknown, json = false): { code: number; stdout: string; stderr: string } {
  const written = { stdout: '', stderr: '' };
  const sink = (name: 'stdout' | 'stderr') => ({ write: (text: string) => void (written[name] += text) });
  const streams = { stdout: sink('stdout'), stderr: sink('stderr') };
  return { code: explain(error, createOutput({ json, noColor: true, streams })), ...written };
}

test.each([
  ['bad_request', 2],
  ['no_daemon', 3],
  ['not_found', 4],
  ['turn_in_progress', 5],
  ['aborted', 130],
  ['internal', 1],
] as const)('%s is exit code %i', (code, exit) => {
  expect(explained(new PilotlightError(code, 'said')).code).toBe(exit);
});

test('no other codes than those of the interface', () => {
  const codes = new Set(Object.values(ERROR_TABLE).map((row) => row.exit));
  expect([...codes].sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 130]);
});

test('says what happened and what to do, on stderr', () => {
  const { stdout, stderr } = explained(new PilotlightError('not_found', 'no such', { fix: 'look' }));
  expect(stdout).toBe('');
  expect(stderr).toBe('pilotlight: no such\n  look\n');
});

test('with --json the error is the one object on stdout', () => {
  const { stdout } = explained(new PilotlightError('not_found', 'no such', { fix: 'look' }), true);
  expect(JSON.parse(stdout)).toEqual({ error: { code: 'not_found', message: 'no such', fix: 'look' } });
  expect(stdout.trimEnd()).not.toContain('\n');
});

test('wrong usage is 2; the unexpected is 1 and names the log; an exit says nothing more', () => {
  expect(explained(new UsageError('odd')).code).toBe(2);
  const unexpected = explained(new TypeError('boom'));
  expect(unexpected.code).toBe(1);
  expect(unexpected.stderr).toContain('pilotlight logs');
  expect(explained(new Exit(130))).toEqual({ code: 130, stdout: '', stderr: '' });
});
