/**
 * What a permission costs: from the answer to the agent going on, through the daemon and by a bare pipe, in turn, with the fake agent. And how long
 * 200 rules take to judge a simple command.
 */
import { randomUUID } from 'node:crypto';
import { judgeOf } from '../src/daemon/judge.ts';
import type { PolicyRule } from '../src/protocol/index.ts';
import { newSessionState } from '../src/session/state.ts';
import { JsonLinesChild, type Line } from '../test/support/json-lines-child.ts';
import {
  BenchDaemon,
  FAKE_AGENTS,
  makeHome,
  median,
  RawClient,
  RawStream,
  removeHome,
  report,
  round,
} from './harness.ts';

const PAIRS = Number(process.env['BENCH_PAIRS'] ?? 40);
const WARM_UP = 25;
const RULES = 200;
const JUDGED = 2000;

export async function permissions(): Promise<void> {
  const { bare, whole } = await roundTrips();
  const added = median(whole.map((value, index) => value - (bare[index] ?? 0)));
  const rules = judging();
  report(
    'permissions',
    [
      {
        'bare pipe ms': round(median(bare), 2),
        'whole path ms': round(median(whole), 2),
        'added ms': round(added, 2),
        [`${String(RULES)} rules µs`]: round(rules),
      },
    ],
    { pairs: PAIRS, addedMs: round(added, 2), rulesMicros: round(rules) },
  );
}

async function roundTrips(): Promise<{ bare: number[]; whole: number[] }> {
  const home = makeHome(FAKE_AGENTS);
  const daemon = await BenchDaemon.start(home, {});
  const [bare, whole]: [number[], number[]] = [[], []];
  try {
    await using child = bareAgent(home.cwd);
    const session = await daemon.session('claude', { mode: 'default' });
    const client = await RawClient.open(daemon);
    const stream = await RawStream.open(daemon, session);
    for (let turn = 0; turn < WARM_UP + PAIRS; turn += 1) {
      const one = await bareAnswer(child);
      const other = await answer({ daemon, session, client, stream });
      if (turn < WARM_UP) continue;
      bare.push(one);
      whole.push(other);
    }
    client.close();
    stream.close();
  } finally {
    await daemon.stop();
    removeHome(home);
  }
  return { bare, whole };
}

async function answer(at: {
  readonly daemon: BenchDaemon;
  readonly session: string;
  readonly client: RawClient;
  readonly stream: RawStream;
}): Promise<number> {
  const { daemon, session, client, stream } = at;
  const asked = stream.next('event: permission.requested');
  client.post(`/v1/sessions/${session}/turns`, { input: 'ask' });
  await asked;
  const { items } = await daemon.request('GET', `/v1/sessions/${session}/permissions`);
  const goesOn = stream.next('event: tool.completed');
  const over = stream.next('event: turn.completed');
  const began = performance.now();
  client.post(`/v1/sessions/${session}/permissions/${String(items[0].id)}`, { decision: 'allow' });
  const took = (await goesOn) - began;
  await over;
  return took;
}

function bareAgent(cwd: string): JsonLinesChild {
  const binary = new URL('../test/agents/fake-claude.mjs', import.meta.url).pathname;
  const flags = '-p --output-format stream-json --input-format stream-json --replay-user-messages';
  const args = `${flags} --include-partial-messages --verbose --permission-prompt-tool stdio`.split(' ');
  const env = { PATH: process.env['PATH'] ?? '', HOME: cwd };
  return new JsonLinesChild({ binary, args, cwd, env });
}

async function bareAnswer(child: JsonLinesChild): Promise<number> {
  const from = child.lines.length;
  child.send({
    type: 'user',
    message: { role: 'user', content: 'ask' },
    parent_tool_use_id: null,
    uuid: randomUUID(),
  });
  const asked = await child.line((line: Line) => line['request']?.subtype === 'can_use_tool', { from });
  const began = performance.now();
  const response = { behavior: 'allow', updatedInput: asked['request'].input };
  child.send({
    type: 'control_response',
    response: { subtype: 'success', request_id: asked['request_id'], response },
  });
  await child.line((line: Line) => isResult(line), { from });
  const took = performance.now() - began;
  await child.line((line: Line) => line['type'] === 'result', { from });
  return took;
}

function isResult(line: Line): boolean {
  return line['type'] === 'user' && line['message']?.content?.[0]?.type === 'tool_result';
}

/** Median of one judgement, µs. */
function judging(): number {
  const permissionPolicy = Array.from({ length: RULES }, (_, at): PolicyRule => {
    const decision = at % 7 === 0 ? 'deny' : 'allow';
    return at === RULES - 1
      ? { tool: 'execute', match: 'git status *', decision: 'allow' }
      : { tool: 'execute', match: `program-${String(at)} *`, decision };
  });
  const state = newSessionState({
    id: 'ses_1',
    agent: 'claude',
    cwd: process.cwd(),
    mode: 'default',
    agentOptions: {},
    metadata: {},
    env: [],
    credentials: [],
    createdAt: new Date().toISOString(),
    permissionPolicy,
  });
  const judge = judgeOf([]);
  const tool = { id: 't', name: 'Bash', kind: 'execute', input: { command: 'git status --short' } } as const;
  const took: number[] = [];
  for (let at = 0; at < JUDGED; at += 1) {
    const began = performance.now();
    const verdict = judge(state, { request: 'r', kind: 'tool', tool });
    took.push((performance.now() - began) * 1000);
    if (verdict?.decision !== 'allow') throw new Error('the last rule allows it');
  }
  return median(took.slice(JUDGED / 2));
}
