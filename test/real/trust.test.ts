/**
 * A repository that nobody has trusted brings nothing along on the unmodified CLIs, though the CLI itself was once told to trust it; trusted, it does.
 */
import { appendFileSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type FakeModel } from '../../src/testing/index.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { checkJournal, type Event } from '../support/daemon.ts';
import { realDaemonForAll } from '../support/for-all.ts';
import { hostileRepository } from '../support/hostile-repository.ts';
import type { RealAgents } from '../support/real-agents.ts';

let model: FakeModel;
let real: RealAgents;
let daemon: TestDaemon;

realDaemonForAll((made) => {
  ({ model, real, daemon } = made);
});

type Agent = 'claude' | 'codex';

function open(agent: Agent, cwd: string, more: Record<string, unknown> = {}): Promise<string> {
  const env = agent === 'claude' ? { ...real.claude.env, MCP_TIMEOUT: '2000' } : real.codex.env;
  return daemon.session(agent, { cwd, env, mode: 'default', ...more });
}

/** Both CLIs keep a list of their own. */
function trustedByTheCliItself(cwd: string): void {
  appendFileSync(join(real.codex.home, 'config.toml'), `\n[projects."${cwd}"]\ntrust_level = "trusted"\n`);
  const file = join(real.claude.env['CLAUDE_CONFIG_DIR'] ?? '', '.claude.json');
  writeFileSync(file, JSON.stringify({ projects: { [cwd]: { hasTrustDialogAccepted: true } } }));
}

/** Sends it and denies whatever is asked; says whether anything was. */
async function asks(session: string, input: string): Promise<boolean> {
  const turn = await daemon.send(session, input);
  const over = (event: Event): boolean =>
    event.turn === turn && /^(?:permission\.requested|turn\.(?:completed|failed))$/.test(event.type);
  const last = (await daemon.follow(session, over)).at(-1);
  if (last?.type !== 'permission.requested') return false;
  const path = `/v1/sessions/${session}/permissions/${String(last.data['id'])}`;
  await daemon.request('POST', path, { decision: 'deny' });
  await daemon.ending(session, turn);
  return true;
}

function heard(from: number): string {
  return model.requests
    .slice(from)
    .map((request) => JSON.stringify(request.body))
    .join('\n');
}

for (const agent of ['claude', 'codex'] as const) {
  describe(agent, () => {
    test('a hostile repository is inert until it is trusted, whatever the CLI itself was told; PATCH trusts it', async () => {
      const hostile = hostileRepository(
        join(real.root, `hostile-${agent}`),
        join(real.root, `traces-${agent}`),
      );
      trustedByTheCliItself(hostile.path);
      const before = model.requests.length;
      const session = await open(agent, hostile.path);
      const { body: view } = await daemon.request('GET', `/v1/sessions/${session}`);
      const files = agent === 'claude' ? ['.claude', '.mcp.json', 'CLAUDE.md'] : ['.codex', 'AGENTS.md'];
      expect([view.trusted, view.leftOut]).toEqual([false, files.map((name) => join(hostile.path, name))]);
      await daemon.turn(session, 'say hello');
      expect(await asks(session, 'run: touch allowed-by-the-repository')).toBe(true);
      expect(hostile.ran()).toEqual([]);
      expect(heard(before)).not.toContain('HOSTILE');
      const patched = await daemon.request('PATCH', `/v1/sessions/${session}`, { trust: true });
      expect([patched.body.trusted, patched.body.leftOut]).toEqual([true, undefined]);
      const then = model.requests.length;
      await daemon.turn(session, 'say hello again');
      if (agent === 'claude') await daemon.turn(session, 'run: echo $HOSTILE_VARIABLE');
      expect(hostile.ran()).toContain('RAN-mcp');
      expect(heard(then)).toContain(agent === 'claude' ? 'HOSTILE-memory' : 'HOSTILE-instructions');
      const events = await daemon.events(session);
      checkJournal(events);
      const said = events.filter((event) => event.data['code'] === 'workspace_untrusted');
      expect(said.map((event) => event.data['message'])).toEqual([expect.stringContaining(files[0] ?? '')]);
      await daemon.request('DELETE', `/v1/sessions/${session}`);
    });

    test('working in a repository does not make it a trusted one of the CLI', async () => {
      const hostile = hostileRepository(
        join(real.root, `fresh-${agent}`),
        join(real.root, `fresh-traces-${agent}`),
      );
      const config = join(real.codex.home, 'config.toml');
      const before = readFileSync(config, 'utf8');
      const link = join(real.root, `link-${agent}`);
      symlinkSync(hostile.path, link);
      for (const trust of [false, true]) {
        const session = await open(agent, link, { trust });
        await daemon.turn(session, 'say hello');
        if (!trust) expect(hostile.ran()).toEqual([]);
        await daemon.request('DELETE', `/v1/sessions/${session}`);
      }
      expect(hostile.ran()).toContain('RAN-mcp');
      expect(readFileSync(config, 'utf8')).toBe(before);
    });
  });
}
