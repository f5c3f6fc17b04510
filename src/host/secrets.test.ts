import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createSecretStore, sessionsIn, type SessionSecrets } from './secrets.ts';

let directory: string;
beforeEach(() => {
  directory = join(mkdtempSync(join(tmpdir(), 'pl-secrets-')), 'secrets');
});
afterEach(() => rmSync(join(directory, '..'), { recursive: true }));

const SECRETS: SessionSecrets = {
  env: { A: 'made-up-a' },
  credentials: { anthropicApiKey: { value: 'made-up-key', expiresAt: '2030-01-01T00:00:00.000Z' } },
  mcpServers: { one: { command: 'node', env: { T: 'made-up-t' } } },
};

test('kept for the next daemon, readable by this user alone', () => {
  createSecretStore({ directory, persist: true }).put('ses_1', SECRETS);
  const next = createSecretStore({ directory, persist: true });
  expect(next.get('ses_1')).toEqual(SECRETS);
  expect(next.get('ses_2')).toEqual({ env: {}, credentials: {}, mcpServers: {} });
  expect(statSync(directory).mode & 0o777).toBe(0o700);
  expect(statSync(join(directory, 'ses_1.json')).mode & 0o777).toBe(0o600);
});

test('what a process must not be heard to say goes with it, and is no session', () => {
  const store = createSecretStore({ directory, persist: true });
  store.keep('rt_1', ['made-up-1']);
  store.keep('rt_1', ['made-up-1', 'made-up-2']);
  const next = createSecretStore({ directory, persist: true });
  expect(next.kept('rt_1')).toEqual(['made-up-1', 'made-up-2']);
  expect([next.kept('rt_2'), next.get('rt_1').env]).toEqual([[], {}]);
  next.put('ses_1', SECRETS);
  expect(sessionsIn(directory)).toEqual(['ses_1']);
  next.remove('ses_1');
  next.sweep((owner) => owner === 'rt_1');
  expect(next.kept('rt_1')).toHaveLength(2);
  next.remove('rt_1');
  expect(readdirSync(directory)).toEqual([]);
});

test('not to persist: in memory, gone with the process; files that agents read are written all the same', () => {
  const store = createSecretStore({ directory, persist: false });
  store.put('ses_1', SECRETS);
  expect(store.get('ses_1')).toEqual(SECRETS);
  expect(readdirSync(directory)).toEqual([]);
  store.place(join(store.filesAt('ses_1'), 'mcp.json'), '{}');
  expect(createSecretStore({ directory, persist: false }).get('ses_1').env).toEqual({});
  store.remove('ses_1');
  expect(readdirSync(directory)).toEqual([]);
});

test('without a directory, files lie in one of their own that goes with the store', () => {
  const store = createSecretStore({ persist: true });
  const file = join(store.filesAt('ses_1'), 'mcp.json');
  store.place(file, '{}');
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(statSync(join(file, '..')).mode & 0o777).toBe(0o700);
  store.remove('ses_1');
  expect(existsSync(file)).toBe(false);
  store.dispose();
  expect(existsSync(join(file, '../..'))).toBe(false);
});

test('what a daemon that died left is swept: of closed sessions, of none, half written', () => {
  const store = createSecretStore({ directory, persist: true });
  for (const session of ['ses_1', 'ses_2']) {
    store.put(session, SECRETS);
    store.place(join(store.filesAt(session), 'mcp.json'), '{}');
  }
  writeFileSync(join(directory, 'ses_1.json.new'), '{"env":');
  store.sweep((session) => session === 'ses_1');
  expect(readdirSync(directory).toSorted()).toEqual(['ses_1.files', 'ses_1.json']);
});

test('values that an earlier daemon wrote go when they are not to persist any more', () => {
  createSecretStore({ directory, persist: true }).put('ses_1', SECRETS);
  const store = createSecretStore({ directory, persist: false });
  store.place(join(store.filesAt('ses_1'), 'mcp.json'), '{}');
  store.sweep(() => true);
  expect(readdirSync(directory)).toEqual(['ses_1.files']);
});

test('a file that cannot be read is an error that quotes nothing of it', () => {
  const store = createSecretStore({ directory, persist: true });
  writeFileSync(join(directory, 'ses_1.json'), '{"env": {"A": "made-up-a');
  expect(() => store.get('ses_1')).toThrow(/ses_1\.json cannot be read/);
  try {
    store.get('ses_1');
  } catch (error) {
    expect(JSON.stringify(error) + String((error as Error).cause)).not.toContain('made-up');
  }
});
