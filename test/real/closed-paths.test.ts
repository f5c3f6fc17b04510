/** The home of Pilotlight is closed to the unmodified CLIs by their own means, whatever letters its path has. */
import { mkdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import type { FakeModel } from '../../src/testing/index.ts';
import { TestDaemon, testHome } from '../support/daemon.ts';
import { realForAll } from '../support/for-all.ts';
import { marked } from '../support/processes.ts';
import { agentConfig, type RealAgents } from '../support/real-agents.ts';

let model: FakeModel;
let real: RealAgents;

realForAll((made) => {
  ({ model, real } = made);
});

/** What all take, and what means something in a pattern: the sandbox of Codex is not asked to close the latter (it is refused). */
const PLAIN = '(a) b)c {d,e} f\\g !h #i ~j k';
const CASES = [
  ['claude', 'bypass', `${PLAIN} [l] m? n*`, ['read', 'cat'], ''],
  ['codex', 'bypass', `${PLAIN} [l] m? n*`, ['cat'], ''],
  ['codex', 'acceptEdits', PLAIN, ['hidden'], 'closeHome = true\n'],
] as const;

test.each(CASES)('%s, %s: a home in %s', async (agent, mode, name, ways, more) => {
  const root = join(real.root, name);
  mkdirSync(root, { recursive: true });
  await using home = testHome({ root, config: `${agentConfig(real)}${more}` });
  const daemon = await TestDaemon.start(home);
  const token = join(home.path, 'token');
  const text = readFileSync(token, 'utf8').trim();
  const { env } = real[agent];
  const session = await daemon.session(agent, { cwd: real.cwd, env, mode, trust: true });
  const words = {
    read: `read: ${token}`,
    cat: `run: cat '${token}'`,
    hidden: `run: cat '${dirname(home.path)}/''${basename(home.path)}/token'`,
  };
  for (const way of ways) {
    const from = model.requests.length;
    const ending = await daemon.turn(session, words[way]);
    expect(String(ending.data['text'])).toMatch(/denied/i);
    expect(JSON.stringify(model.requests.slice(from).map(({ body }) => body))).not.toContain(text);
  }
  // By the agent itself: nothing was asked, and nothing was judged.
  const asked = (await daemon.events(session)).filter(({ type }) => type.startsWith('permission.'));
  expect(asked).toEqual([]);
  await daemon.stop();
  expect(marked(home.path)).toEqual([]);
});
