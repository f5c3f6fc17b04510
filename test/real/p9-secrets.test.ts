/**
 * P9: secrets stay where they are needed. A whole run on the real CLIs, with debugging on and agents that say their secrets; then the made-up values are
 * looked for everywhere but in secrets/ and in what the agents keep for themselves.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type FakeModel } from '../../src/testing/index.ts';
import { checkJournal, TestDaemon, textOf, type TestHome } from '../support/daemon.ts';
import { realDaemonForAll } from '../support/for-all.ts';
import { madeUpBelow } from '../support/made-up.ts';
import { marked } from '../support/processes.ts';
import type { RealAgents } from '../support/real-agents.ts';
import { httpVault, VAULT } from '../support/vault.ts';

let model: FakeModel;
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
    ({ model, real, home, daemon } = made);
  },
  { config: (agents) => `[runtime]\ndebug = true\n${agents}`, current: () => daemon },
);

const MARK = 'made-up';
const secret = (name: string): string => `${MARK}-"${name}"\\-\u{1f511}`;

for (const agent of ['claude', 'codex'] as const)
  test(`${agent}: no secret is anywhere else`, async () => {
    const key = agent === 'claude' ? 'anthropicApiKey' : 'MOCK_KEY';
    const name = agent === 'claude' ? 'ANTHROPIC_API_KEY' : 'MOCK_KEY';
    const { [name]: _none, ...env } = real[agent].env;
    const answers: string[] = [];
    const ask = async (method: string, path: string, body?: unknown): Promise<{ readonly id: string }> => {
      const answer = await daemon.request(method, path, body);
      answers.push(JSON.stringify(answer.body));
      return answer.body;
    };
    const created = await ask('POST', '/v1/sessions', {
      agent,
      cwd: real.cwd,
      mode: 'bypass',
      env: { ...env, MY_TOKEN: secret('env'), MY_PLACE: `https://me:${MARK}-password@x.test/` },
      credentials: {
        [key]: `${MARK}-key-1`,
        githubToken: { value: `${MARK}-github`, expiresAt: '2099-01-01T00:00:00Z' },
        OTHER: secret('other'),
      },
      mcpServers: {
        vault: { command: process.execPath, args: [VAULT], env: { VAULT_TOKEN: secret('mcp') } },
        far: { type: 'http', url: vault.url, headers: { Authorization: `Bearer ${MARK}-header` } },
      },
    });
    const session = `/v1/sessions/${created.id}`;
    const leak = (server: string): string =>
      agent === 'claude' ? `tool: mcp__${server}__leak {}` : `tool: mcp__${server}.leak {}`;
    const shout = 'printf "%s and %s" "$MY_TOKEN" "$OTHER"; echo "$GH_TOKEN $MY_PLACE" >&2; exit 3';
    for (const words of [`run: ${shout}`, leak('vault'), leak('far'), 'say plain words'])
      await daemon.turn(created.id, words);
    await ask('PATCH', session, { credentials: { [key]: `${MARK}-key-2` } });

    // Taken over in the middle of a turn that says one.
    const gate = `gate-${agent}`;
    const turn = await daemon.send(created.id, `run: echo "$MY_TOKEN"\nhold ${gate} then say the end`);
    await daemon.follow(created.id, (event) => event.turn === turn && event.type === 'tool.completed');
    noneInProcesses();
    await daemon.kill9();
    model.release(gate);
    daemon = await TestDaemon.takeOver(home);
    await daemon.ending(created.id, turn);
    await daemon.turn(created.id, `run: echo "$MY_TOKEN" "$OTHER"`);
    noneInProcesses();

    const events = await daemon.events(created.id);
    checkJournal(events);
    const all = JSON.stringify(events);
    expect(all).not.toContain(MARK);
    expect(all.split('[masked]').length).toBeGreaterThan(8);
    expect(textOf(events, turn)).toContain('the end');
    for (const path of [
      session,
      `${session}/turns`,
      `${session}/events?limit=1000`,
      '/v1/sessions',
      '/v1/status',
      '/v1/agents',
      '/metrics',
    ])
      await ask('GET', path);
    expect(answers.join('\n')).not.toContain(MARK);

    noneInFiles();
    await ask('DELETE', session);
    expect((await daemon.events(created.id)).some((event) => JSON.stringify(event).includes(MARK))).toBe(
      false,
    );
    await daemon.stop(false);
    noneInFiles();
    daemon = await TestDaemon.start(home);
  });

/** Argv of all, and environments of all but agents and what they start. */
function noneInProcesses(): void {
  const all = marked(real.root);
  expect(all.length).toBeGreaterThan(2);
  for (const { pid, command } of all) {
    expect(command).not.toContain(MARK);
    if (/(?:daemon|keeper)\/main/.test(command))
      expect(readFileSync(`/proc/${String(pid)}/environ`, 'utf8'), command).not.toContain(MARK);
  }
  expect(all.filter(({ command }) => /daemon\/main/.test(command))).toHaveLength(1);
}

/** The journal as it lies on disk, its log, every log and trace, records, the spool. */
function noneInFiles(): void {
  const files = readdirSync(home.path, { recursive: true, encoding: 'utf8' });
  expect(files).toContain('journal.db');
  expect(files.some((file) => /logs\/rt_/.test(file))).toBe(true);
  expect(madeUpBelow(home.path)).toEqual([]);
}
