/** R24: where a key comes from when the session brings none, and what happens when it is in memory only. Real CLIs. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createHost, PilotlightError } from '../../src/index.ts';
import { type FakeModel } from '../../src/testing/index.ts';
import { TestDaemon, testHome, type Event, type TestHome } from '../support/daemon.ts';
import { realForAll } from '../support/for-all.ts';
import { agentConfig, type RealAgents } from '../support/real-agents.ts';
import { openedBy, VAULT } from '../support/vault.ts';

let model: FakeModel;
let real: RealAgents;

realForAll((made) => {
  ({ model, real } = made);
});

/** A daemon whose own environment leads to the fake model, without a key: then a session need not bring anything. */
async function daemonWith(config: string): Promise<{ home: TestHome; daemon: TestDaemon } & AsyncDisposable> {
  const { ANTHROPIC_API_KEY: _none, ...env } = real.claude.env;
  const { CODEX_HOME = '' } = real.codex.env;
  const agents = agentConfig(real);
  const home = testHome({ config: config + agents, root: real.root, env: { ...env, CODEX_HOME } });
  const daemon = await TestDaemon.start(home);
  const both = { home, daemon };
  return {
    get home() {
      return both.home;
    },
    get daemon() {
      return both.daemon;
    },
    set daemon(next: TestDaemon) {
      both.daemon = next;
    },
    async [Symbol.asyncDispose]() {
      await both.daemon.stop();
      await both.home[Symbol.asyncDispose]();
    },
  };
}

async function keyOf(words: string): Promise<string | undefined> {
  const { headers } = await model.waitForRequest(
    (one) => one.side === null && one.lastUserText.includes(words),
  );
  return headers['x-api-key'] ?? headers['authorization']?.replace('Bearer ', '');
}

const reasons = (events: readonly Event[]): unknown[] =>
  events.filter((event) => event.type === 'runtime.ended').map((event) => event.data['reason']);

describe('a command of the configuration', () => {
  test('its key reaches the agent it is for; one that has expired is had anew before the next message', async () => {
    const printed = join(real.root, 'printed.json');
    const runs = join(real.root, 'runs');
    const print = (value: string, expiresAt: string): void =>
      writeFileSync(printed, JSON.stringify({ value, expiresAt }));
    print('made-up-minted-1', new Date(Date.now() - 1000).toISOString());
    const command = `echo x >> ${runs}; cat ${printed}`;
    const config = ['anthropicApiKey', 'MOCK_KEY'].map(
      (name) => `[credentials.${name}]\ncommand = "${command}"\n`,
    );
    await using at = await daemonWith(config.join(''));
    for (const agent of ['claude', 'codex']) {
      const session = await at.daemon.session(agent, { cwd: real.cwd });
      await at.daemon.turn(session, `remember: minted for ${agent}`);
      print('made-up-minted-2', '2099-01-01T00:00:00Z');
      await at.daemon.turn(session, `say anew-${agent}`);
      expect(await keyOf(`anew-${agent}`)).toBe('made-up-minted-2');
      expect((await at.daemon.turn(session, 'recall')).data['text']).toContain(`minted for ${agent}`);
      const events = await at.daemon.events(session);
      expect(reasons(events).every((reason) => reason === 'replaced')).toBe(true);
      expect(JSON.stringify(events)).not.toContain('made-up-');
      // A daemon that never saw the key masks it all the same, in what the process that has it says.
      await at.daemon.kill9();
      at.daemon = await TestDaemon.takeOver(at.home);
      const name = agent === 'claude' ? 'anthropicApiKey' : 'MOCK_KEY';
      const variable = agent === 'claude' ? 'ANTHROPIC_API_KEY' : 'MOCK_KEY';
      const said = await at.daemon.turn(
        session,
        `run: cat /proc/$PPID/environ | tr '\\0' '\\n' | grep ^${variable}=`,
      );
      expect(said.data['text'], JSON.stringify(said.data)).toContain(`${variable}=[masked]`);
      // The session's own key wins, and no command is asked for it.
      await at.daemon.request('PATCH', `/v1/sessions/${session}`, { credentials: { [name]: 'made-up-own' } });
      await at.daemon.turn(session, `say own-${agent}`);
      expect(await keyOf(`own-${agent}`)).toBe('made-up-own');
      await at.daemon.request('DELETE', `/v1/sessions/${session}`);
    }
    expect(readFileSync(join(at.home.path, 'logs', 'daemon.log'), 'utf8')).not.toContain('made-up-');
  });

  test('a key of the session that has expired: the command is asked; without one the turn fails as what it is, and a good key goes on', async () => {
    const expired = {
      anthropicApiKey: { value: 'made-up-expired', expiresAt: '2001-01-01T00:00:00Z' },
    };
    const command = '[credentials.anthropicApiKey]\ncommand = "echo made-up-of-the-command"\n';
    {
      await using at = await daemonWith(command);
      const session = await at.daemon.session('claude', { cwd: real.cwd, credentials: expired });
      await at.daemon.turn(session, 'say by-the-command');
      expect(await keyOf('by-the-command')).toBe('made-up-of-the-command');
    }
    await using at = await daemonWith('');
    const session = await at.daemon.session('claude', {
      cwd: real.cwd,
      credentials: expired,
      env: { CLAUDE_CODE_MAX_RETRIES: '1' },
    });
    const ending = await at.daemon.turn(session, 'fail 401');
    expect([ending.type, ending.data['code']]).toEqual(['turn.failed', 'auth_failed']);
    const credentials = { anthropicApiKey: 'made-up-good' };
    expect((await at.daemon.request('PATCH', `/v1/sessions/${session}`, { credentials })).status).toBe(200);
    await at.daemon.turn(session, 'say with-a-good-one');
    expect(await keyOf('with-a-good-one')).toBe('made-up-good');
  });

  test('none for a session that leads its agent elsewhere', async () => {
    const runs = join(real.root, 'never');
    await using at = await daemonWith(
      `[credentials.anthropicApiKey]\ncommand = "echo x > ${runs}; echo made-up"\n`,
    );
    const elsewhere = {
      ...real.claude.env,
      ANTHROPIC_BASE_URL: `${model.url}/`,
      ANTHROPIC_API_KEY: 'made-up-mine',
    };
    const session = await at.daemon.session('claude', { cwd: real.cwd, env: elsewhere });
    await at.daemon.turn(session, 'say mine only');
    expect(await keyOf('mine only')).toBe('made-up-mine');
    expect(() => readFileSync(runs)).toThrow(/ENOENT/);
  });

  test.each([
    ['exit 7', /anthropicApiKey ended with code 7/],
    ['exec sleep 600', /anthropicApiKey did not end within 200 ms/],
    ['yes made-up', /anthropicApiKey printed more than 64 KiB/],
  ])('one that fails fails the start, and says which: %s', async (command, words) => {
    await using at = await daemonWith(
      `[credentials.anthropicApiKey]\ncommand = "${command}"\ntimeoutMs = ${command.includes('sleep') ? '200' : '20000'}\n`,
    );
    const session = await at.daemon.session('claude', { cwd: real.cwd });
    const ending = await at.daemon.turn(session, 'say never');
    expect(ending.type).toBe('turn.failed');
    expect(ending.data['message']).toMatch(words);
    expect(ending.data['effects']).toBe('none');
    expect(JSON.stringify(await at.daemon.events(session))).not.toContain('made-up');
  });
});

test('MCP servers of the configuration: every session has them, but none that leads its agent elsewhere; its own of the name comes first', async () => {
  const entry = `[mcpServers.vault]\ncommand = "${process.execPath}"\nargs = ["${VAULT}"]\nenv = { VAULT_TOKEN = "made-up-common" }\n`;
  await using at = await daemonWith(entry);
  const credentials = { anthropicApiKey: 'made-up-key' };
  const session = await at.daemon.session('claude', { cwd: real.cwd, credentials });
  const opened = await at.daemon.turn(session, 'tool: mcp__vault__open {}');
  expect(opened.data['text']).toContain(openedBy('made-up-common'));
  const vault = { command: process.execPath, args: [VAULT], env: { VAULT_TOKEN: 'made-up-own-token' } };
  const own = await at.daemon.session('claude', { cwd: real.cwd, credentials, mcpServers: { vault } });
  const mine = await at.daemon.turn(own, 'tool: mcp__vault__open {}');
  expect(mine.data['text']).toContain(openedBy('made-up-own-token'));
  const env = { ...real.claude.env, ANTHROPIC_BASE_URL: `${model.url}/` };
  const led = await at.daemon.session('claude', { cwd: real.cwd, env });
  const none = await at.daemon.turn(led, 'tool: mcp__vault__open {}');
  expect(none.data['text']).not.toContain('opened by');
});

test('secrets.persist = false: a session that needs them after a restart says so, and goes on when it has them again', async () => {
  await using at = await daemonWith('[secrets]\npersist = false\n');
  const session = await at.daemon.session('claude', {
    cwd: real.cwd,
    credentials: { anthropicApiKey: 'made-up-in-memory' },
  });
  await at.daemon.turn(session, 'remember: kept in mind');
  await at.daemon.stop(false);
  at.daemon = await TestDaemon.start(at.home);
  const failed = await at.daemon.turn(session, 'say too early');
  expect(failed.data['message']).toMatch(/Gone with the daemon before.*anthropicApiKey/);
  const { body } = await at.daemon.request('POST', `/v1/sessions/${session}/turns`, {
    input: 'recall',
    credentials: { anthropicApiKey: 'made-up-again' },
  });
  const ending = (await at.daemon.ending(session, body.id)).at(-1);
  expect(ending?.data['text'], JSON.stringify(ending?.data)).toContain('kept in mind');
});

test('the library: credentials and MCP servers in memory, names checked, everything gone with the host', async () => {
  const { claude } = real;
  const config = { agents: { claude: { path: claude.binary }, env: [] } };
  await using host = await createHost({ config, env: claude.env });
  const session = await host.sessions.create({
    agent: 'claude',
    cwd: real.cwd,
    mode: 'bypass',
    env: claude.env,
    mcpServers: {
      vault: { command: process.execPath, args: [VAULT], env: { VAULT_TOKEN: 'made-up-vault' } },
    },
  });
  expect((await session.view()).mcpServers).toEqual(['vault']);
  const opened = await (await session.send('tool: mcp__vault__open {}')).result;
  expect(opened.text).toContain(openedBy('made-up-vault'));
  const leaked = await (await session.send('tool: mcp__vault__leak {}')).result;
  expect(leaked.text).toContain('leaked [masked]');
  await session.update({ credentials: { anthropicApiKey: 'made-up-library' } });
  const env = { ...claude.env };
  expect(env['ANTHROPIC_API_KEY']).toBe('sk-ant-made-up');
  const refused = await host.sessions
    .create({ agent: 'claude', cwd: real.cwd, mcpServers: { 'a"b.c': { command: 'x' } } })
    .catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(PilotlightError);
  expect(refused).toMatchObject({ code: 'bad_request' });
});
