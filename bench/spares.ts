/**
 * Time from creating a session to the first token of its first message, sent in one go, on the real Claude and Codex and the fake model: with a process
 * started for it (cold), with one that was ready before (a spare), and, of Claude, with an MCP server that never answers, cold and ahead. The message to a
 * warm session beside it.
 */
import { startFakeModel } from '../src/testing/index.ts';
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

const PAIRS = Math.max(3, Math.round(Number(process.env['BENCH_PAIRS'] ?? 40) / 2));
/** A server that never answers holds Claude's first turn up for 30 s from its start. */
const SILENT = { mcpServers: { silent: { command: 'sleep', args: ['600'] } } };
const SILENT_MS = 33_000;
const SILENT_PAIRS = 3;
/** Nothing was asked of a process for so long before its message, whether it is a spare or has its session already: an agent that has rested is slower. */
const REST_MS = 500;

interface Lease {
  readonly sessions: readonly string[];
  readonly reason: string;
}

interface Opened extends AsyncDisposable {
  readonly daemon: BenchDaemon;
}

/** What a session is created with; of Claude if it does not say. */
type More = Readonly<Record<string, unknown>> & {
  readonly agent?: 'claude' | 'codex';
  /** It is not closed behind its messages. */
  readonly stays?: boolean;
};

export async function spares(): Promise<void> {
  await using model = await startFakeModel();
  await using real = realAgents(model.url);
  await ofCodex(real);
  await using cold = await opened(real, 0);
  await using ahead = await opened(real, 1);
  const plain = await pairs({ agent: 'claude' }, cold.daemon, ahead.daemon);
  const silent = await withSilentServer(cold.daemon, ahead.daemon);
  const [coldMs, spareMs, warmMs] = [plain.cold, plain.spare, plain.warm].map(median) as [
    number,
    number,
    number,
  ];
  const silentMs = median(silent.spare);
  report(
    'spares',
    [
      { what: 'cold', ms: round(coldMs) },
      { what: 'spare', ms: round(spareMs) },
      { what: 'second message of that session', ms: round(warmMs) },
      { what: 'cold, with an MCP server that never answers', ms: round(silent.cold) },
      { what: 'spare, with that server', ms: round(silentMs) },
    ],
    {
      pairs: plain.cold.length,
      spareOverCold: round(median(plain.spare.map((value, index) => value / (plain.cold[index] ?? 0))), 2),
      spareOverWarm: round(spareMs / warmMs, 1),
      silentOverPlainSpare: round(silentMs / spareMs, 2),
    },
  );
}

/** The only session at a time, so that each is the first in its process; and one that joins another in a process which that has used. */
async function ofCodex(real: RealAgents): Promise<void> {
  await using cold = await opened(real, 0);
  await using ahead = await opened(real, 1);
  await using shared = await opened(real, 0);
  const more: More = { agent: 'codex', env: real.codex.env };
  const plain = await pairs(more, cold.daemon, ahead.daemon);
  const stays = await createAndSend(shared.daemon, { ...more, stays: true });
  const joined = { first: [] as number[], ratio: [] as number[] };
  for (let pair = 0; pair < PAIRS; pair += 1) {
    await sleep(REST_MS);
    const { first, second } = await createAndSend(shared.daemon, more);
    joined.first.push(first);
    joined.ratio.push(first / second);
  }
  await stays.close();
  const times = [
    { what: 'cold', ms: round(median(plain.cold)) },
    { what: 'spare', ms: round(median(plain.spare)) },
    { what: 'second message of that session', ms: round(median(plain.warm)) },
    { what: 'in the process of another session', ms: round(median(joined.first)) },
  ];
  report('spares-codex', times, {
    pairs: plain.cold.length,
    spareOverCold: round(median(plain.spare.map((value, index) => value / (plain.cold[index] ?? 0))), 2),
    spareOverWarm: round(median(plain.spare.map((value, index) => value / (plain.warm[index] ?? 0))), 2),
    joinedOverWarm: round(median(joined.ratio), 2),
  });
}

async function opened(real: RealAgents, spares: number): Promise<Opened> {
  const home = makeHome(`[pool]\nspares = ${String(spares)}\n${agentConfig(real)}`);
  const { PATH: _, ...env } = { ...real.claude.env, ...real.codex.env };
  const daemon = await BenchDaemon.start(home, env);
  return {
    daemon,
    async [Symbol.asyncDispose]() {
      await daemon.stop();
      removeHome(home);
    },
  };
}

async function pairs(
  more: More,
  cold: BenchDaemon,
  ahead: BenchDaemon,
): Promise<{ cold: number[]; spare: number[]; warm: number[] }> {
  const figures = { cold: [] as number[], spare: [] as number[], warm: [] as number[] };
  // The first of each makes the directories of a new home, and is the reason for the first spare.
  for (const daemon of [cold, ahead]) await createAndSend(daemon, more);
  for (let pair = 0; pair < PAIRS; pair += 1) {
    await spareOf(ahead);
    await sleep(REST_MS);
    figures.cold.push((await createAndSend(cold, more)).first);
    const { first, second } = await createAndSend(ahead, more);
    figures.spare.push(first);
    figures.warm.push(second);
  }
  return figures;
}

async function withSilentServer(
  cold: BenchDaemon,
  ahead: BenchDaemon,
): Promise<{ cold: number; spare: number[] }> {
  const [first] = await Promise.all([createAndSend(cold, SILENT), createAndSend(ahead, SILENT)]);
  const spare: number[] = [];
  for (let pair = 0; pair < SILENT_PAIRS; pair += 1) {
    await spareOf(ahead);
    await sleep(SILENT_MS);
    spare.push((await createAndSend(ahead, SILENT)).first);
  }
  return { cold: first.first, spare };
}

async function createAndSend(
  daemon: BenchDaemon,
  { agent = 'claude', stays = false, ...more }: More,
): Promise<{ readonly first: number; readonly second: number; readonly close: () => Promise<unknown> }> {
  // A program that follows all sessions, as one that creates and sends in one go does.
  const stream = await RawStream.open(daemon);
  let session = '';
  const say = async (create: boolean): Promise<number> => {
    const delta = stream.next('event: message.delta');
    const completed = stream.next('event: turn.completed');
    // A connection that was idle for as long as a cold start may take would be closed.
    const client = await RawClient.open(daemon);
    const began = performance.now();
    if (create) session = await daemon.session(agent, more);
    client.post(`/v1/sessions/${session}/turns`, { input: 'say hello there' });
    const at = await delta;
    await completed;
    client.close();
    return at - began;
  };
  const first = await say(true);
  await sleep(REST_MS);
  const second = await say(false);
  stream.close();
  const close = (): Promise<unknown> => daemon.request('DELETE', `/v1/sessions/${session}`);
  if (!stays) await close();
  return { first, second, close };
}

/** Resolves when one is ready. */
async function spareOf(daemon: BenchDaemon): Promise<void> {
  for (;;) {
    const { pool }: { pool: { leases: readonly Lease[] } } = await daemon.request('GET', '/v1/status');
    if (
      pool.leases.some(
        ({ sessions, reason }) => sessions.length === 0 && reason.startsWith('a spare process: '),
      )
    )
      return;
    await sleep(20);
  }
}
