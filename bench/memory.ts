/**
 * Resident memory of daemon and keeper at start and with idle sessions that have no process; and the time to start with a
 * large journal against an empty one.
 */
import { openJournal } from '../src/journal/index.ts';
import { newSessionState, persistedState } from '../src/session/state.ts';
import {
  BenchDaemon,
  FAKE_AGENTS,
  makeHome,
  median,
  removeHome,
  report,
  round,
  rssMb,
  type Home,
} from './harness.ts';

const EVENTS = Number(process.env['BENCH_EVENTS'] ?? 1_000_000);
const STARTS = Number(process.env['BENCH_STARTS'] ?? 9);

export async function memory(): Promise<void> {
  const config = `${FAKE_AGENTS}[pool]\nwarmOnCreate = false\n`;
  const home = makeHome(config);
  const daemon = await BenchDaemon.start(home, {});
  const rows: Record<string, string | number>[] = [];
  const { keeper } = await daemon.request('GET', '/v1/status');
  let count = 0;
  for (const target of [0, 1, 100, 1000]) {
    for (; count < target; count += 1) await daemon.session('claude');
    rows.push({
      sessions: target,
      'daemon MB': round(rssMb(daemon.pid)),
      'keeper MB': round(rssMb(keeper.pid)),
    });
  }
  await daemon.stop();
  // What the sessions themselves cost, without what a thousand requests leave in a heap that has room.
  const again = await BenchDaemon.start(home, {});
  const { keeper: next } = await again.request('GET', '/v1/status');
  rows.push({
    sessions: '1000, after a restart',
    'daemon MB': round(rssMb(again.pid)),
    'keeper MB': round(rssMb(next.pid)),
  });
  await again.stop();
  removeHome(home);
  const large = makeHome(config);
  await fill(large);
  const empty = makeHome(config);
  const ratios: number[] = [];
  for (let start = 0; start < STARTS; start += 1)
    ratios.push((await startOnce(large)) / (await startOnce(empty)));
  removeHome(large);
  removeHome(empty);
  report('memory', rows, { startRatio: round(median(ratios), 2), events: EVENTS });
}

async function startOnce(home: Home): Promise<number> {
  const daemon = await BenchDaemon.start(home, {});
  await daemon.stop();
  return daemon.startMs;
}

/** 1,000 sessions with their share of the events each, written by the journal itself. */
async function fill(home: Home): Promise<void> {
  const journal = await openJournal({
    path: `${home.path}/journal.db`,
    keepDays: 30,
    maxMb: 1e6,
    lockTimeoutMs: 1000,
  });
  const each = Math.ceil(EVENTS / 1000);
  for (let at = 0; at < 1000; at += 1) {
    const id = `ses_${String(at).padStart(32, '0')}`;
    const createdAt = new Date().toISOString();
    const spec = {
      id,
      agent: 'claude',
      cwd: home.cwd,
      mode: 'default' as const,
      agentOptions: {},
      metadata: {},
      env: [],
      credentials: [],
      createdAt,
    };
    await journal.commit((draft) => {
      for (let seq = 1; seq <= each; seq += 1)
        draft.event({
          session: id,
          seq,
          time: createdAt,
          type: 'notice',
          data: { level: 'info', code: 'bench', message: 'an event of the usual length, give or take' },
        });
      draft.session({
        id,
        spec,
        state: persistedState({ ...newSessionState(spec), lastSeq: each }),
        lastSeq: each,
        closed: false,
        lastActivityAt: createdAt,
      });
    });
  }
  await journal.close();
}
