import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openTokens, type Tokens } from './tokens.ts';
import { homeToken } from './token.ts';

let folder: string;
let file: string;
let tokens: Tokens;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pl-tokens-'));
  file = join(folder, 'tokens.json');
  tokens = openTokens('the-home-token', file);
});

afterEach(() => {
  tokens[Symbol.dispose]();
  rmSync(folder, { recursive: true });
});

function again(): void {
  tokens[Symbol.dispose]();
  tokens = openTokens('the-home-token', file);
}

test('the home’s own is an admin', () => {
  expect(tokens.verify('the-home-token')).toMatchObject({ id: 'home', scopes: ['admin'] });
  for (const wrong of ['', 'the-home-toke', 'the-home-token ', 'x'])
    expect(tokens.verify(wrong)).toBeUndefined();
});

test('a new one opens what it says, also after a restart, and is listed without its text', () => {
  const made = tokens.create({ scopes: ['send', 'send'], name: 'ci' });
  expect(made.token).toMatch(/^plt_[\w-]{43}$/);
  for (const restart of [false, true]) {
    if (restart) again();
    expect(tokens.verify(made.token)).toMatchObject({ id: made.id, name: 'ci', scopes: ['send'] });
    expect(tokens.list()).toEqual([{ id: made.id, name: 'ci', scopes: ['send'], createdAt: made.createdAt }]);
  }
});

test('the file is for its owner only and holds a hash, not the token', () => {
  const { token } = tokens.create({ scopes: ['read'] });
  expect((statSync(file).mode & 0o777).toString(8)).toBe('600');
  expect(readFileSync(file, 'utf8')).not.toContain(token.slice(4));
});

test('a revoked one opens nothing more, what it follows ends, and a restart does not bring it back', () => {
  const { id, token } = tokens.create({ scopes: ['read'] });
  const { ended } = tokens.verify(token)!;
  tokens.revoke(id);
  expect([ended?.aborted, tokens.verify(token), tokens.list()]).toEqual([true, undefined, []]);
  again();
  expect(tokens.verify(token)).toBeUndefined();
  expect(() => tokens.revoke(id)).toThrow(`There is no token ${id}`);
});

test('one that expires ends by itself', async () => {
  const { token } = tokens.create({ scopes: ['read'], expiresInMs: 30 });
  const { ended } = tokens.verify(token)!;
  const over = Promise.withResolvers<void>();
  ended?.addEventListener('abort', () => {
    over.resolve();
  });
  await over.promise;
  expect([tokens.verify(token), tokens.list()]).toEqual([undefined, []]);
});

test('names are not taken twice, and not from those who have none', () => {
  tokens.create({ scopes: ['read'], name: 'ci' });
  for (const name of ['ci', 'home', 'local'])
    expect(() => tokens.create({ scopes: ['read'], name })).toThrow('the name is taken');
});

test.each([0o640, 0o604, 0o660, 0o602])(
  'files that others may read or write (%o) are refused with the fix',
  (mode) => {
    tokens.create({ scopes: ['read'] });
    chmodSync(file, mode);
    expect(() => openTokens('x', file)).toThrow(expect.objectContaining({ fix: `Run: chmod 600 ${file}` }));
    const own = join(folder, 'token');
    homeToken(own);
    chmodSync(own, mode);
    expect(() => homeToken(own)).toThrow(expect.objectContaining({ fix: `Run: chmod 600 ${own}` }));
  },
);

test.each(['', '{', '{"version":2,"tokens":[]}', '{"version":1,"tokens":[{"id":"x"}]}'])(
  'a file that cannot be read (%j) lets nobody in and says so',
  (text) => {
    writeFileSync(file, text, { mode: 0o600 });
    expect(() => openTokens('x', file)).toThrow('cannot be read');
  },
);
