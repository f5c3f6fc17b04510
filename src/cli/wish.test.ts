import { expect, test } from 'vitest';
import { goesAlong } from './wish.ts';

const ENVIRONMENT = {
  PATH: '/bin',
  HOME: '/home/me',
  IS_SANDBOX: '1',
  DISABLE_TELEMETRY: '1',
  ANTHROPIC_API_KEY: 'a',
  ANTHROPIC_BASE_URL: 'u',
  CLAUDE_CONFIG_DIR: 'c',
  CLAUDE_CODE_OAUTH_TOKEN: 'o',
  OPENAI_API_KEY: 'b',
  CODEX_HOME: 'h',
  CODEX_API_KEY: 'k',
  GITHUB_TOKEN: 'g',
  AWS_SECRET_ACCESS_KEY: 's',
  NODE_OPTIONS: '--inspect',
  PILOTLIGHT_RUNTIME: 'x/y',
  NOT_ANTHROPIC_API_KEY: 'n',
  UNSET: undefined,
};
const ALWAYS = ['DISABLE_TELEMETRY', 'IS_SANDBOX', 'PATH'];

test.each([
  ['claude', ['ANTHROPIC_API_KEY', 'ANTHROPIC_BASE_URL', 'CLAUDE_CODE_OAUTH_TOKEN', 'CLAUDE_CONFIG_DIR']],
  ['codex', ['CODEX_API_KEY', 'CODEX_HOME', 'OPENAI_API_KEY']],
  ['another', []],
])("with %s go its own variables, PATH and switches; nobody else's secrets", (agent, own) => {
  expect(Object.keys(goesAlong(ENVIRONMENT, agent)).sort()).toEqual([...own, ...ALWAYS].sort());
});
