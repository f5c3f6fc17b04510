/**
 * Ten sessions of the real Codex in one process and in a process each, on the fake model: what they take of the memory that the system has
 * available, and how long ten turns at once take. Both daemons run side by side; each measure is taken in turns.
 */
import { readFileSync } from 'node:fs';
import { startFakeModel } from '../src/testing/index.ts';
import { agentConfig, realAgents, type RealAgents } from '../test/support/real-agents.ts';
import {
  BenchDaemon,
  type Home,
  makeHome,
  median,
  RawStream,
  removeHome,
  report,
  round,
  sleep,
} from './harness.ts';

const SESSIONS = 10;
const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 9);
/** Memory is looked at when it has been still: what processes, logs and caches do behind a turn, or behind the end of a process, is over. */
const STILL_MS = 2500;
const STILL_MB = 2;
const LOOK_MS = 500;
const MOST_LOOKS = 80;

interface Heard {
  readonly daemon: BenchDaemon;
  readonly stream: RawStream;
}

interface Side extends Heard {
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
  const [own, one] = await Promise.all(homes.map((home) => heard(home)));
  if (own === undefined || one === undefined) throw new Error('no daemons');
  await using _daemons = { [Symbol.asyncDispose]: () => ended([own, one], homes) };
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
      memoryMb: { own: memory.own.map((mb) => round(mb)), one: memory.one.map((mb) => round(mb)) },
      memoryRatio: round(median(memory.one) / median(memory.own), 3),
      timeRatio: round(median(ms.one.map((value, index) => value / (ms.own[index] ?? 0))), 2),
      rounds: ROUNDS,
    },
  );
}

async function heard(home: Home): Promise<Heard> {
  const daemon = await BenchDaemon.start(home, {});
  return { daemon, stream: await RawStream.open(daemon) };
}

async function ended(sides: readonly Heard[], homes: readonly Home[]): Promise<void> {
  for (const { daemon, stream } of sides) {
    stream.close();
    await daemon.stop();
  }
  for (const home of homes) removeHome(home);
}

/** Ten sessions that have had a turn each, one behind the other. */
async function opened(heard: Heard, real: RealAgents): Promise<Side> {
  const { PATH: _, ...env } = real.codex.env;
  const before = await stillMb();
  const sessions: string[] = [];
  for (let at = 0; at < SESSIONS; at += 1) {
    const session = await heard.daemon.session('codex', { cwd: real.cwd, env });
    sessions.push(session);
    await turn(heard, session);
  }
  return { ...heard, sessions, mb: before - (await stillMb()) };
}

async function closeAll({ daemon, sessions }: Side): Promise<void> {
  for (const session of sessions) await daemon.request('DELETE', `/v1/sessions/${session}`);
}

async function turnsAtOnce({ sessions, ...heard }: Side): Promise<number> {
  const began = performance.now();
  await Promise.all(sessions.map((session) => turn(heard, session)));
  return performance.now() - began;
}

/** Until its ending is heard. */
async function turn({ daemon, stream }: Heard, session: string): Promise<void> {
  const ended = stream.next(`event: turn.completed\ndata: {"session":"${session}"`);
  await daemon.request('POST', `/v1/sessions/${session}/turns`, { input: 'say one two three' });
  await ended;
}

/** What is available once it does not change any more, the median of that time. */
async function stillMb(): Promise<number> {
  const looks: number[] = [];
  for (let at = 0; at < MOST_LOOKS; at += 1) {
    looks.push(availableMb());
    const last = looks.slice(-STILL_MS / LOOK_MS);
    if (last.length * LOOK_MS >= STILL_MS && Math.max(...last) - Math.min(...last) < STILL_MB)
      return median(last);
    await sleep(LOOK_MS);
  }
  throw new Error('The memory of this machine is not still: something else runs on it');
}

function availableMb(): number {
  const found = /^MemAvailable:\s+(\d+) kB/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1];
  return Number(found ?? Number.NaN) / 1024;
}
