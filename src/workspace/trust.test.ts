/** Which directories trust reaches, and what of a repository is found. */
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { foundOf, groundOf, isConfigured, isListed, patternOf, rootsOf, workspaceOf } from './index.ts';

let top: string;
const at = (...names: string[]): string => join(top, ...names);

beforeAll(() => {
  top = realpathSync(mkdtempSync(join(tmpdir(), 'trust-')));
  for (const path of ['repo/.git/objects', 'repo/src/deep', 'repo/vendor/theirs/.git/objects', 'plain/below'])
    mkdirSync(at(path), { recursive: true });
  mkdirSync(at('tree'));
  writeFileSync(at('tree/.git'), `gitdir: ${at('repo/.git/worktrees/tree')}\n`);
  mkdirSync(at('module'));
  writeFileSync(at('module/.git'), 'gitdir: ../repo/.git/modules/module\n');
  symlinkSync(at('repo/src'), at('link'));
  writeFileSync(at('repo/CLAUDE.md'), '');
  writeFileSync(at('repo/src/.mcp.json'), '');
  writeFileSync(at('CLAUDE.md'), '');
});

afterAll(() => {
  rmSync(top, { recursive: true, force: true });
});

async function listed(directory: string, ...list: string[]): Promise<boolean> {
  return isListed(await groundOf(at(directory)), new Set(list.map((one) => at(one))));
}

async function configured(directory: string, pattern: string): Promise<boolean> {
  return isConfigured(await groundOf(at(directory)), [await patternOf(pattern)]);
}

test('a directory of a repository is trusted with it, through a link too; another repository below it is not', async () => {
  expect(workspaceOf(await groundOf(at('repo/src/deep')))).toBe(at('repo'));
  expect(await listed('repo/src/deep', 'repo')).toBe(true);
  expect(await listed('link', 'repo')).toBe(true);
  expect(await listed('repo/vendor/theirs', 'repo')).toBe(false);
  expect(await listed('repo', 'repo/src')).toBe(false);
  expect(await listed('repo', '.')).toBe(false);
});

test('empty directories, as a sandbox leaves them behind, make no repository and bring nothing along', async () => {
  for (const name of ['.git', '.codex']) mkdirSync(at('left', name), { recursive: true });
  mkdirSync(at('left/below'));
  expect(workspaceOf(await groundOf(at('left/below')))).toBe(at('left/below'));
  expect(await foundOf(await groundOf(at('left')), ['.codex'])).toEqual([]);
  writeFileSync(at('left/.codex/config.toml'), '');
  expect(await foundOf(await groundOf(at('left')), ['.codex'])).toEqual([at('left/.codex')]);
});

test('without a repository a directory is trusted with what is above it', async () => {
  expect(workspaceOf(await groundOf(at('plain/below')))).toBe(at('plain/below'));
  expect(await listed('plain/below', 'plain')).toBe(true);
  expect(await listed('plain', 'plain/below')).toBe(false);
});

test('what the configuration names reaches down into other repositories; a star is within a name', async () => {
  expect(await configured('repo/vendor/theirs', at('repo'))).toBe(true);
  expect(await configured('repo/vendor/theirs', `${at('repo')}/`)).toBe(true);
  expect(await configured('repo/src', at('link'))).toBe(true);
  expect(await configured('repo/src/deep', at('*', 'src'))).toBe(true);
  expect(await configured('repo/src', at('re*'))).toBe(true);
  expect(await configured('repo', at('*', 'src'))).toBe(false);
  expect(await configured('repo/vendor/theirs', at('**', 'theirs'))).toBe(true);
  expect(await configured('repo', '/')).toBe(true);
  expect(await configured('repo', at('rep'))).toBe(false);
  expect(await configured('repo', at('r.po*'))).toBe(false);
});

test('what a repository brings along is found up to its root and not above', async () => {
  const names = ['CLAUDE.md', '.mcp.json'];
  expect(await foundOf(await groundOf(at('repo/src/deep')), names)).toEqual([
    at('repo/src/.mcp.json'),
    at('repo/CLAUDE.md'),
  ]);
  expect(await foundOf(await groundOf(at('plain/below')), names)).toEqual([]);
});

test('a worktree is known by its repository too; a submodule is not', async () => {
  expect(await rootsOf(await groundOf(at('tree')))).toEqual([at('tree'), at('repo')]);
  expect(await rootsOf(await groundOf(at('module')))).toEqual([at('module')]);
  expect(await rootsOf(await groundOf(at('repo/src')))).toEqual([at('repo/src'), at('repo')]);
});
