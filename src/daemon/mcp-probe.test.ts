import { describe, expect, test } from 'vitest';
import { httpVault, VAULT } from '../../test/support/vault.ts';
import { probeMcpServer } from './mcp-probe.ts';

const env = { PATH: process.env['PATH'] };
const sh = (script: string) => ({
  command: '/bin/sh',
  args: ['-c', script],
  env: { TOKEN: 'made-up-token' },
});

describe('a server that works', () => {
  test('on stdio', async () => {
    const server = { command: process.execPath, args: [VAULT] };
    expect(await probeMcpServer(server, env)).toEqual({ ok: true, says: 'answers as vault 1.0.0' });
  });

  test('on http', async () => {
    await using vault = await httpVault();
    const server = { type: 'http' as const, url: vault.url, headers: { Authorization: 'Bearer made-up' } };
    expect(await probeMcpServer(server, env)).toEqual({ ok: true, says: 'answers' });
  });
});

describe('one that does not is told, without its secrets', () => {
  test.each([
    [{ command: '/nonexistent/server' }, /could not be started|code 127/],
    [sh('exit 3'), /ended with code 3 before it answered/],
    [sh('yes noise'), /floods its output/],
    [sh('echo not json; exec sleep 1000'), /does not answer within 1 s/],
    [{ type: 'http' as const, url: 'http://127.0.0.1:9/mcp' }, /cannot be reached/],
  ])('%j', async (server, words) => {
    const { ok, says } = await probeMcpServer(server, env, 1000);
    expect(ok).toBe(false);
    expect(says).toMatch(words);
  });

  test('a name with a secret in it', async () => {
    const greeting = `{"id":1,"result":{"serverInfo":{"name":"'$TOKEN'","version":"1"}}}`;
    const { says } = await probeMcpServer(sh(`read line; echo '${greeting}'; exec sleep 1000`), env);
    expect(says).toBe('answers as [masked] 1');
  });
});
