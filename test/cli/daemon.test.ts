import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { command, pilotlight, said } from '../support/command.ts';
import { gone, testHome, type TestHome } from '../support/daemon.ts';
import { identityOf, type Identity } from '../support/processes.ts';
import { SECRET_TOOL } from '../support/secret-tool.ts';
import { VAULT } from '../support/vault.ts';

/** start, stop, restart, status: the daemon as the command line sees it. */
let home: TestHome;

beforeEach(() => {
  home = testHome();
});

afterEach(async () => {
  await home[Symbol.asyncDispose]();
});

function recorded(file: 'daemon.json' | 'keeper.json', of = home): Identity & { url: string } {
  return JSON.parse(readFileSync(join(of.path, file), 'utf8'));
}

const start = (...more: string[]) => pilotlight(home, ['start', '--port', '0', ...more]);

test('start, status, stop; each says so when there is nothing to do', async () => {
  const before = await pilotlight(home, ['status', '--json']);
  expect(before.code).toBe(3);
  expect(JSON.parse(before.stdout).error.code).toBe('no_daemon');
  const first = await start();
  expect(first).toMatchObject({ code: 0, stderr: '' });
  expect(first.stdout).toMatch(/^Running: http:\/\/127\.0\.0\.1:\d+\n$/);
  const again = await start('--json');
  expect(again.code).toBe(0);
  const { pid, url } = recorded('daemon.json');
  expect(JSON.parse(again.stdout)).toEqual({ url, pid, already: true });
  const status = await pilotlight(home, ['--json', 'status']);
  expect(status.code).toBe(0);
  expect(JSON.parse(status.stdout).daemon).toMatchObject({ pid, home: home.path });
  const [daemon, keeper] = [recorded('daemon.json'), recorded('keeper.json')];
  expect(await pilotlight(home, ['stop'])).toMatchObject({ code: 0, stdout: 'Stopped.\n' });
  await gone(daemon);
  await gone(keeper);
  expect((await pilotlight(home, ['stop'])).code).toBe(3);
});

test('two starts at once both succeed with the same daemon', async () => {
  const both = await Promise.all([start('--json'), start('--json')]);
  expect(both.map(({ code }) => code)).toEqual([0, 0]);
  const [one, other] = both.map(({ stdout }) => JSON.parse(stdout));
  expect(one.url).toBe(other.url);
  expect(one.already).not.toBe(other.already);
});

test('a taken port is exit 1 and names who has it; he is left alone', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const { code, stderr } = await pilotlight(home, ['start', '--port', String(address.port)]);
  expect(code).toBe(1);
  expect(stderr).toMatch(new RegExp(`ort ${String(address.port)} .*taken by`));
  expect(stderr).toContain(String(process.pid));
  expect(stderr).toContain('--port');
  expect(server.listening).toBe(true);
  server.close();
  await once(server, 'close');
});

test('another address than loopback needs --expose', async () => {
  const { code, stderr } = await start('--host', '0.0.0.0');
  expect(code).toBe(2);
  expect(stderr).toContain('--expose');
});

test('restart while the keyring is locked: said so, and the daemon that runs goes on', async () => {
  const tools = join(home.root, 'tools');
  mkdirSync(join(tools, 'kept'), { recursive: true });
  writeFileSync(join(tools, 'secret-tool'), SECRET_TOOL, { mode: 0o755 });
  const file = join(home.path, 'config.toml');
  writeFileSync(file, `${readFileSync(file, 'utf8')}\n[secrets]\nstore = "keyring"\n`);
  const env = { PATH: `${tools}:${home.env['PATH'] ?? ''}` };
  expect((await pilotlight(home, ['start', '--port', '0'], { env })).code).toBe(0);
  const { pid } = recorded('daemon.json');
  writeFileSync(join(tools, 'kept', 'locked'), '');
  const { code, stderr } = await pilotlight(home, ['restart'], { env });
  expect([code, stderr]).toEqual([1, expect.stringContaining('keyring')]);
  expect(recorded('daemon.json').pid).toBe(pid);
  expect((await pilotlight(home, ['status'])).code).toBe(0);
});

test('stop ends the keeper also when only it lives', async () => {
  await start();
  // With an agent to keep it stays for a while.
  expect(
    (
      await pilotlight(home, [
        'send',
        (await pilotlight(home, ['new', '--agent', 'claude'])).stdout.trim(),
        'say hi',
      ])
    ).code,
  ).toBe(0);
  const [daemon, keeper] = [recorded('daemon.json'), recorded('keeper.json')];
  process.kill(daemon.pid, 'SIGTERM');
  await gone(daemon);
  const { code, stdout } = await pilotlight(home, ['stop']);
  expect(code).toBe(0);
  expect(stdout).toContain('its keeper');
  await gone(keeper);
});

describe('a daemon that does not answer', () => {
  test('is told by every command within seconds, and --replace takes over', async () => {
    await start();
    const silent = recorded('daemon.json');
    process.kill(silent.pid, 'SIGSTOP');
    const refused = await start();
    expect(refused.code).toBe(3);
    expect(refused.stderr).toContain(String(silent.pid));
    expect(refused.stderr).toContain('start --replace');
    expect(refused.ms).toBeLessThan(25_000);
    const status = await pilotlight(home, ['status']);
    expect(status.code).toBe(3);
    expect(status.stderr).toContain('start --replace');
    expect((await start('--replace')).code).toBe(0);
    await gone(silent);
    expect((await pilotlight(home, ['status'])).code).toBe(0);
  });
});

describe('restart', () => {
  test('a new daemon at the same address; the session goes on in the same process', async () => {
    await start();
    const id = (await pilotlight(home, ['new', '--agent', 'claude'])).stdout.trim();
    await pilotlight(home, ['send', id, 'say one']);
    const before = recorded('daemon.json');
    const pidOf = async (): Promise<unknown> =>
      JSON.parse((await pilotlight(home, ['show', id, '--json'])).stdout).runtime.pid;
    const agent = await pidOf();
    expect(agent).toBeTypeOf('number');
    expect((await pilotlight(home, ['restart'])).code).toBe(0);
    const after = recorded('daemon.json');
    expect(after.url).toBe(before.url);
    expect(after.pid).not.toBe(before.pid);
    expect(await pidOf()).toBe(agent);
    expect((await pilotlight(home, ['send', id, 'say two'])).stdout).toBe('two\n');
  });

  test('with a bad configuration leaves the running one alone', async () => {
    await start();
    const before = recorded('daemon.json');
    writeFileSync(join(home.path, 'config.toml'), '[pool]\nmaxWarn = 1\n');
    const { code, stderr } = await pilotlight(home, ['restart']);
    expect(code).not.toBe(0);
    expect(stderr).toContain('maxWarn');
    expect(recorded('daemon.json')).toEqual(before);
    expect((await pilotlight(home, ['status'])).code).toBe(0);
  });
});

describe('another daemon by --url', () => {
  test('stop and status are about that one, never about the local one', async () => {
    await using other = testHome();
    await start();
    await pilotlight(other, ['start', '--port', '0']);
    const [mine, theirs] = [recorded('daemon.json'), recorded('daemon.json', other)];
    const flags = ['--url', theirs.url, '--token-file', join(other.path, 'token')];
    const status = await pilotlight(home, ['status', '--json', ...flags]);
    expect(JSON.parse(status.stdout).daemon.pid).toBe(theirs.pid);
    expect((await pilotlight(home, ['stop', '--now', ...flags])).code).toBe(0);
    await gone(theirs);
    const nobody = await pilotlight(home, ['stop', '--now', ...flags]);
    expect(nobody.code).toBe(3);
    for (const local of ['restart', 'start', 'logs'])
      expect((await pilotlight(home, [local, ...flags])).code).toBe(2);
    expect(recorded('daemon.json')).toEqual(mine);
    expect((await pilotlight(home, ['status'])).code).toBe(0);
  });

  test('of another version: said so, without what could only be done where it runs', async () => {
    const server = createHttpServer((request, response) => {
      const health = { status: 'ok', version: '99.0.0' };
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify(request.url === '/v1/health' ? health : { items: [] }));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const file = join(home.root, 'their-token');
    writeFileSync(file, 'any', { mode: 0o600 });
    const at = `http://127.0.0.1:${String(Object(server.address()).port)}`;
    const { code, stderr } = await pilotlight(home, ['ls', '--url', at, '--token-file', file]);
    server.close();
    expect({ code, stderr }).toEqual({
      code: 0,
      stderr: expect.stringMatching(/^The daemon is version 99\.0\.0, this command \d+\.\d+\.\d+[^`]*$/),
    });
  });

  test('--url needs a token file that can be read, --token-file needs --url', async () => {
    for (const flags of [
      ['--url', 'http://127.0.0.1:1'],
      ['--token-file', 'x'],
      ['--url', 'http://127.0.0.1:1', '--token-file', '/nowhere'],
    ])
      expect((await pilotlight(home, ['status', ...flags])).code).toBe(2);
  });
});

test('start --foreground runs until Ctrl-C and ends everything', async () => {
  const { child, ended } = command(home, ['start', '--foreground', '--port', '0']);
  await said(child, 'Running: http://');
  const keeper = recorded('keeper.json');
  child.kill('SIGINT');
  expect(await ended).toBe(0);
  await gone(keeper);
});

test('doctor finds the agents, the port and what is missing; it tells no key', async () => {
  const env = { ANTHROPIC_API_KEY: 'sk-ant-made-up', CODEX_HOME: join(home.root, 'codex') };
  const { code, stdout } = await pilotlight(home, ['doctor', '--json'], { env });
  expect(stdout).not.toContain('made-up');
  const { ok, findings } = JSON.parse(stdout);
  expect({ code, ok }).toEqual({ code: 0, ok: true });
  const states = Object.fromEntries(
    findings.map(({ what, state }: { what: string; state: string }) => [what, state]),
  );
  expect(states).toMatchObject({
    Node: 'ok',
    claude: 'ok',
    codex: 'ok',
    'claude log-in': 'ok',
    'codex log-in': 'warning',
    CODEX_HOME: 'warning',
    disk: 'ok',
  });
  for (const { state, fix } of findings) if (state !== 'ok') expect(fix).toBeTruthy();
});

test('doctor names limits beyond what this machine has, with what it has, and none of those that it can have', async () => {
  const file = join(home.path, 'config.toml');
  const before = readFileSync(file, 'utf8');
  const limitsOf = async (pool: string): Promise<{ says: string; state: string; fix: string }[]> => {
    writeFileSync(file, `${before}\n[pool]\n${pool}`);
    const { findings } = JSON.parse((await pilotlight(home, ['doctor', '--json'])).stdout);
    return findings.filter(({ what }: { what: string }) => what === 'limits');
  };
  expect(await limitsOf('maxWarm = 2\nmaxPerMessage = 1\nmemoryBudgetMb = 100\nrecycleMb = 100')).toEqual([]);
  const beyond = await limitsOf(
    'maxPerMessage = 1\nmemoryBudgetMb = 100000000\nkillMb = 100000000\nrecycleMb = 100',
  );
  expect(beyond.map(({ says, state }) => [says.split(',')[0], state])).toEqual([
    ['pool.memoryBudgetMb = 100000000', 'warning'],
    ['pool.killMb = 100000000', 'warning'],
  ]);
  for (const { says, fix } of beyond)
    expect([says, fix]).toEqual([
      expect.stringMatching(/has \d+ MB/),
      expect.stringContaining('config.toml'),
    ]);
});

test('doctor tries the MCP servers of the configuration', async () => {
  const file = join(home.path, 'config.toml');
  const more = `[mcpServers.good]\ncommand = "${process.execPath}"\nargs = ["${VAULT}"]\n[mcpServers.bad]\ncommand = "/nonexistent"\nenv = { TOKEN = "made-up-token" }\n`;
  writeFileSync(file, readFileSync(file, 'utf8') + more);
  const { stdout } = await pilotlight(home, ['doctor', '--json']);
  const { findings }: { findings: { what: string; state: string }[] } = JSON.parse(stdout);
  const states = findings
    .filter(({ what }) => what.startsWith('MCP'))
    .map(({ what, state }) => [what, state]);
  expect(states).toEqual([
    ['MCP server good', 'ok'],
    ['MCP server bad', 'warning'],
  ]);
  expect(stdout).not.toContain('made-up');
});

test('doctor tries the MCP servers of open sessions and the commands of credentials, and tells no value', async () => {
  const file = join(home.path, 'config.toml');
  const more = `[credentials.githubToken]\ncommand = "echo made-up-token"\n[credentials.OTHER]\ncommand = ["/bin/false"]\n`;
  writeFileSync(file, readFileSync(file, 'utf8') + more);
  await start();
  const servers = join(home.root, 'servers.json');
  writeFileSync(
    servers,
    JSON.stringify({ bad: { command: '/nonexistent', env: { TOKEN: 'made-up-of-a-session' } } }),
  );
  const made = await pilotlight(home, [
    'new',
    '--json',
    '--agent',
    'claude',
    '--cwd',
    home.cwd,
    '--mcp-config',
    servers,
  ]);
  const { stdout } = await pilotlight(home, ['doctor', '--json']);
  const { findings }: { findings: { what: string; state: string }[] } = JSON.parse(stdout);
  const states = new Map(findings.map(({ what, state }) => [what, state]));
  expect([states.get('credential githubToken'), states.get('credential OTHER')]).toEqual(['ok', 'warning']);
  expect(states.get(`MCP server bad of ${String(JSON.parse(made.stdout).id)}`)).toBe('warning');
  expect(states.get('secrets')).toBe('ok');
  expect(stdout).not.toContain('made-up');
});

test('doctor says when several Claudes share one log-in, and what to do', async () => {
  const configDir = join(home.root, 'claude-config');
  mkdirSync(join(configDir, 'sessions'), { recursive: true });
  writeFileSync(join(configDir, '.credentials.json'), '{}');
  const me = identityOf(process.pid);
  for (const pid of [1, 2]) {
    const entry = { pid: process.pid, sessionId: `conversation-${String(pid)}`, procStart: me?.startTime };
    writeFileSync(join(configDir, 'sessions', `${String(pid)}.json`), JSON.stringify(entry));
  }
  const shared = async (env: Record<string, string>): Promise<unknown> => {
    const { stdout } = await pilotlight(home, ['doctor', '--json'], { env });
    return JSON.parse(stdout).findings.find(({ what }: { what: string }) => what === 'claude log-in, shared');
  };
  expect(await shared({ CLAUDE_CONFIG_DIR: configDir })).toMatchObject({
    state: 'warning',
    fix: expect.stringContaining('setup-token'),
  });
  expect(await shared({ CLAUDE_CONFIG_DIR: configDir, ANTHROPIC_API_KEY: 'made-up' })).toBe(undefined);
});

test('doctor fails when there is no agent at all', async () => {
  writeFileSync(
    join(home.path, 'config.toml'),
    '[agents.claude]\npath = "/nowhere/claude"\n[agents.codex]\npath = "/nowhere/codex"\n',
  );
  const { code, stdout } = await pilotlight(home, ['doctor']);
  expect(code).toBe(1);
  expect(stdout).toContain('npm install -g @anthropic-ai/claude-code');
});

test('gc and logs', async () => {
  expect((await pilotlight(home, ['logs'])).code).toBe(4);
  await start();
  expect((await pilotlight(home, ['gc'])).code).toBe(0);
  const { code, stdout } = await pilotlight(home, ['logs']);
  expect(code).toBe(0);
  expect(stdout).toContain('"msg":"started"');
});
