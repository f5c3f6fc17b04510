/**
 * Loaded into a daemon by `--import`: how late its event loop runs, written to BENCH_LOOP_FILE.PID every second as JSON (ms).
 * The histogram starts anew when the file BENCH_LOOP_FILE.reset appears.
 */
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';

const file = process.env.BENCH_LOOP_FILE;
if (file !== undefined) {
  const histogram = monitorEventLoopDelay({ resolution: 5 });
  histogram.enable();
  const ms = (ns) => ns / 1e6;
  setInterval(() => {
    if (existsSync(`${file}.reset`)) {
      rmSync(`${file}.reset`, { force: true });
      histogram.reset();
      return;
    }
    const { max, count } = histogram;
    const at = { p50: ms(histogram.percentile(50)), p99: ms(histogram.percentile(99)), max: ms(max), count };
    writeFileSync(`${file}.${process.pid}`, JSON.stringify(at));
  }, 1000).unref();
}
