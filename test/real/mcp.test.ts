/** R25: MCP servers of a session, on the real CLIs: they get their secrets, nothing else does, and one that fails is only said. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestDaemon, type Event, type TestHome } from '../support/daemon.ts';
import { realDaemonForAll } from '../support/for-all.ts';
import { marked } from '../support/processes.ts';
import type { RealAgents } from '../support/real-agents.ts';
import { httpVault, openedBy, VAULT } from '../support/vault.ts';

let real: RealAgents;
let home: TestHome;
let daemon: TestDaemon;
let vault: Awaited<ReturnType<typeof httpVault>>;

beforeAll(async () => {
  vault = await httpVault();
});

afterAll(async () => {
  await vault?.[Symbol.asyncDispose]();
});

realDaemonForAll(
  (made) => {
    ({ real, home, daemon } = made);
  },
  { current: () => daemon },
);

/** With what JSON, shells, TOML and Claude's references would stumble over. */
const SECRET = 'vlt-"q\\uote$\'${HOME}\n-\u{1f511}-made-up';
const HEADER = 'Bearer vlt-${PATH}-header-made-up';

for (const agent of ['claude', 'codex'] as const) {
  const call = (server: string, tool: string): string =>
    agent === 'claude'
      ? `tool: mcp__${server}__${tool} {}`
      : `tool: mcp__${server.replace('-', '_')}.${tool} {}`;
  const open = (mcpServers: unknown): Promise<string> =>
    daemon.session(agent, {
      cwd: real.cwd,
      env: agent === 'claude' ? { ...real.claude.env, MCP_TIMEOUT: '4000' } : real.codex.env,
      mcpServers,
    });
  const outputOf = (events: readonly Event[], turn: string | undefined): string =>
    events
      .filter((event) => event.turn === turn && event.type === 'tool.completed')
      .map((event) => String(event.data['output']))
      .join();

  describe(agent, () => {
    test('a server on stdio and one on http open with their secrets; argv has none; close removes everything', async () => {
      const odd = ['plain', '${HOME}', 'with "quotes" and \u{1f511}', ''];
      const session = await open({
        'stdio-1': { command: process.execPath, args: [VAULT, ...odd], env: { VAULT_TOKEN: SECRET } },
        over_http: { type: 'http', url: vault.url, headers: { Authorization: HEADER } },
      });
      const { body: view } = await daemon.request('GET', `/v1/sessions/${session}`);
      expect(view.mcpServers).toEqual(['stdio-1', 'over_http']);
      const opened = await daemon.turn(session, call('stdio-1', 'open'));
      expect(outputOf(await daemon.events(session), opened.turn)).toContain(openedBy(SECRET));
      const distant = await daemon.turn(session, call('over_http', 'open'));
      expect(outputOf(await daemon.events(session), distant.turn)).toContain(openedBy(HEADER));
      const argued = await daemon.turn(session, call('stdio-1', 'arguments'));
      expect(outputOf(await daemon.events(session), argued.turn)).toContain(
        `arguments ${JSON.stringify(odd)}`,
      );
      const started = (await daemon.events(session)).filter((event) => event.type === 'tool.started');
      expect(started.map((event) => event.data['kind'])).toEqual(['mcp', 'mcp', 'mcp']);
      const argvs = marked(real.root).map((one) => one.command);
      expect(argvs.length).toBeGreaterThan(2);
      for (const argv of argvs) expect(argv).not.toContain('made-up');
      const kept = filesBelow(join(home.path, 'secrets')).filter((file) => file.includes(session));
      expect(kept.length).toBeGreaterThan(0);
      for (const file of kept) expect(statSync(file).mode & 0o777, file).toBe(0o600);
      for (const file of kept.filter((one) => one.includes('.files')))
        expect(readFileSync(file, 'utf8')).not.toContain('made-up');
      await daemon.request('DELETE', `/v1/sessions/${session}`);
      await expect
        .poll(() => readdirSync(join(home.path, 'secrets')).filter((name) => name.includes(session)))
        .toEqual([]);
    });

    test('one that does not start, one that nobody answers at and one that floods are notices; the session works', async () => {
      const flood = 'head -c 20000000 /dev/zero | tr "\\0" x; yes noise | head -c 20000000; exec sleep 1000';
      const session = await open({
        dead: { command: join(real.root, 'nothing-here') },
        unreachable: { type: 'http', url: 'http://127.0.0.1:9/mcp' },
        flood: { command: '/bin/sh', args: ['-c', flood] },
        good: { command: process.execPath, args: [VAULT], env: { VAULT_TOKEN: SECRET } },
      });
      expect((await daemon.turn(session, 'say one')).data['text']).toContain('one');
      const opened = await daemon.turn(session, call('good', 'open'));
      const events = await daemon.events(session);
      expect(outputOf(events, opened.turn)).toContain(openedBy(SECRET));
      const said = events.filter((event) => event.type === 'notice' && event.data['code'] === 'mcp_failed');
      const all = said.map((event) => String(event.data['message'])).join('\n');
      expect(all).toContain('The MCP server dead did not start');
      expect(all).toContain('The MCP server unreachable did not start');
      expect(all.split('The MCP server dead')).toHaveLength(2);
      await daemon.request('DELETE', `/v1/sessions/${session}`);
    });

    test('resumed by the next daemon, the servers are there again', async () => {
      const session = await open({
        good: { command: process.execPath, args: [VAULT], env: { VAULT_TOKEN: SECRET } },
      });
      await daemon.turn(session, 'say first');
      await daemon.stop();
      expect(existsSync(join(home.path, 'secrets', `${session}.json`))).toBe(true);
      daemon = await TestDaemon.start(home);
      const opened = await daemon.turn(session, call('good', 'open'));
      expect(outputOf(await daemon.events(session), opened.turn)).toContain(openedBy(SECRET));
      await daemon.request('DELETE', `/v1/sessions/${session}`);
    });
  });
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}
