/**
 * Time to the first token on the real CLIs and the fake model, three ways in turn: a process per message, a bare pipe into a
 * warm process, and the whole path (HTTP POST → keeper → agent → journal → SSE). Then a first message to a session created a second before.
 */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { startFakeModel } from '../src/testing/index.ts';
import { JsonLinesChild, type Line } from '../test/support/json-lines-child.ts';
import { agentConfig, realAgents, type RealAgents } from '../test/support/real-agents.ts';
import {
  BenchDaemon,
  makeHome,
  median,
  RawClient,
  RawStream,
  removeHome,
  report,
  round,
  sleep,
} from './harness.ts';

const PAIRS = Number(process.env['BENCH_PAIRS'] ?? 40);
/** Turns of each way before its figures count. */
const WARM_UP = 25;
/** Conversations of {@link WARM_UP} turns that the daemon has had before: it lives for days, its code is compiled when it counts. */
const BEFORE = 8;
const FIRSTS = Math.max(3, Math.round(PAIRS / 4));

interface Bare extends AsyncDisposable {
  turn(): Promise<number>;
}

export async function warm(): Promise<void> {
  await using model = await startFakeModel();
  const rows: Record<string, string | number>[] = [];
  const facts: Record<string, unknown> = { pairs: PAIRS };
  for (const agent of ['claude', 'codex'] as const) {
    await using real = realAgents(model.url);
    const figures = await measure(agent, real);
    const [cold, bare, whole] = [figures.cold, figures.bare, figures.whole].map(median) as [
      number,
      number,
      number,
    ];
    const added = median(figures.whole.map((value, index) => value - (figures.bare[index] ?? 0)));
    rows.push({
      agent,
      'process per message ms': round(cold),
      'bare pipe ms': round(bare),
      'whole path ms': round(whole),
      'cold / whole': round(cold / whole),
      'added to bare ms': round(added, 2),
      'first message / warm': round(median(figures.first) / whole),
    });
    facts[agent] = {
      coldOverWarm: round(cold / whole, 2),
      addedMs: round(added, 2),
      firstOverWarm: round(median(figures.first) / whole, 2),
    };
  }
  report('warm', rows, facts);
}

async function measure(
  agent: 'claude' | 'codex',
  real: RealAgents,
): Promise<{ cold: number[]; bare: number[]; whole: number[]; first: number[] }> {
  const home = makeHome(agentConfig(real));
  const daemon = await BenchDaemon.start(home, {});
  const figures = {
    cold: [] as number[],
    bare: [] as number[],
    whole: [] as number[],
    first: [] as number[],
  };
  try {
    const env = agent === 'claude' ? real.claude.env : real.codex.env;
    await using bare = agent === 'claude' ? bareClaude(real) : await bareCodex(real);
    for (let one = 0; one < BEFORE; one += 1) {
      const past = await conversation(daemon, agent, env);
      for (let turn = 0; turn < WARM_UP; turn += 1) await past.turn();
      await past.close();
    }
    const whole = await conversation(daemon, agent, env);
    for (let turn = 0; turn < WARM_UP; turn += 1) {
      await whole.turn();
      await bare.turn();
    }
    for (let pair = 0; pair < PAIRS; pair += 1) {
      figures.cold.push(await (agent === 'claude' ? coldClaude(real) : coldCodex(real)));
      // What runs second may meet what the first left behind (an agent tidies up after its turn): each is second half of the time.
      const both = [
        async () => figures.bare.push(await bare.turn()),
        async () => figures.whole.push(await whole.turn()),
      ];
      for (const turn of pair % 2 === 0 ? both : both.toReversed()) await turn();
    }
    await whole.close();
    for (let one = 0; one < FIRSTS; one += 1) figures.first.push(await firstMessage(daemon, agent, env));
    return figures;
  } finally {
    await daemon.stop();
    removeHome(home);
  }
}

async function firstMessage(
  daemon: BenchDaemon,
  agent: string,
  env: Readonly<Record<string, string>>,
): Promise<number> {
  const first = await conversation(daemon, agent, env);
  await sleep(1000);
  const ms = await first.turn();
  await first.close();
  return ms;
}

/** A session with a client of its own. `turn`: from the POST to the first delta, ms; resolves when the turn has ended. */
async function conversation(
  daemon: BenchDaemon,
  agent: string,
  env: Readonly<Record<string, string>>,
): Promise<{ turn(): Promise<number>; close(): Promise<void> }> {
  const session = await daemon.session(agent, { env });
  const client = await RawClient.open(daemon);
  const stream = await RawStream.open(daemon, session);
  return {
    async turn() {
      const delta = stream.next('event: message.delta');
      const completed = stream.next('event: turn.completed');
      const began = performance.now();
      client.post(`/v1/sessions/${session}/turns`, { input: 'say hello there' });
      const at = await delta;
      await completed;
      return at - began;
    },
    async close() {
      client.close();
      stream.close();
      await daemon.request('DELETE', `/v1/sessions/${session}`);
    },
  };
}

const CLAUDE = [
  '-p',
  '--output-format',
  'stream-json',
  '--include-partial-messages',
  '--verbose',
  '--dangerously-skip-permissions',
];

/** `claude -p`, from spawn to its first text delta. */
async function coldClaude(real: RealAgents): Promise<number> {
  return untilText(
    { file: real.claude.binary, args: [...CLAUDE, 'say hello there'], env: real.claude.env, cwd: real.cwd },
    '"text_delta"',
  );
}

/** `codex exec --json`, from spawn to its answer: it prints no deltas. */
async function coldCodex(real: RealAgents): Promise<number> {
  const args = [
    'exec',
    '--json',
    '--skip-git-repo-check',
    '--dangerously-bypass-approvals-and-sandbox',
    'say hello there',
  ];
  return untilText({ file: real.codex.binary, args, env: real.codex.env, cwd: real.cwd }, '"agent_message"');
}

async function untilText(
  run: {
    readonly file: string;
    readonly args: readonly string[];
    readonly env: NodeJS.ProcessEnv;
    readonly cwd: string;
  },
  marker: string,
): Promise<number> {
  const began = performance.now();
  const child = spawn(run.file, run.args, {
    cwd: run.cwd,
    env: run.env,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const exited = once(child, 'exit');
  let text = '';
  let at: number | undefined;
  child.stdout.on('data', (chunk: Buffer) => {
    if (at !== undefined) return;
    text += chunk.toString('latin1');
    if (text.includes(marker)) at = performance.now();
  });
  await exited;
  if (at === undefined) throw new Error(`no ${marker} from ${run.file}: ${text.slice(-500)}`);
  return at - began;
}

function bareClaude(real: RealAgents): Bare {
  const args = ['--input-format', 'stream-json', '--replay-user-messages', ...CLAUDE];
  const child = new JsonLinesChild({
    binary: real.claude.binary,
    args,
    cwd: real.cwd,
    env: { ...real.claude.env, CLAUDE_CODE_DISABLE_PLUGIN_CACHE: '1' },
  });
  return {
    async turn() {
      const from = child.lines.length;
      const began = performance.now();
      child.send({
        type: 'user',
        message: { role: 'user', content: 'say hello there' },
        parent_tool_use_id: null,
        // As every message of ours has one: with it the CLI reports the life of the message, which costs it some ms.
        uuid: randomUUID(),
      });
      await child.line((line: Line) => line['event']?.delta?.type === 'text_delta', { from });
      const at = performance.now();
      await child.line((line: Line) => line['type'] === 'result', { from });
      return at - began;
    },
    [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
  };
}

async function bareCodex(real: RealAgents): Promise<Bare> {
  const child = new JsonLinesChild({
    binary: real.codex.binary,
    args: ['app-server'],
    cwd: real.cwd,
    env: real.codex.env,
  });
  child.send({
    id: 1,
    method: 'initialize',
    params: {
      clientInfo: { name: 'bench', title: 'bench', version: '1' },
      capabilities: { experimentalApi: true },
    },
  });
  await child.line((line: Line) => line['id'] === 1);
  child.send({ method: 'initialized' });
  child.send({
    id: 2,
    method: 'thread/start',
    params: { cwd: real.cwd, approvalPolicy: 'never', sandbox: 'danger-full-access' },
  });
  const threadId: string = (await child.line((line: Line) => line['id'] === 2))['result'].thread.id;
  let id = 2;
  return {
    async turn() {
      const from = child.lines.length;
      const began = performance.now();
      child.send({
        id: (id += 1),
        method: 'turn/start',
        params: { threadId, input: [{ type: 'text', text: 'say hello there' }] },
      });
      await child.line((line: Line) => line['method'] === 'item/agentMessage/delta', { from });
      const at = performance.now();
      await child.line((line: Line) => line['method'] === 'turn/completed', { from });
      return at - began;
    },
    [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
  };
}
