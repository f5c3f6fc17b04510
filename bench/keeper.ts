/**
 * How large the keeper becomes while 50 children print as fast as they can: with a daemon that reads them, with none, and with one that comes back
 * and reads on from where the first one left. By the keeper's own protocol, so that nothing else is measured.
 */
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type * as KeeperModule from '../src/keeper/index.ts';
import type { Child, ChildListener } from '../src/process/ports.ts';
import { makeHome, removeHome, report, round, rssMb, sleep, type Home } from './harness.ts';

const CHILDREN = Number(process.env['BENCH_CHILDREN'] ?? 50);
const SECONDS = Number(process.env['BENCH_SECONDS'] ?? 10);
const BUILT = resolve(import.meta.dirname, '../dist/keeper/index.js');
const MIB = 1024 * 1024;

export async function keeper(): Promise<void> {
  // Built, as it is installed: what strips types would be measured otherwise.
  const { connectKeeper }: typeof KeeperModule = await import(BUILT);
  const home = makeHome('');
  for (const folder of ['logs', 'processes', 'spool']) mkdirSync(join(home.path, folder));
  const first = await connectKeeper(options(home, 1));
  const { pid } = first.identity;
  const base = rssMb(pid);
  const readers = await Promise.all(
    Array.from({ length: CHILDREN }, (_, at) => {
      const reader = new Reader();
      return reader.start(first, `flood_${String(at)}`, home.cwd);
    }),
  );
  const attached = await peak(pid, SECONDS);
  const read = readers.reduce((sum, reader) => sum + reader.bytes, 0);
  const from = readers.map((reader) => reader.acknowledged);
  await first.detach();
  const alone = await peak(pid, SECONDS);
  const second = await connectKeeper(options(home, 2));
  const next = readers.map((_, at) => {
    const reader = new Reader();
    reader.take(second, `flood_${String(at)}`, from[at] ?? 0);
    return reader;
  });
  while (!next.every((reader) => reader.bytes > 64 * MIB || reader.bytes > (512 * MIB) / CHILDREN))
    await sleep(50);
  const gaps = next.reduce((sum, reader) => sum + reader.gaps, 0);
  await second.stop();
  removeHome(home);
  report(
    'keeper',
    [
      { 'while 50 children flood': 'nothing yet', 'keeper MB (peak)': round(base) },
      { 'while 50 children flood': 'a daemon reads', 'keeper MB (peak)': round(attached) },
      { 'while 50 children flood': 'none does', 'keeper MB (peak)': round(alone) },
    ],
    {
      children: CHILDREN,
      seconds: SECONDS,
      readMbPerSecond: round(read / MIB / SECONDS),
      gaps,
      keptMb: round(alone - base),
    },
  );
}

function options(home: Home, generation: number): Parameters<typeof KeeperModule.connectKeeper>[0] {
  const env = { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: home.root };
  return { home: home.path, homeId: `home_${home.root}`, generation, version: '0.1.0', env };
}

/** The largest resident size within so many seconds, MB. */
async function peak(pid: number, seconds: number): Promise<number> {
  let most = 0;
  for (const until = performance.now() + seconds * 1000; performance.now() < until; await sleep(20))
    most = Math.max(most, rssMb(pid));
  return most;
}

/** Reads as a daemon does: says what has come, and acknowledges it. */
class Reader implements ChildListener {
  bytes = 0;
  gaps = 0;
  acknowledged = 0;
  #child: Child | undefined;
  #next: number | undefined;

  async start(host: KeeperModule.KeptHost, id: string, cwd: string): Promise<this> {
    const env = { PATH: '/usr/bin:/bin' };
    const args = ['x'.repeat(99)];
    this.#child = await host.spawn({ id, file: '/usr/bin/yes', args, cwd, env, goodbye: Buffer.of() }, this);
    return this;
  }

  take(host: KeeperModule.KeptHost, id: string, from: number): void {
    this.#next = from;
    this.#child = host.attach(id, from, this);
  }

  out(offset: number, bytes: Buffer): void {
    if (this.#next !== undefined && offset !== this.#next) this.gaps += 1;
    this.#next = offset + bytes.length;
    this.bytes += bytes.length;
    this.acknowledged = this.#next;
    this.#child?.received(this.#next);
    this.#child?.acknowledge(this.#next);
  }

  stderr(): void {}
  wrote(): void {}
  refused(): void {}
  exit(): void {}
  lost(): void {}
}
