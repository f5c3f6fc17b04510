import { expect, test } from 'vitest';
import { refusedVariable } from './environment.ts';
import { CreateSession, SendTurn, UpdateSession } from './requests.ts';

const REFUSED = [
  'LD_PRELOAD',
  'LD_LIBRARY_PATH',
  'LD_AUDIT',
  'DYLD_INSERT_LIBRARIES',
  'GLIBC_TUNABLES',
  'NODE_OPTIONS',
  'NODE_PATH',
  'NODE_TLS_REJECT_UNAUTHORIZED',
  'BUN_OPTIONS',
  'npm_config_node_options',
  'BASH_ENV',
  'ENV',
  'PROMPT_COMMAND',
  'BASH_FUNC_ls',
  'ZDOTDIR',
  'IFS',
  'SHELLOPTS',
  'PS4',
  'PYTHONSTARTUP',
  'PYTHONPATH',
  'PERL5OPT',
  'RUBYOPT',
  'JAVA_TOOL_OPTIONS',
  '_JAVA_OPTIONS',

  'GIT_SSH_COMMAND',
  'GIT_SSH',
  'GIT_CONFIG_COUNT',
  'GIT_EXEC_PATH',
  'GIT_PAGER',
  'SSH_ASKPASS',
  'EDITOR',
  'PILOTLIGHT_RUNTIME',
  'PILOTLIGHT_HOME',
  'PILOTLIGHT_ANYTHING',
];

test.each(REFUSED)('%s is refused by name, as a variable and as a credential', (name) => {
  const wish = { agent: 'claude', cwd: '/' };
  const bad = [
    CreateSession.safeParse({ ...wish, env: { OK: '1', [name]: 'x' } }),
    CreateSession.safeParse({ ...wish, credentials: { [name]: 'x' } }),
    UpdateSession.safeParse({ credentials: { [name]: { value: 'x' } } }),
    SendTurn.safeParse({ input: 'x', credentials: { [name]: 'x' } }),
  ];
  for (const { success, error } of bad) {
    expect(success).toBe(false);
    expect(JSON.stringify(error?.issues)).toContain(`${name} `);
  }
});

test.each([
  'PATH',
  'HOME',
  'LANG',
  'TZ',
  'DATABASE_URL',
  'ANTHROPIC_BASE_URL',
  'OPENAI_API_KEY',
  'CLAUDE_CONFIG_DIR',

  'CODEX_HOME',
  'MY_ENV',
  'ENVIRONMENT',
  'NODE_ENV',
  'GIT_AUTHOR_NAME',
  'OLD_LD',
  'EDITORIAL',
  'HTTPS_PROXY',
])('%s is allowed', (name) => {
  expect(refusedVariable(name)).toBeUndefined();
  expect(CreateSession.safeParse({ agent: 'claude', cwd: '/', env: { [name]: 'x' } }).success).toBe(true);
});

test.each(['LD_PRELOAD=/x.so', 'A B', '', '1A', 'A\0', 'A-B'])(
  '%j is no name of a variable, where it is a credential too',
  (name) => {
    for (const field of ['env', 'credentials'])
      expect(CreateSession.safeParse({ agent: 'claude', cwd: '/', [field]: { [name]: 'x' } }).success).toBe(
        false,
      );
  },
);

test('a server that a session brings may have any variable but the mark by which it is found', () => {
  const wish = (name: string): boolean =>
    CreateSession.safeParse({
      agent: 'claude',
      cwd: '/',
      mcpServers: { one: { command: 'node', env: { [name]: 'x' } } },
    }).success;
  expect([wish('NODE_OPTIONS'), wish('PILOTLIGHT_RUNTIME'), wish('PILOTLIGHT_X')]).toEqual([
    true,
    false,
    false,
  ]);
});

test('a NUL in a value is refused: nothing could be started with it', () => {
  for (const field of ['env', 'credentials'])
    expect(CreateSession.safeParse({ agent: 'claude', cwd: '/', [field]: { A: 'x\0y' } }).success).toBe(
      false,
    );
});
