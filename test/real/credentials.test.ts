/** R24 on the real CLIs: a new key between two turns reaches the agent, the conversation goes on; a GitHub token reaches git and gh and no file. */
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type FakeModel } from '../../src/testing/index.ts';
import { checkJournal, TestDaemon, type Event, type TestHome } from '../support/daemon.ts';
import { realDaemonForAll } from '../support/for-all.ts';
import type { RealAgents } from '../support/real-agents.ts';

let model: FakeModel;
let real: RealAgents;
let home: TestHome;
let daemon: TestDaemon;

realDaemonForAll(
  (made) => {
    ({ model, real, home, daemon } = made);
  },
  { current: () => daemon },
);

const NAME = { claude: 'anthropicApiKey', codex: 'openaiApiKey' } as const;

for (const agent of ['claude', 'codex'] as const)
  describe(agent, () => {
    /** Keys come as credentials alone. Codex reads them where its provider says. */
    function open(credentials: Record<string, unknown>, more: Record<string, string> = {}): Promise<string> {
      const { ANTHROPIC_API_KEY: _one, MOCK_KEY: _two, ...env } = real[agent].env;
      const agentOptions = {
        config: {
          'model_providers.own': {
            name: 'own',
            base_url: `${model.url}/v1`,
            env_key: 'OPENAI_API_KEY',
            wire_api: 'responses',
          },
        },
        modelProvider: 'own',
      };
      return daemon.session(agent, {
        cwd: real.cwd,
        env: { ...env, ...more },
        credentials,
        ...(agent === 'codex' ? { agentOptions } : {}),
      });
    }

    /** The key of the request that said these words. */
    async function keyOf(words: string): Promise<string | undefined> {
      const { headers } = await model.waitForRequest(
        (one) => one.side === null && one.lastUserText.includes(words),
      );
      return headers['x-api-key'] ?? headers['authorization']?.replace('Bearer ', '');
    }

    async function say(session: string, words: string, more: object = {}): Promise<Event> {
      const { status, body } = await daemon.request('POST', `/v1/sessions/${session}/turns`, {
        input: words,
        ...more,
      });
      expect(status, JSON.stringify(body)).toBe(202);
      const last = (await daemon.ending(session, body.id)).at(-1);
      expect(last?.type, JSON.stringify(last?.data)).toBe('turn.completed');
      return last!;
    }

    test('keys change by PATCH and with a message; the agent has the new one and remembers', async () => {
      const session = await open({ [NAME[agent]]: `made-up-first-${agent}` });
      await say(session, `remember: ${agent} says heliotrope`);
      expect(await keyOf(`${agent} says heliotrope`)).toBe(`made-up-first-${agent}`);

      const second = {
        [NAME[agent]]: { value: `made-up-second-${agent}`, expiresAt: '2099-01-01T00:00:00Z' },
      };
      const patched = await daemon.request('PATCH', `/v1/sessions/${session}`, { credentials: second });
      expect(patched.status, JSON.stringify(patched.body)).toBe(200);
      await say(session, `say second-${agent}`);
      expect(await keyOf(`second-${agent}`)).toBe(`made-up-second-${agent}`);

      const third = { credentials: { [NAME[agent]]: `made-up-third-${agent}` } };
      await say(session, `say third-${agent}`, third);
      expect(await keyOf(`third-${agent}`)).toBe(`made-up-third-${agent}`);

      // The same value again replaces nothing.
      const recalled = await say(session, 'recall', third);
      expect(recalled.data['text']).toContain('heliotrope');
      const events = await daemon.events(session);
      checkJournal(events);
      const ended = events.filter((event) => event.type === 'runtime.ended');
      expect(ended.map((event) => event.data['reason'])).toEqual(['replaced', 'replaced']);
      const started = events.filter((event) => event.type === 'runtime.started');
      expect(started.map((event) => event.data['resumed'])).toEqual([false, true, true]);
      expect(JSON.stringify(events)).not.toContain('made-up-');
      await daemon.request('DELETE', `/v1/sessions/${session}`);
    });

    test('a key that runs out in mid-turn: the turn says so, the process and the conversation stay, a new key goes on', async () => {
      const session = await open({ [NAME[agent]]: `made-up-old-${agent}` }, { CLAUDE_CODE_MAX_RETRIES: '1' });
      await say(session, `remember: ${agent} says amaranth`);
      const turn = await daemon.send(session, 'run: true\nfail 401');
      const ending = (await daemon.ending(session, turn)).at(-1);
      expect([ending?.type, ending?.data['code']]).toEqual(['turn.failed', 'auth_failed']);
      const credentials = { [NAME[agent]]: `made-up-new-${agent}` };
      await say(session, `say mended-${agent}`, { credentials });
      expect(await keyOf(`mended-${agent}`)).toBe(`made-up-new-${agent}`);
      expect((await say(session, 'recall')).data['text']).toContain('amaranth');
      checkJournal(await daemon.events(session));
      await daemon.request('DELETE', `/v1/sessions/${session}`);
    });

    test('a key that comes while a turn runs: that turn goes on, the next has it', async () => {
      const session = await open({ [NAME[agent]]: `made-up-before-${agent}` });
      const gate = `gate-${agent}`;
      const turn = await daemon.send(session, `say one then hold ${gate} then say two`);
      await daemon.follow(session, (event) => event.type === 'message.delta');
      const patch = { credentials: { [NAME[agent]]: `made-up-after-${agent}` } };
      await daemon.request('PATCH', `/v1/sessions/${session}`, patch);
      model.release(gate);
      expect((await daemon.ending(session, turn)).at(-1)?.type).toBe('turn.completed');
      await say(session, `say behind-${agent}`);
      expect(await keyOf(`behind-${agent}`)).toBe(`made-up-after-${agent}`);
      await daemon.request('DELETE', `/v1/sessions/${session}`);
    });

    test('a command that has a secret in it is asked about masked, and run as it was written, behind a takeover too', async () => {
      // A person writes it into the message: so it is in the journal, and no secret of the kind that is looked for everywhere.
      const token = `typed-in-"token"-${agent}`;
      const { ANTHROPIC_API_KEY: _one, ...env } = real[agent].env;
      const session = await daemon.session(agent, {
        cwd: real.cwd,
        mode: 'default',
        env: { ...env, MY_TOKEN: token },
        credentials: agent === 'claude' ? { anthropicApiKey: 'made-up-key' } : {},
      });
      for (const takenOver of [false, true]) {
        const turn = await daemon.send(session, `run: printf %s '${token}' | sha256sum > hash-${agent}`);
        const asked = (event: Event): boolean => event.turn === turn && event.type === 'permission.requested';
        const request = (await daemon.follow(session, asked)).at(-1)?.data;
        expect(JSON.stringify(request)).toContain('[masked]');
        expect(JSON.stringify(request)).not.toContain('typed-in');
        if (takenOver) {
          await daemon.kill9();
          daemon = await TestDaemon.takeOver(home);
        }
        const path = `/v1/sessions/${session}/permissions/${request?.['id']}`;
        const { status, body } = await daemon.request('POST', path, { decision: 'allow' });
        expect(status, JSON.stringify(body)).toBe(200);
        await daemon.ending(session, turn);
        const hash = createHash('sha256').update(token).digest('hex');
        expect(readFileSync(join(real.cwd, `hash-${agent}`), 'utf8')).toContain(hash);
        rmSync(join(real.cwd, `hash-${agent}`));
      }
      await daemon.request('DELETE', `/v1/sessions/${session}`);
    });

    test('a GitHub token is what git and gh find, and is in no file', async () => {
      const session = await open({ [NAME[agent]]: 'made-up-key', githubToken: 'made-up-github-token' });
      const ask = String.raw`printf 'protocol=https\nhost=github.com\n\n' | git credential fill | sha256sum; printf %s "$GH_TOKEN" | sha256sum`;
      const turn = await daemon.turn(session, `run: ${ask}`);
      const hash = (text: string): string => createHash('sha256').update(text).digest('hex');
      const filled =
        'protocol=https\nhost=github.com\nusername=x-access-token\npassword=made-up-github-token\n';
      expect(turn.data['text']).toContain(hash(filled));
      expect(turn.data['text']).toContain(hash('made-up-github-token'));
      for (const file of filesBelow(real.root).filter((one) => !one.includes('/secrets/')))
        expect(readFileSync(file).includes('made-up-github-token'), file).toBe(false);
      await daemon.request('DELETE', `/v1/sessions/${session}`);
    });
  });

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}
