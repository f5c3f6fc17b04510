/**
 * Files against rules, on a real disk: links, `..`, files that are not there yet, several files in a call.
 */
import { lstatSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PolicyRule, ToolKind } from '../protocol/index.ts';
import { compilePolicy, judge, type Verdict } from './index.ts';

type Decision = Verdict['decision'];

const FILES = { realpath: realpathSync.native, lstat: lstatSync };
let base: string;
let root: string;

beforeAll(() => {
  base = mkdtempSync(join(realpathSync(tmpdir()), 'pilotlight-policy-'));
  root = join(base, 'repo');
  mkdirSync(join(root, 'src/deep'), { recursive: true });
  mkdirSync(join(root, 'secrets'));
  mkdirSync(join(root, '.git/hooks'), { recursive: true });
  mkdirSync(join(base, 'outside'));
  mkdirSync(join(base, 'repository'));
  writeFileSync(join(root, 'src/a.ts'), '');
  writeFileSync(join(root, 'secrets/key'), '');
  writeFileSync(join(base, 'outside/x'), '');
  symlinkSync(join(base, 'outside'), join(root, 'src/out'));
  symlinkSync(join(base, 'outside/x'), join(root, 'src/file-out.ts'));
  symlinkSync(join(base, 'outside/new'), join(root, 'src/to-nothing.ts'));
  symlinkSync(join(root, 'src/loop-b'), join(root, 'src/loop-a'));
  symlinkSync(join(root, 'src/loop-a'), join(root, 'src/loop-b'));
  symlinkSync(join(root, 'secrets'), join(root, 'src/hidden'));
  symlinkSync(join(root, '.git'), join(root, 'src/git'));
  symlinkSync(root, join(base, 'link-to-repo'));
  symlinkSync(join(root, 'src'), join(base, 'outside/back'));
});
afterAll(() => rmSync(base, { recursive: true, force: true }));

interface Asked {
  readonly kind?: ToolKind;
  readonly name?: string;
  readonly input: unknown;
  readonly cwd?: string;
}

function decide(rules: readonly PolicyRule[], asked: Asked): Decision | undefined {
  const { kind = 'edit', name = 'Edit', input, cwd = root } = asked;
  return judge([compilePolicy(rules)], { kind, name, input }, { cwd, files: FILES })?.decision;
}

const rule = (tool: string, match: string, decision: Decision = 'allow'): PolicyRule => ({
  tool,
  match,
  decision,
});
const at = (path: string): string => path.replace('BASE', base);
const edit = (rules: readonly PolicyRule[], path: unknown): Decision | undefined =>
  decide(rules, { input: { file_path: typeof path === 'string' ? at(path) : path } });

describe('a rule that allows to edit `src/**` allows', () => {
  it.each([
    ['a file', 'BASE/repo/src/a.ts'],
    ['a relative path', 'src/a.ts'],
    ['a new file', 'BASE/repo/src/new/deep/b.ts'],
    ['a name with dots', 'BASE/repo/src/..b'],
    ['a way back within', 'BASE/repo/src/deep/../a.ts'],
    ['a file with a dot', 'src/.hidden'],
    ['the same by another name of the workspace', 'BASE/link-to-repo/src/a.ts'],
    ['the same through a link from outside', 'BASE/outside/back/a.ts'],
  ])('%s', (_, path) => {
    expect(edit([rule('edit', 'src/**')], path)).toBe('allow');
  });
});

describe('rules that allow to edit `src/**` and `inside` do not allow', () => {
  it.each([
    ['a file elsewhere', '/etc/passwd'],
    ['a way out', '../outside/x'],
    ['a way out of src', 'BASE/repo/src/../../outside/x'],
    ['a folder with a longer name', 'BASE/repository/x'],
    ['through a link', 'BASE/repo/src/out/x'],
    ['a new file through a link', 'BASE/repo/src/out/new/y'],
    ['a link to a file', 'BASE/repo/src/file-out.ts'],
    ['a link to nothing', 'BASE/repo/src/to-nothing.ts'],
    ['links in a circle', 'BASE/repo/src/loop-a'],
    ['a link and back', 'BASE/repo/src/out/../a.ts'],
    ['a file as a folder', 'BASE/repo/src/a.ts/x'],
    ['a home', '~/x'],
    ['a home of another', '~root/x'],
    ['blanks', ' src/a.ts'],
    ['a null character', 'src/a.ts\0.png'],
    ['what git runs', '.git/hooks/pre-commit'],
    ['what git runs, in other letters', '.GIT/hooks/pre-commit'],
    ['what git runs, through a link', 'src/git/hooks/pre-commit'],
    ['what an agent obeys', '.claude/settings.json'],
    ['a path without end', 'src/'.repeat(100_000)],
    ['a way without end', 'src/../'.repeat(500)],
    ['an empty path', ''],
    ['a number', 1],
    ['none', undefined],
  ])('%s', (_, path) => {
    expect(edit([rule('edit', 'src/**'), rule('edit', 'inside')], path)).not.toBe('allow');
  });
});

describe('several files in a call', () => {
  const rules = [rule('edit', 'src/**'), rule('edit', 'secrets/**', 'deny')];
  const changes = (...paths: string[]): Asked => ({
    name: 'apply_patch',
    input: { changes: paths.map((path) => ({ path, kind: { type: 'update' }, diff: '' })) },
  });

  it('all must be covered', () => {
    expect(decide(rules, changes('src/a.ts', 'src/b.ts'))).toBe('allow');
    expect(decide(rules, changes('src/a.ts', 'docs/b.md'))).toBeUndefined();
    expect(decide(rules, changes('docs/b.md'))).toBeUndefined();
    expect(decide(rules, changes())).toBe('ask');
    expect(decide(rules, { name: 'apply_patch', input: { paths: ['src/a.ts', 'src/b'] } })).toBe('allow');
    expect(decide(rules, { name: 'apply_patch', input: { paths: ['src/a.ts', 7] } })).toBe('ask');
  });

  it('one that is denied denies all', () => {
    expect(decide(rules, changes('src/a.ts', 'secrets/key'))).toBe('deny');
    expect(decide(rules, changes('src/hidden/key'))).toBe('deny');
  });

  it('a file that is moved is two', () => {
    const moved = { path: 'src/a.ts', kind: { type: 'update', move_path: '../outside/x' } };
    expect(decide(rules, { name: 'apply_patch', input: { changes: [moved] } })).not.toBe('allow');
    const older = { 'src/a.ts': { update: { move_path: '/etc/x' } } };
    expect(decide(rules, { name: 'apply_patch', input: { changes: older } })).not.toBe('allow');
  });

  it('one that cannot be read covers nothing', () => {
    const odd = [{ path: 'src/a.ts' }, 'src/b.ts'];
    expect(decide(rules, { name: 'apply_patch', input: { changes: odd } })).toBe('ask');
    expect(decide(rules, { input: { file_path: 'src/a.ts', edits: [{ file_path: '/etc/x' }] } })).not.toBe(
      'allow',
    );
    expect(decide(rules, { input: { file_path: 'src/a.ts', path: 7 } })).toBe('ask');
    expect(decide(rules, { name: 'apply_patch', input: {} })).toBe('ask');
    expect(decide(rules, { name: 'apply_patch', input: { grantRoot: 'src', paths: ['src/a.ts'] } })).toBe(
      'ask',
    );
  });
});

describe('patterns', () => {
  it('stay within a name, begin at the root, and name what is obeyed', () => {
    expect(edit([rule('edit', 'src/*.ts')], 'src/a.ts')).toBe('allow');
    expect(edit([rule('edit', 'src/*.ts')], 'src/deep/a.ts')).toBeUndefined();
    expect(edit([rule('edit', '*.md')], 'docs/a.md')).toBeUndefined();
    expect(edit([rule('edit', '**/*.md')], 'docs/a.md')).toBe('allow');
    expect(edit([rule('edit', '**/*.md')], 'a.md')).toBe('allow');
    expect(edit([rule('edit', '.git/hooks/*')], '.git/hooks/x')).toBe('allow');
    expect(edit([rule('edit', '{src,docs}/**/*.{ts,md}')], 'docs/x/a.md')).toBe('allow');
    expect(edit([rule('edit', '{src,docs}/**/*.{ts,md}')], 'test/a.ts')).toBeUndefined();
    expect(edit([rule('edit', 'src/**', 'deny')], 'src/.env')).toBe('deny');
  });

  it('outside of the workspace', () => {
    expect(edit([rule('edit', 'outside', 'deny')], 'src/out/x')).toBe('deny');
    expect(edit([rule('edit', 'outside', 'deny')], 'src/a.ts')).toBeUndefined();
    expect(edit([rule('edit', 'outside', 'deny')], 'BASE/link-to-repo/src/a.ts')).toBe('deny');
    expect(edit([rule('edit', 'outside')], 'BASE/outside/x')).toBe('allow');
    expect(edit([rule('edit', `${base}/outside/*`)], 'BASE/outside/x')).toBe('allow');
  });

  it('deny by the name of a link and by what it points to', () => {
    expect(edit([rule('edit', 'inside'), rule('edit', 'secrets/**', 'deny')], 'src/hidden/key')).toBe('deny');
    expect(edit([rule('edit', 'inside'), rule('edit', 'src/hidden/**', 'deny')], 'src/hidden/key')).toBe(
      'deny',
    );
  });

  it('ask where a path that cannot be resolved may be meant', () => {
    const all: PolicyRule = { tool: 'edit', decision: 'allow' };
    expect(edit([all], 'src/loop-a')).toBe('allow');
    expect(edit([all, rule('edit', 'secrets/**', 'deny')], 'src/loop-a')).toBe('ask');
  });

  it('a workspace that is named by a link', () => {
    const call = { input: { file_path: join(root, 'src/a.ts') }, cwd: join(base, 'link-to-repo') };
    expect(decide([rule('edit', 'src/**')], call)).toBe('allow');
    expect(decide([rule('edit', 'outside', 'deny')], call)).toBeUndefined();
  });
});

describe('searches', () => {
  const search = (rules: readonly PolicyRule[], input: unknown, name = 'Grep'): Decision | undefined =>
    decide(rules, { kind: 'search', name, input });

  it('are of all that is below', () => {
    expect(search([rule('search', 'src/**')], { pattern: 'x', path: 'src' })).toBe('allow');
    expect(search([rule('search', 'src/*')], { pattern: 'x', path: 'src/deep' })).toBeUndefined();
    expect(search([rule('search', 'src/**')], { pattern: 'x' })).toBeUndefined();
    expect(search([rule('search', 'inside')], { pattern: 'x' })).toBe('allow');
    expect(search([rule('search', 'inside')], { pattern: 'x', path: '..' })).toBeUndefined();
    expect(search([rule('search', 'outside')], { pattern: 'x', path: '/' })).toBeUndefined();
  });

  it('of Glob go where its pattern leads', () => {
    const rules = [rule('search', 'inside')];
    expect(search(rules, { pattern: 'src/**/*.ts' }, 'Glob')).toBe('allow');
    expect(search(rules, { pattern: '*.{ts,js}' }, 'Glob')).toBe('allow');
    expect(search([rule('search', 'src/**')], { pattern: 'src/*.ts' }, 'Glob')).toBe('allow');
    for (const pattern of [
      'src/out/*',
      '/etc/*',
      '../**',
      '{..,src}/x',
      '{/etc,src}/*',
      '~/*',
      '/*',
      '/{etc,x}/y',
    ])
      expect(search(rules, { pattern }, 'Glob'), pattern).not.toBe('allow');
    expect(search(rules, { pattern: `${root}/src/*` }, 'Glob')).toBe('allow');
  });

  it('may show what must not be read', () => {
    const rules = [rule('search', 'inside'), rule('read', 'secrets/**', 'deny')];
    expect(search(rules, { pattern: 'x', path: 'src' })).toBe('allow');
    expect(search(rules, { pattern: 'x', path: 'secrets' })).toBe('deny');
    expect(search(rules, { pattern: 'x' })).toBe('ask');
    expect(search([rule('search', 'inside'), rule('read', '**/.env', 'deny')], { pattern: 'x' })).toBe('ask');
  });
});
