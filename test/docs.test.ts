import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = resolve(import.meta.dirname, '..');

/** Documents that name a test for every attack, for every fault: a name that is no test is a promise that nothing keeps. */
test.each([
  ['security', 45],
  ['reliability', 160],
])('every test that docs/%s.md names is there', (document, least) => {
  const text = readFileSync(join(ROOT, 'docs', `${document}.md`), 'utf8');
  const named = [...text.matchAll(/`([\w/-]+)` › ([^;|]+)/g)].map(([, file = '', name = '']) => [
    file,
    name.trim(),
  ]);
  expect(named.length).toBeGreaterThan(least);
  for (const [file = '', name = ''] of named)
    expect([file, name, sourceOf(file).includes(name)]).toEqual([file, name, true]);
});

/** A bare name is one of test/security, a path one of the whole repository: a test, or cases that several tests share. */
function sourceOf(file: string): string {
  const base = file.includes('/') ? join(ROOT, file) : join(ROOT, 'test', 'security', file);
  const path = [`${base}.test.ts`, `${base}.ts`].find((one) => existsSync(one));
  return path === undefined ? '' : readFileSync(path, 'utf8');
}
