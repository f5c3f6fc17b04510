/**
 * kill -9 of the daemon in mid-turn, again and again: from the start of the next daemon to the first new event of the running turn;
 * and whether anything is missing or comes twice.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkJournal, TestDaemon, testHome, type Event } from '../test/support/daemon.ts';
import { median, quantile, report, round } from './harness.ts';

const RUNS = Number(process.env['BENCH_TAKEOVERS'] ?? 100);

export async function takeover(): Promise<void> {
  await using home = testHome();
  let daemon = await TestDaemon.start(home);
  const delays: number[] = [];
  let faults = 0;
  for (let run = 0; run < RUNS; run += 1) {
    const session = await daemon.session('claude');
    const turn = await daemon.send(session, 'stream 300 words 5 ms');
    await daemon.follow(session, (event) => event.type === 'message.delta');
    await daemon.kill9();
    daemon = await TestDaemon.takeOver(home);
    const events = await daemon.ending(session, turn);
    const status = (await daemon.request('GET', '/v1/status')).body;
    const born = Date.parse(status.daemon.startedAt);
    const first = events.find((event) => event.turn === turn && Date.parse(event.time) >= born);
    if (first !== undefined) delays.push(Date.parse(first.time) - born);
    if (!whole(events, turn)) faults += 1;
    await daemon.request('DELETE', `/v1/sessions/${session}`);
  }
  const pid: number = JSON.parse(readFileSync(join(home.path, 'keeper.json'), 'utf8')).pid;
  await daemon.stop();
  report(
    'takeover',
    [
      {
        runs: RUNS,
        'median ms': Math.round(median(delays)),
        'p95 ms': Math.round(quantile(delays, 0.95)),
        'runs with an event missing or twice': faults,
      },
    ],
    {
      medianSeconds: round(median(delays) / 1000, 2),
      faults,
      keeperPid: pid,
    },
  );
}

function whole(events: readonly Event[], turn: string): boolean {
  try {
    checkJournal(events);
  } catch {
    return false;
  }
  const deltas = events
    .filter((event) => event.turn === turn && event.type === 'message.delta')
    .map((event) => String(event.data['text']));
  const complete = events.find((event) => event.turn === turn && event.type === 'message.completed');
  return complete !== undefined && deltas.join('') === complete.data['text'];
}
