/**
 * A fake agent that floods → keeper → reader → journal → SSE: lines a second, and memory while it runs, also with a subscriber that stops reading.
 * And a 64 MB line in small chunks against 1 MB ones: no quadratic buffers.
 */
import { LineReader } from '../src/wire/lines.ts';
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
  rssMb,
} from './harness.ts';

const LINES = Number(process.env['BENCH_LINES'] ?? 400_000);
const RUNS = Number(process.env['BENCH_RUNS'] ?? 5);

export async function pipeline(): Promise<void> {
  const home = makeHome(FAKE_AGENTS);
  const daemon = await BenchDaemon.start(home, {});
  try {
    const reading: { rate: number; peak: number }[] = [];
    for (let run = 0; run < RUNS; run += 1) reading.push(await flood(daemon, false));
    const stopped = await flood(daemon, true);
    const { keeper } = await daemon.request('GET', '/v1/status');
    const chunks = longLine();
    report(
      'pipeline',
      [
        {
          case: 'one subscriber',
          'lines per second': Math.round(median(reading.map((one) => one.rate))),
          'daemon peak MB': Math.round(Math.max(...reading.map((one) => one.peak))),
        },
        {
          case: 'and one that stops reading',
          'lines per second': Math.round(stopped.rate),
          'daemon peak MB': Math.round(stopped.peak),
        },
      ],
      { lines: LINES, keeperRssMb: round(rssMb(keeper.pid)), line64MbSmallOverBigChunks: round(chunks, 2) },
    );
  } finally {
    await daemon.stop();
    removeHome(home);
  }
}

async function flood(daemon: BenchDaemon, withStopped: boolean): Promise<{ rate: number; peak: number }> {
  const session = await daemon.session('claude');
  const client = await RawClient.open(daemon);
  const stream = await RawStream.open(daemon, session);
  const stopped = withStopped ? await RawStream.open(daemon, session) : undefined;
  stopped?.pause();
  const started = stream.next('event: turn.started');
  const completed = stream.next('event: turn.completed');
  client.post(`/v1/sessions/${session}/turns`, { input: `flood ${String(LINES)} lines of 100 bytes` });
  const began = await started;
  let peak = 0;
  const watch = setInterval(() => {
    peak = Math.max(peak, rssMb(daemon.pid));
  }, 100);
  const ended = await completed;
  clearInterval(watch);
  stream.close();
  stopped?.close();
  client.close();
  await daemon.request('DELETE', `/v1/sessions/${session}`);
  return { rate: LINES / ((ended - began) / 1000), peak };
}

/** Time of a 64 MB line in 4 KiB chunks over that in 1 MiB chunks, median of 5. */
function longLine(): number {
  const time = (size: number): number => {
    const reader = new LineReader(128 * 1024 * 1024);
    const chunk = Buffer.alloc(size, 0x61);
    const began = performance.now();
    for (let sent = 0; sent < 64 * 1024 * 1024; sent += size) reader.push(chunk);
    const lines = reader.push(Buffer.from('\n'));
    if (lines.length !== 1) throw new Error('not one line');
    return performance.now() - began;
  };
  return median([1, 2, 3, 4, 5].map(() => time(4096) / time(1024 * 1024)));
}
