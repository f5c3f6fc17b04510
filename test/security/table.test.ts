import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

/** docs/security.md names a test for every attack; a name that is no test is a promise that nothing keeps. */
const text = readFileSync(new URL('../../docs/security.md', import.meta.url), 'utf8');
const named = [...text.matchAll(/`([\w/-]+)` › ([^;|]+)/g)].map(([, file, name]) => [
  file ?? '',
  name?.trim() ?? '',
]);

test('every test that the table of attacks names is there', () => {
  expect(named.length).toBeGreaterThan(35);
  for (const [file, name] of named) {
    // A bare name is of this folder, a path of the whole repository.
    const place = file?.includes('/') === true ? `../../${file}` : file;
    const source = readFileSync(new URL(`${String(place)}.test.ts`, import.meta.url), 'utf8');
    expect([file, name, source.includes(name ?? '')]).toEqual([file, name, true]);
  }
});
