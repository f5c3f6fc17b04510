/** The list of trusted workspaces: kept in a file of its owner alone, refused when it cannot be trusted itself. */
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openWorkspaces, type Workspaces } from './workspaces.ts';

let top: string;
let repository: string;

beforeEach(() => {
  top = realpathSync(mkdtempSync(join(tmpdir(), 'workspaces-')));
  repository = join(top, 'repo');
  mkdirSync(join(repository, '.git', 'objects'), { recursive: true });
  mkdirSync(join(repository, 'src'));
});

afterEach(() => {
  rmSync(top, { recursive: true, force: true });
});

const open = (trusted: readonly string[] = []): Workspaces =>
  openWorkspaces({ file: join(top, 'trusted.json'), trusted, reads: () => ['CLAUDE.md'] });

test('trusted from one of its directories, a repository is so for the next daemon too, until it is revoked', async () => {
  const first = open();
  expect(await first.look(repository, 'claude')).toEqual({ trusted: false, leftOut: [] });
  const view = await first.set({ path: join(repository, 'src'), trusted: true }, 'home');
  expect(view).toMatchObject({ path: repository, by: 'home' });
  expect(await first.set({ path: repository, trusted: true }, 'other')).toEqual(view);
  expect(statSync(join(top, 'trusted.json')).mode & 0o777).toBe(0o600);
  const next = open();
  expect(next.list()).toEqual([view]);
  expect((await next.look(join(repository, 'src'), 'claude')).trusted).toBe(true);
  await next.set({ path: join(repository, 'src'), trusted: false }, 'home');
  expect((await open().look(repository, 'claude')).trusted).toBe(false);
});

test('a workspace that is gone can be taken off the list; one that was never there cannot', async () => {
  const workspaces = open();
  await workspaces.set({ path: repository, trusted: true }, 'home');
  rmSync(repository, { recursive: true });
  await workspaces.set({ path: repository, trusted: false }, 'home');
  expect(workspaces.list()).toEqual([]);
  await expect(workspaces.set({ path: repository, trusted: false }, 'home')).rejects.toMatchObject({
    code: 'not_found',
  });
  await expect(workspaces.set({ path: repository, trusted: true }, 'home')).rejects.toMatchObject({
    code: 'bad_cwd',
  });
});

test('workspace.trusted of the configuration needs no list', async () => {
  expect((await open([top]).look(repository, 'claude')).trusted).toBe(true);
});

test('a list that others may write, or that is no list, is refused with the fix', async () => {
  const file = join(top, 'trusted.json');
  await open().set({ path: repository, trusted: true }, 'home');
  chmodSync(file, 0o666);
  expect(open).toThrow(expect.objectContaining({ fix: `Run: chmod 600 ${file}` }));
  writeFileSync(file, '[]');
  chmodSync(file, 0o600);
  expect(open).toThrow(expect.objectContaining({ code: 'bad_request' }));
});
