import { expect, test } from 'vitest';
import { toySettings } from '../../../test/support/toy.ts';
import { optionArgs } from './options.ts';

const args = (agentOptions: Record<string, unknown>): string[] =>
  optionArgs({ ...toySettings, agentOptions });

test('what is on the list becomes flags', () => {
  expect(args({})).toEqual([]);
  expect(
    args({
      effort: 'high',
      additionalDirectories: ['/a', '/b'],
      disallowedTools: ['WebFetch'],
      allowedTools: ['Bash(git log:*)'],
    }),
  ).toEqual([
    '--effort',
    'high',
    '--add-dir',
    '/a',
    '--add-dir',
    '/b',
    '--allowedTools',
    'Bash(git log:*)',
    '--disallowedTools',
    'WebFetch',
  ]);
});

test.each([
  [{ dangerouslySkipPermissions: true }, /agentOptions/],
  [{ effort: 'utmost' }, /agentOptions\.effort/],
  [{ additionalDirectories: ['relative'] }, /agentOptions\.additionalDirectories\.0/],
  [{ allowedTools: ['--dangerously-skip-permissions'] }, /agentOptions\.allowedTools\.0/],
  [{ disallowedTools: ['a\nb'] }, /agentOptions\.disallowedTools\.0/],
  [{ fallbackModel: '-x' }, /agentOptions\.fallbackModel/],
])('%j is refused by name', (agentOptions, words) => {
  expect(() => args(agentOptions)).toThrow(words);
});
