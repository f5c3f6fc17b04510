/**
 * Ten sessions of the real Codex in one process and in a process each, on the fake model: what they take of the memory that the system has
 * available, and how long ten turns at once take. Both daemons run side by side; each measure is taken in turns.
 */
import { readFileSync } from 'node:fs';
import { startFakeModel } from '../src/testing/index.ts';
import { agentConfig, realAgents, type RealAgents } from '../test/support/real-agents.ts';
import { BenchDaemon, makeHome, median, removeHome, report, round, sleep } from './harness.ts';

const SESSIONS = 10;
const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 9);
/** What the processes still do behind their turns. */
const SETTLE_MS = 1500;

interface Side {
  readonly daemon: BenchDaemon;
  readonly sessions: readonly string[];
  /** MB that are no longer available since the sessions are there. */
  readonly mb: number;
}

export async function shared(): Promise<void> {
  await using model = await startFakeModel();
  await using real = realAgents(model.url);
  const homes = [1, 50].map((per) =>
    makeHome(
      `[pool]\nmaxWarm = ${String(SESSIONS)}\nsessionsPerProcess = ${String(per)}\n${agentConfig(real)}`,
    ),
  );
  const memory: Record<'own' | 'one', number[]> = { own: [], one: [] };
  const [own, one] = await Promise.all(homes.map((home) => BenchDaemon.start(home, {})));
  if (own === undefined || one === undefined) throw new Error('no daemons');
  let sides: { own: Side; one: Side } | undefined;
  for (let at = 0; at < 3; at += 1) {
    if (sides !== undefined) for (const side of [sides.own, sides.one]) await closeAll(side);
    sides = { own: await opened(own, real), one: await opened(one, real) };
    memory.own.push(sides.own.mb);
    memory.one.push(sides.one.mb);
  }
  if (sides === undefined) throw new Error('nothing was opened');
  const ms: Record<'own' | 'one', number[]> = { own: [], one: [] };
  for (let at = 0; at < ROUNDS; at += 1)
    for (const side of at % 2 === 0 ? (['own', 'one'] as const) : (['one', 'own'] as const))
      ms[side].push(await turnsAtOnce(sides[side]));
  for (const daemon of [own, one]) await daemon.stop();
  for (const home of homes) removeHome(home);
  report(
    'shared',
    [
      { what: `${String(SESSIONS)} processes`, MB: round(median(memory.own)), ms: round(median(ms.own)) },
      {
        what: `one process, ${String(SESSIONS)} sessions`,
        MB: round(median(memory.one)),
        ms: round(median(ms.one)),
      },
    ],
    {
      memoryRatio: round(median(memory.one) / median(memory.own), 2),
      timeRatio: round(median(ms.one.map((value, index) => value / (ms.own[index] ?? 0))), 2),
      rounds: ROUNDS,
    },
  );
}

/** Ten sessions that have had a turn each, one behind the other. */
async function opened(daemon: BenchDaemon, real: RealAgents): Promise<Side> {
  const { PATH: _, ...env } = real.codex.env;
  const before = availableMb();
  const sessions: string[] = [];
  for (let at = 0; at < SESSIONS; at += 1) {
    const session = await daemon.session('codex', { cwd: real.cwd, env });
    sessions.push(session);
    await turn(daemon, session);
  }
  await sleep(SETTLE_MS);
  return { daemon, sessions, mb: before - availableMb() };
}

async function closeAll({ daemon, sessions }: Side): Promise<void> {
  for (const session of sessions) await daemon.request('DELETE', `/v1/sessions/${session}`);
  await sleep(SETTLE_MS);
}

async function turnsAtOnce({ daemon, sessions }: Side): Promise<number> {
  const began = performance.now();
  await Promise.all(sessions.map((session) => turn(daemon, session)));
  return performance.now() - began;
}

/** Until its ending is in the journal. */
async function turn(daemon: BenchDaemon, session: string): Promise<void> {
  const { id } = await daemon.request('POST', `/v1/sessions/${session}/turns`, {
    input: 'say one two three',
  });
  for (;;) {
    const { state } = await daemon.request('GET', `/v1/sessions/${session}/turns/${String(id)}`);
    if (state === 'completed') return;
    if (state === 'failed') throw new Error('a turn failed');
    await sleep(5);
  }
}

function availableMb(): number {
  const found = /^MemAvailable:\s+(\d+) kB/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1];
  return Number(found ?? Number.NaN) / 1024;
}
