/**
 * 200 sessions of fake agents through 20 slots: as many clients as slots, each sending to a session at random and waiting for its ending.
 * How late the daemon's event loop runs, whether its memory grows, and that every message has one ending.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { BenchDaemon, FAKE_AGENTS, makeHome, removeHome, report, round, rssMb, sleep } from './harness.ts';

const SESSIONS = Number(process.env['BENCH_SESSIONS'] ?? 200);
const SLOTS = Number(process.env['BENCH_SLOTS'] ?? 20);
const SECONDS = Number(process.env['BENCH_SECONDS'] ?? 120);
/** Not counted: the first processes of all slots, V8's own warming up. */
const WARM_UP_SECONDS = Math.min(20, SECONDS / 4);
const PROBE = resolve(import.meta.dirname, 'loop-probe.mjs');

interface Tally {
  sent: number;
  readonly endings: Map<string, number>;
  readonly byType: Map<string, number>;
  readonly reasons: Map<string, number>;
}

export async function pool(): Promise<void> {
  const config = `${FAKE_AGENTS}[pool]\nmaxWarm = ${String(SLOTS)}\nwarmOnCreate = false\nwhenFull = "wait"\nmaxWaiting = ${String(SESSIONS)}\n`;
  const home = makeHome(config);
  const loop = join(home.root, 'loop');
  const env = { NODE_OPTIONS: `--import=${PROBE}`, BENCH_LOOP_FILE: loop };
  const daemon = await BenchDaemon.start(home, env);
  const sessions: string[] = [];
  for (let at = 0; at < SESSIONS; at += 1)
    sessions.push(await daemon.session(at % 2 === 0 ? 'claude' : 'codex'));
  const tally: Tally = { sent: 0, endings: new Map(), byType: new Map(), reasons: new Map() };
  const follower = new Follower(daemon, tally);
  const until = performance.now() + SECONDS * 1000;
  const clients = Array.from({ length: SLOTS }, (_, at) =>
    client({ daemon, follower, tally, until, sessions: sessions.filter((__, of) => of % SLOTS === at) }),
  );
  await sleep(WARM_UP_SECONDS * 1000);
  writeFileSync(`${loop}.reset`, '');
  const early = rssMb(daemon.pid);
  const sentEarly = tally.sent;
  await Promise.all(clients);
  const late = rssMb(daemon.pid);
  const delay: { p50: number; p99: number; max: number } = JSON.parse(
    readFileSync(`${loop}.${String(daemon.pid)}`, 'utf8'),
  );
  const { pool: leases } = await daemon.request('GET', '/v1/status');
  follower.close();
  await daemon.stop();
  removeHome(home);
  const counted = SECONDS - WARM_UP_SECONDS;
  const wrong = [...tally.endings.values()].filter((count) => count !== 1).length;
  report(
    'pool',
    [
      {
        sessions: SESSIONS,
        slots: SLOTS,
        'turns a second': round((tally.sent - sentEarly) / counted),
        'event loop p50 ms': round(delay.p50),
        'p99 ms': round(delay.p99),
        'max ms': round(delay.max),
        'daemon MB early': round(early),
        'late MB': round(late),
        'turns without one ending': wrong,
      },
    ],
    {
      loopP99Ms: round(delay.p99),
      rssRatio: round(late / early, 2),
      seconds: SECONDS,
      sent: tally.sent,
      endings: Object.fromEntries(tally.byType),
      runtimesEnded: Object.fromEntries(tally.reasons),
      leasesAtTheEnd: leases.leases.length,
      waitingAtTheEnd: leases.waiting,
    },
  );
}

/** One of the clients: its own sessions in turn, so that each finds its process gone to others. */
async function client(what: {
  readonly daemon: BenchDaemon;
  readonly follower: Follower;
  readonly tally: Tally;
  readonly until: number;
  readonly sessions: readonly string[];
}): Promise<void> {
  const { daemon, follower, tally, until, sessions } = what;
  for (let round = 0; performance.now() < until; round += 1) {
    const session = sessions[round % sessions.length] ?? '';
    // Two messages each: one that finds the session asleep, one that finds it warm.
    for (const words of [8, 40]) {
      const { id } = await daemon.request('POST', `/v1/sessions/${session}/turns`, {
        input: `stream ${String(words)} words 1 ms`,
      });
      tally.sent += 1;
      await follower.ended(id);
    }
  }
}

/** Follows every session on one stream. */
class Follower {
  readonly #tally: Tally;
  readonly #waiting = new Map<string, () => void>();
  readonly #stop = new AbortController();

  constructor(daemon: BenchDaemon, tally: Tally) {
    this.#tally = tally;
    this.#read(daemon).catch((error: unknown) => {
      if (!this.#stop.signal.aborted) throw error;
    });
  }

  ended(turn: string): Promise<void> {
    if (this.#tally.endings.has(turn)) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.set(turn, resolve));
  }

  close(): void {
    this.#stop.abort();
  }

  async #read(daemon: BenchDaemon): Promise<void> {
    const response = await fetch(`http://127.0.0.1:${String(daemon.port)}/v1/events?after=0`, {
      headers: { authorization: `Bearer ${daemon.token}`, accept: 'text/event-stream' },
      signal: this.#stop.signal,
    });
    if (response.body === null) throw new Error('no stream');
    let rest = '';
    for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
      const frames = (rest + chunk).split('\n\n');
      rest = frames.pop() ?? '';
      for (const frame of frames) this.#take(frame);
    }
  }

  #take(frame: string): void {
    const type = /^event: (turn\.(?:completed|failed|interrupted)|runtime\.ended)$/m.exec(frame)?.[1];
    if (type === undefined) return;
    const event: { turn?: string; data: { reason?: string; code?: string } } = JSON.parse(
      /^data: (.*)$/m.exec(frame)?.[1] ?? '{}',
    );
    const { byType, reasons, endings } = this.#tally;
    if (type === 'runtime.ended') return count(reasons, event.data.reason ?? '');
    count(byType, event.data.code === undefined ? type : `${type} ${event.data.code}`);
    count(endings, event.turn ?? '');
    this.#waiting.get(event.turn ?? '')?.();
    this.#waiting.delete(event.turn ?? '');
  }
}

function count(map: Map<string, number>, key: string): void {
  map.set(key, (map.get(key) ?? 0) + 1);
}
