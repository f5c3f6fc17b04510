/**
 * Sessions that share one unmodified Codex, on the fake model: what they have in common, what each has for itself, and what becomes of all of them when the
 * daemon is killed in the middle.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startFakeModel, type FakeModel } from '../../src/testing/index.ts';
import { checkJournal, TestDaemon, testHome, type Event, type TestHome } from '../support/daemon.ts';
import { marked } from '../support/processes.ts';
import { agentConfig, realAgents, type RealAgents } from '../support/real-agents.ts';

let model: FakeModel;
let real: RealAgents;

beforeAll(async () => {
  model = await startFakeModel();
  real = realAgents(model.url);
});

afterAll(async () => {
  await real?.dispose();
  await model?.close();
});

function home(config = ''): TestHome {
  return testHome({ config: `${config}\n${agentConfig(real)}`, root: real.root });
}

function open(daemon: TestDaemon, more: Record<string, unknown> = {}): Promise<string> {
  const { env = {}, ...rest } = more;
  return daemon.session('codex', { cwd: real.cwd, env: { ...real.codex.env, ...(env as object) }, ...rest });
}

const of = (events: readonly Event[], type: string): Event[] => events.filter((event) => event.type === type);

test('two sessions are one process, each with its own environment and its own conversation', async () => {
  await using at = home();
  const daemon = await TestDaemon.start(at);
  const a = await open(daemon, { env: { WHO: 'anna' }, mode: 'bypass' });
  const b = await open(daemon, { env: { WHO: 'berta' }, mode: 'bypass' });
  const [first, second] = await Promise.all([
    daemon.turn(a, 'run: echo i-am-$WHO'),
    daemon.turn(b, 'run: echo i-am-$WHO'),
  ]);
  expect(first.data['text']).toContain('i-am-anna');
  expect(second.data['text']).toContain('i-am-berta');
  const events = [await daemon.events(a), await daemon.events(b)];
  const started = events.map((all) =>
    of(all, 'runtime.started').map(({ data }) => [data['kind'], data['pid']]),
  );
  expect(started[0]).toEqual(started[1]);
  expect(started[0]?.[0]?.[0]).toBe('shared');
  for (const all of events) checkJournal(all);
  await daemon.stop();
  expect(marked(at.path)).toEqual([]);
});
