import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { madeUpBelow, madeUpIn } from './made-up.ts';

test.each(['made-up-key', 'a made-up', 'xmade-up', 'xymade-up.'])(
  '%j is found as it stands and in base64',
  (text) => {
    expect(madeUpIn(`before ${text} behind`)).toContain('made-up');
    for (const around of ['', '1', '22', '333'])
      expect(madeUpIn(Buffer.from(`${around}${text}${around}`).toString('base64'))).not.toBe(undefined);
  },
);

test('what is like it is not', () => {
  for (const text of ['made up', 'made_up', 'Mädchen', Buffer.from('make-up').toString('base64')])
    expect(madeUpIn(text)).toBe(undefined);
});

test('a secret in a log or the spool of a home is found; where it belongs it is not looked for', () => {
  const home = mkdtempSync(join(tmpdir(), 'pl-search-'));
  for (const folder of ['secrets', 'logs', 'spool']) mkdirSync(join(home, folder));
  writeFileSync(join(home, 'secrets', 'ses_1.json'), '{"A": "made-up-a"}');
  writeFileSync(join(home, 'config.toml'), 'env = { A = "made-up-a" }');
  expect(madeUpBelow(home)).toEqual([]);
  writeFileSync(join(home, 'logs', 'daemon.log'), 'it is made-up-a');
  writeFileSync(join(home, 'spool', 'rt_1'), Buffer.from('\0\xff made-up-a', 'latin1'));
  const files = new Set(madeUpBelow(home).map((found) => found.split(':')[0]));
  expect(files).toEqual(new Set([join(home, 'logs', 'daemon.log'), join(home, 'spool', 'rt_1')]));
  rmSync(home, { recursive: true });
});
