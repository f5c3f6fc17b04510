/**
 * Rules and read-only sessions on the unmodified CLIs: what they forbid does not happen, by the edit tools nor by the shell, whatever a repository's own
 * settings allow.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { type FakeModel } from '../../src/testing/index.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { checkJournal, type Event } from '../support/daemon.ts';
import { realDaemonForAll } from '../support/for-all.ts';
import type { RealAgents } from '../support/real-agents.ts';

let model: FakeModel;
let real: RealAgents;
let daemon: TestDaemon;
let files = 0;

realDaemonForAll(
  (made) => {
    ({ model, real, daemon } = made);
  },
  { nothingLeft: true },
);

beforeAll(() => {
  // A repository that lets everything pass, and that is trusted.
  mkdirSync(join(real.cwd, '.claude'), { recursive: true });
  const permissions = {
    allow: ['Bash(*)', 'Bash', 'Edit', 'Write', 'MultiEdit'],
    defaultMode: 'acceptEdits',
  };
  writeFileSync(join(real.cwd, '.claude', 'settings.json'), JSON.stringify({ permissions }));
  mkdirSync(join(real.cwd, '.codex'), { recursive: true });
  const lax = 'approval_policy = "never"\nsandbox_mode = "danger-full-access"\n';
  writeFileSync(join(real.cwd, '.codex', 'config.toml'), lax);
});

type Agent = 'claude' | 'codex';

function open(agent: Agent, more: Record<string, unknown> = {}): Promise<string> {
  const env = agent === 'claude' ? real.claude.env : real.codex.env;
  return daemon.session(agent, { cwd: real.cwd, env, mode: 'default', trust: true, ...more });
}

function fresh(): string {
  files += 1;
  return `policy-${String(files)}`;
}

const made = (file: string): boolean => existsSync(join(real.cwd, file));

async function patch(session: string, changes: Record<string, unknown>): Promise<void> {
  const { status, body } = await daemon.request('PATCH', `/v1/sessions/${session}`, changes);
  expect([status, body.code]).toEqual([200, undefined]);
}

function decisions(events: readonly Event[]): unknown[] {
  return events
    .filter((event) => event.type === 'permission.resolved')
    .map((event) => [event.data['decision'], event.data['rule']]);
}

for (const agent of ['claude', 'codex'] as const) {
  describe(agent, () => {
    test('a rule allows, a rule denies, and each decision is an event that names it', async () => {
      const [allowed, denied] = [fresh(), fresh()];
      const session = await open(agent, {
        permissionPolicy: [
          { tool: 'execute', match: `touch ${denied}`, decision: 'deny' },
          { tool: 'execute', match: 'touch *', decision: 'allow' },
        ],
      });
      expect((await daemon.turn(session, `run: touch ${allowed}`)).type).toBe('turn.completed');
      expect((await daemon.turn(session, `run: touch ${denied}`)).type).toBe('turn.completed');
      expect([made(allowed), made(denied)]).toEqual([true, false]);
      const events = await daemon.events(session);
      checkJournal(events);
      expect(decisions(events)).toEqual([
        ['allow', 'permissionPolicy[1]: allow execute touch *'],
        ['deny', `permissionPolicy[0]: deny execute touch ${denied}`],
      ]);
      // Something behind an allowed command is not covered: a person is asked.
      const trick = await daemon.send(session, `run: touch ${fresh()} && touch ${fresh()} > x-${agent}`);
      const seen = await daemon.follow(
        session,
        (event) => event.type === 'permission.requested' && event.turn === trick,
      );
      const id = String(seen.at(-1)?.data['id']);
      await daemon.request('POST', `/v1/sessions/${session}/permissions/${id}`, { decision: 'deny' });
      await daemon.ending(session, trick);
      await daemon.request('DELETE', `/v1/sessions/${session}`);
    });

    test('bypass with a rule: everything passes but what the rule denies', async () => {
      const [one, two] = [fresh(), fresh()];
      const session = await open(agent, {
        mode: 'bypass',
        permissionPolicy: [{ tool: 'execute', match: `touch ${two}`, decision: 'deny' }],
      });
      await daemon.turn(session, `run: touch ${one}`);
      await daemon.turn(session, `run: touch ${two}`);
      expect([made(one), made(two)]).toEqual([true, false]);
      await daemon.request('DELETE', `/v1/sessions/${session}`);
    });

    test('read-only: neither the edit tools nor the shell write, the model reads why; lifted, it writes; set again, it does not', async () => {
      const [one, two, three, four, five] = [fresh(), fresh(), fresh(), fresh(), fresh()];
      const session = await open(agent, { readOnly: { reason: 'the release is frozen' } });
      const view = await daemon.request('GET', `/v1/sessions/${session}`);
      expect(view.body.readOnly).toEqual({ reason: 'the release is frozen' });
      await daemon.turn(session, `write: ${one}: hello`);
      await daemon.turn(session, `run: touch ${two}`);
      expect([made(one), made(two)]).toEqual([false, false]);
      const asked = model.requests.filter((request) => request.side === null).at(-1);
      expect(JSON.stringify(asked?.body)).toContain('the release is frozen');
      const look = await daemon.turn(session, 'run: ls');
      expect(look.type).toBe('turn.completed');
      await patch(session, { readOnly: null, mode: 'bypass' });
      await daemon.turn(session, `run: touch ${three}`);
      expect(made(three)).toBe(true);
      const { body } = await daemon.request('POST', `/v1/sessions/${session}/turns`, {
        input: `run: touch ${four}`,
        readOnly: { reason: 'again' },
      });
      await daemon.ending(session, body.id);
      await daemon.turn(session, `write: ${five}: hello`);
      expect([made(four), made(five)]).toEqual([false, false]);
      checkJournal(await daemon.events(session));
      await daemon.request('DELETE', `/v1/sessions/${session}`);
    });

    test('the home of Pilotlight is closed to its agents, by file tools and by commands', async () => {
      const token = join(daemon.home.path, 'token');
      const text = readFileSync(token, 'utf8').trim();
      for (const mode of ['default', 'acceptEdits', 'plan', 'readOnly', 'bypass']) {
        const session = await open(agent, { mode });
        const from = model.requests.length;
        if (agent === 'claude') await daemon.turn(session, `read: ${token}`);
        const ending = await daemon.turn(session, `run: cat ${token}`);
        expect(ending.type).toBe('turn.completed');
        expect(String(ending.data['text'])).toMatch(/denied|rejected|closed/i);
        const said = model.requests.slice(from).map(({ body }) => JSON.stringify(body));
        expect(said.join('')).not.toContain(text);
        const events = await daemon.events(session);
        if (agent === 'codex')
          expect(events.filter(({ data }) => data['code'] === 'home_closed')).toHaveLength(1);
        await daemon.request('DELETE', `/v1/sessions/${session}`);
      }
    });
  });
}
