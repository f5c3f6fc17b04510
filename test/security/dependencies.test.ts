import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { auditOf, faultsOf, type Lock, type Manifest } from '../../scripts/dependencies.ts';

function read(name: string): unknown {
  return JSON.parse(readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8'));
}

const faults = (packages: Lock['packages'], manifest = {}): readonly string[] =>
  faultsOf({ packages }, manifest);

test('what is installed is known, permissive and pinned', () => {
  expect(faultsOf(read('package-lock.json') as Lock, read('package.json') as Manifest)).toEqual([]);
});

test.each([
  ['another licence', { license: 'GPL-3.0' }, 'x is under GPL-3.0, which is on no list'],
  ['no licence', {}, 'x is under no licence, which is on no list'],
  [
    'a licence with a duty besides',
    { license: 'MIT AND GPL-3.0' },
    'x is under MIT AND GPL-3.0, which is on no list',
  ],
  ['a tool’s licence in what is shipped', { license: 'MPL-2.0' }, 'x is under MPL-2.0, which is on no list'],
])('%s is refused', (_name, locked, fault) => {
  expect(faults({ 'node_modules/a/node_modules/x': { integrity: 'sha512-', ...locked } })).toEqual([fault]);
});

test('a choice of licences is as good as its best', () => {
  expect(faults({ 'node_modules/x': { license: '(GPL-3.0 OR MIT)', integrity: 'sha512-' } })).toEqual([]);
});

test('no hash, another origin, an install script, a new runtime dependency are told', () => {
  const locked = { license: 'MIT', resolved: 'git+ssh://git@evil.example/x.git', hasInstallScript: true };
  expect(faults({ 'node_modules/x': locked }, { dependencies: { x: '1.0.0', hono: '1.0.0' } })).toEqual([
    'x is a new runtime dependency: that needs a decision note and a line in RUNTIME',
    'x has no integrity hash',
    'x comes from git+ssh://git@evil.example/x.git',
    'x runs a script when it is installed',
  ]);
});

test('an audit is clean, tells what is weak, or says that nobody answered', () => {
  const via = [{ title: 'Bad', url: 'https://github.com/advisories/GHSA-aaaa-bbbb-cccc' }, 'y'];
  expect(auditOf('{"vulnerabilities":{}}')).toEqual({ kind: 'clean' });
  expect(auditOf(JSON.stringify({ vulnerabilities: { x: { via }, y: { via: ['x'] } } }))).toEqual({
    kind: 'weak',
    advisories: ['x: Bad (GHSA-aaaa-bbbb-cccc)'],
  });
  expect(auditOf('{"message":"getaddrinfo ENOTFOUND"}')).toEqual({
    kind: 'unknown',
    why: 'getaddrinfo ENOTFOUND',
  });
  expect(auditOf('')).toEqual({ kind: 'unknown', why: 'no answer' });
});
