import { describe, expect, test } from 'vitest';
import { secretsOf } from './secrets.ts';

const of = (env: Record<string, string>): string[] => secretsOf({ env, credentials: {} });

describe('variables', () => {
  test.each([
    ['ANTHROPIC_API_KEY', 'made-up-key'],
    ['DB_PASSWORD', 'swordfish'],
    ['SOMETHING', 'x7Jk-made-up-93'],
    ['NPM_TOKEN', '/made/up/with/slashes'],
    ['MOCK_KEY', '0123456789'],
  ])('%s=%s is a secret', (name, value) => {
    expect(of({ [name]: value })).toEqual([value]);
  });

  test.each([
    ['PATH', '/usr/local/bin:/usr/bin'],
    ['CLAUDE_CONFIG_DIR', '/home/user/.claude'],
    ['ANTHROPIC_BASE_URL', 'https://proxy.example.test/v1'],
    ['ANTHROPIC_MODEL', 'claude-opus-5-5'],
    ['NODE_ENV', 'production'],
    ['PROJECT_ROOT', '/work/project'],
    ['SIZE', '1000000000'],
    ['SSH_AUTH_SOCK', '/tmp/ssh-XXXX/agent.1'],
    ['MCP_TIMEOUT', '30000'],
    ['_RJEM_MALLOC_CONF', 'tcache_max:1024,narenas:1'],
  ])('%s=%s is none', (name, value) => {
    expect(of({ [name]: value })).toEqual([]);
  });

  test('the password in an address', () => {
    expect(of({ HTTPS_PROXY: 'http://me:pass%2Fword-1@proxy.test:8080' })).toEqual([
      'http://me:pass%2Fword-1@proxy.test:8080',
      'pass%2Fword-1',
      'pass/word-1',
    ]);
  });
});

test('credentials whatever they look like, values of MCP servers, and what stands behind the scheme of a header', () => {
  const servers = {
    one: { command: 'x', args: ['not-a-secret'], env: { MODE: 'production' } },
    two: { type: 'http' as const, url: 'https://x.test', headers: { Authorization: 'Bearer made-up-2' } },
  };
  expect(secretsOf({ env: {}, credentials: { plain: 'word' }, servers })).toEqual([
    'Bearer made-up-2',
    'made-up-2',
    'production',
    'word',
  ]);
});
