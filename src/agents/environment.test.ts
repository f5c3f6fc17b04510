import { describe, expect, test } from 'vitest';
import {
  agentEnvironment,
  type EnvironmentSources,
  isForCommands,
  mayHave,
  variablesOf,
} from './environment.ts';

const BASE = {
  PATH: '/bin',
  HOME: '/home/me',
  SSH_AUTH_SOCK: '/agent',
  ANTHROPIC_API_KEY: 'key',
  ANTHROPIC_AUTH_TOKEN: 'token',
  ANTHROPIC_CUSTOM_HEADERS: 'x-key: key',
  ANTHROPIC_BASE_URL: 'http://127.0.0.1:1',
  ANTHROPIC_MODEL: 'some',
  CLAUDE_CODE_OAUTH_TOKEN: 'oauth',
  AWS_SECRET_ACCESS_KEY: 'aws',
  AWS_PROFILE: 'work',
  OPENAI_API_KEY: 'key',
  CODEX_API_KEY: 'key',
  MY_PROVIDER_KEY: 'key',
  MY_SETTING: 'setting',
  PILOTLIGHT_HOME: '/home/me/.pilotlight',
  OTHER_SECRET: 'not asked for',
};

function made(more: Partial<EnvironmentSources> = {}): Record<string, string> {
  return agentEnvironment({
    agent: 'claude',
    base: BASE,
    env: {},
    credentials: {},
    agentOptions: {},
    extra: ['MY_PROVIDER_KEY', 'MY_SETTING', 'PILOTLIGHT_HOME'],
    ...more,
  });
}

test.each(['constructor', 'toString', 'valueOf', 'hasOwnProperty'])(
  'a credential by the name %s is a variable like others, for every agent',
  (name) => {
    expect(variablesOf(name)).toEqual([name]);
    expect(mayHave('claude', name)).toBe(true);
    expect(Object.entries(made({ credentials: { [name]: 'made-up' } }))).toContainEqual([name, 'made-up']);
  },
);

test('an agent gets its own log-in and nothing that is not on the list; what is Pilotlight’s never', () => {
  expect(Object.keys(made()).toSorted()).toEqual(
    Object.keys(BASE)
      .filter((name) => !/^(?:OPENAI|CODEX|PILOTLIGHT|OTHER)_/.test(name))
      .toSorted(),
  );
});

describe('a session that leads its agent elsewhere gets no credential of the daemon', () => {
  const WITHOUT = ['PATH', 'HOME', 'SSH_AUTH_SOCK', 'ANTHROPIC_BASE_URL', 'ANTHROPIC_MODEL', 'MY_SETTING'];

  test.each([
    ['ANTHROPIC_BASE_URL', 'https://evil.example'],
    ['ANTHROPIC_BEDROCK_BASE_URL', 'https://evil.example'],
    ['CLAUDE_CODE_USE_BEDROCK', '1'],
    ['CLAUDE_CODE_USE_VERTEX', '1'],
    ['CLAUDE_CONFIG_DIR', '/tmp/theirs'],
    ['HOME', '/tmp/theirs'],
    ['XDG_CONFIG_HOME', '/tmp/theirs'],
    ['AWS_ENDPOINT_URL', 'https://evil.example'],
    ['NODE_EXTRA_CA_CERTS', '/tmp/their-ca.pem'],
    ['SSL_CERT_FILE', '/tmp/their-ca.pem'],
  ])('Claude: %s', (name, value) => {
    const env = made({ env: { [name]: value } });
    const { [name]: _own, ...rest } = env;
    expect(env[name]).toBe(value);
    expect(Object.keys(rest).toSorted()).toEqual(WITHOUT.filter((one) => one !== name).toSorted());
  });

  test.each<[string, Partial<EnvironmentSources>]>([
    ['OPENAI_BASE_URL', { env: { OPENAI_BASE_URL: 'https://evil.example' } }],
    ['CODEX_HOME', { env: { CODEX_HOME: '/tmp/theirs' } }],
    ['a base URL in config', { agentOptions: { config: { chatgpt_base_url: 'https://evil.example' } } }],
    [
      'a provider in config',
      { agentOptions: { config: { 'model_providers.x': { base_url: 'u', env_key: 'OPENAI_API_KEY' } } } },
    ],
    ['a nested one', { agentOptions: { config: { model_providers: { x: { base_url: 'u' } } } } }],
    ['a profile with one', { agentOptions: { config: { profiles: { x: { openai_base_url: 'u' } } } } }],
    ['a chosen provider', { agentOptions: { config: { model_provider: 'x' } } }],
    ['a chosen provider as an option', { agentOptions: { modelProvider: 'x' } }],
  ])('Codex: %s', (_name, more) => {
    const env = made({ agent: 'codex', ...more });
    for (const name of ['OPENAI_API_KEY', 'CODEX_API_KEY', 'MY_PROVIDER_KEY'])
      expect(env).not.toHaveProperty(name);
    expect(env['MY_SETTING']).toBe('setting');
  });

  test('its own credentials go with it', () => {
    const env = made({
      env: { ANTHROPIC_BASE_URL: 'https://theirs.example' },
      credentials: { anthropicApiKey: 'their-key' },
    });
    expect([env['ANTHROPIC_API_KEY'], env['ANTHROPIC_AUTH_TOKEN']]).toEqual(['their-key', undefined]);
  });

  test('what the daemon has itself leads nowhere else', () => {
    const { ANTHROPIC_BASE_URL, HOME } = BASE;
    expect(made({ env: { ANTHROPIC_BASE_URL, HOME } })['ANTHROPIC_API_KEY']).toBe('key');
    expect(made({ env: { ANTHROPIC_MODEL: 'x' } })['ANTHROPIC_API_KEY']).toBe('key');
  });
});

test('where git may look is the affair of a shared process: the agent asks git itself', () => {
  expect(isForCommands('codex', 'GIT_CEILING_DIRECTORIES')).toBe(false);
  expect(isForCommands('codex', 'GIT_CONFIG_KEY_0')).toBe(true);
  expect(isForCommands('codex', 'WHO')).toBe(true);
});
