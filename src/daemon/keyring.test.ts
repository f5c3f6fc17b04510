import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { SecretStore } from '../host/index.ts';
import { createDirectHost } from '../process/index.ts';
import { newId } from '../protocol/index.ts';
import { SECRET_TOOL } from '../../test/support/secret-tool.ts';
import { checkConfig } from './config.ts';
import { homeKey, tryKeyring, type KeyringOptions } from './keyring.ts';
import { openSecrets } from './secret-store.ts';

/** As macOS has it: the value comes by stdin. */
const SECURITY = `#!/bin/sh
state="$(dirname "$0")/kept"; mkdir -p "$state"; printf '%s\\n' "$*" >> "$state/argv"
case "$1" in
  -i) read -r line; set -- $line; printf '%s' "\${10}" > "$state/$6.key" ;;
  find-generic-password) [ -e "$state/$5.key" ] || exit 44; cat "$state/$5.key" ;;
  delete-generic-password) rm -f "$state/$5.key" ;;
esac
`;

let folder: string;
let children: ReturnType<typeof createDirectHost>;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pl-keyring-'));
  children = createDirectHost({
    homeId: newId('home'),
    ladder: { termAfterMs: 100, killAfterMs: 100, stuckAfterMs: 1000 },
  });
});
afterEach(async () => {
  await children[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

function install(name = 'secret-tool', text = SECRET_TOOL): void {
  writeFileSync(join(folder, name), text, { mode: 0o755 });
}

function options(more: Partial<KeyringOptions> = {}): KeyringOptions {
  const env = { PATH: `${folder}:/usr/bin:/bin` };
  return { at: { children, cwd: folder, env }, timeoutMs: 5000, platform: 'linux', ...more };
}

const state = (name: string): string => join(folder, 'kept', name);
const toggle = (name: string): void => writeFileSync(state(name), '');

test.each([
  ['linux', 'secret-tool', SECRET_TOOL],
  ['darwin', 'security', SECURITY],
] as const)('%s: one key a home, made once, never in argv', async (platform, name, text) => {
  install(name, text);
  const first = await homeKey('home_1', false, options({ platform }));
  expect(first).toHaveLength(32);
  expect(await homeKey('home_1', true, options({ platform }))).toEqual(first);
  expect(await homeKey('home_2', false, options({ platform }))).not.toEqual(first);
  expect(readFileSync(state('argv'), 'utf8')).not.toContain(first.toString('hex'));
  expect(readFileSync(state('home_1.key'), 'utf8')).toBe(first.toString('hex'));
});

test('a keyring that is locked once: what is sealed keeps its key, and it is said what to do', async () => {
  install();
  const key = await homeKey('home_1', false, options());
  toggle('locked');
  await expect(homeKey('home_1', true, options())).rejects.toMatchObject({
    code: 'keyring_unavailable',
    fix: expect.stringContaining('Unlock'),
  });
  rmSync(state('locked'));
  expect(await homeKey('home_1', true, options())).toEqual(key);
});

test('no tool, a tool that hangs, a keyring that keeps nothing: each says so, within its bound', async () => {
  const env = { PATH: folder };
  await expect(homeKey('h', false, options({ at: { children, cwd: folder, env } }))).rejects.toThrow(
    /secret-tool could not be started/,
  );
  install();
  await homeKey('other', false, options());
  toggle('forgets');
  await expect(homeKey('h', false, options())).rejects.toThrow(/did not keep a key/);
  toggle('hangs');
  await expect(homeKey('h', false, options({ timeoutMs: 200 }))).rejects.toThrow(/did not end within 200 ms/);
  await expect(homeKey('h', false, options({ platform: 'win32' }))).rejects.toThrow(/no keyring/);
});

test('doctor tries it and leaves nothing in it', async () => {
  install();
  expect(await tryKeyring(options().at.env, 5000, 'linux')).toBe('secret-tool');
  expect(readdirSync(join(folder, 'kept'))).toEqual(['argv']);
});

const GIVEN = {
  env: {},
  credentials: { anthropicApiKey: { value: 'sk-made-up-for-the-keyring' } },
  mcpServers: {},
};

function opened(store: 'file' | 'keyring'): Promise<SecretStore> {
  const { secrets } = checkConfig({ secrets: { store } });
  const at = options().at;
  return openSecrets({ secrets, directory: join(folder, 'secrets'), homeId: 'home_1', at });
}

test.runIf(process.platform === 'linux')(
  'values that lie in files become sealed, are read by the next daemon, and by none without the key',
  async () => {
    install();
    (await opened('file')).put('ses_1', GIVEN);
    const file = join(folder, 'secrets', 'ses_1.json');
    expect(readFileSync(file, 'utf8')).toContain('sk-made-up');
    const sealing = await opened('keyring');
    sealing.put('ses_2', GIVEN);
    for (const name of readdirSync(join(folder, 'secrets')))
      expect(readFileSync(join(folder, 'secrets', name), 'utf8')).not.toMatch(/sk-made-up|anthropic/);
    const next = await opened('keyring');
    expect([next.get('ses_1'), next.get('ses_2')]).toEqual([GIVEN, GIVEN]);
    const plain = await opened('file');
    expect(() => plain.get('ses_1')).toThrow(/cannot be read/);
    // One session's file in the place of another's is no file of that one.
    writeFileSync(join(folder, 'secrets', 'ses_2.json'), readFileSync(file));
    expect(() => next.get('ses_2')).toThrow(/cannot be read/);
    rmSync(state('home_1.key'));
    await expect(opened('keyring')).rejects.toMatchObject({ code: 'keyring_unavailable' });
    expect(existsSync(file)).toBe(true);
  },
);
