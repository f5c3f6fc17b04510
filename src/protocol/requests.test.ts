import { describe, expect, test } from 'vitest';
import { CreateSession, SendTurn, UpdateSession } from './index.ts';

const SPEC = { agent: 'claude', cwd: '/w' };

describe.each(['anthropicApiKey', 'openaiApiKey', 'githubToken'])('%s', (name) => {
  test.each(['', 'sk-x\n', 'sk x', '"sk-x" ', 'sk-\u{1f511}', 'sk\0x'])(
    '%j is no key, however it is given',
    (value) => {
      for (const credentials of [
        { [name]: value },
        { [name]: { value, expiresAt: '2099-01-01T00:00:00Z' } },
      ]) {
        const all = [
          CreateSession.safeParse({ ...SPEC, credentials }),
          UpdateSession.safeParse({ credentials }),
          SendTurn.safeParse({ input: 'x', credentials }),
        ];
        expect(all.map(({ success }) => success)).toEqual([false, false, false]);
        expect(JSON.stringify(all[0]?.error?.issues)).toContain(name);
      }
    },
  );

  test('a key is one, with its expiry or without', () => {
    for (const given of ['sk-ant_0.A/b+c=', { value: 'ghp_x', expiresAt: '2099-01-01T00:00:00Z' }])
      expect(CreateSession.safeParse({ ...SPEC, credentials: { [name]: given } }).success).toBe(true);
  });
});

test.each([
  [''],
  [[{ type: 'text', text: '' }]],
  [
    [
      { type: 'text', text: '' },
      { type: 'text', text: '' },
    ],
  ],
])('a message without a word is none: %j', (input) => {
  const parsed = SendTurn.safeParse({ input });
  expect(parsed.error?.issues).toMatchObject([{ message: expect.stringContaining('say something') }]);
});

test('any other credential may have lines: it is a variable', () => {
  const credentials = { MY_PEM: '-----BEGIN\nx\n' };
  expect(CreateSession.safeParse({ ...SPEC, credentials }).success).toBe(true);
});
