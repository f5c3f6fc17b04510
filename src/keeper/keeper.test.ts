import { createHash } from 'node:crypto';
import {
  mkdtempSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  existsSync,
} from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { gone } from '../../test/support/daemon.ts';
import { identityOf, isAlive, marked } from '../../test/support/processes.ts';
import { until } from '../../test/support/until.ts';
import type { Child, ChildExit, ChildListener } from '../process/ports.ts';
import { connectKeeper } from './client.ts';
import { findKeeper } from './find.ts';
import type { KeptHost } from './kept-host.ts';
import { sweepSpool } from './spool.ts';

const NODE = process.execPath;
let home: string;
let generation = 0;
const hosts: KeptHost[] = [];

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'keeper-'));
  for (const folder of ['logs', 'processes', 'spool']) mkdirSync(join(home, folder));
});

afterEach(async () => {
  for (const host of hosts.splice(0)) await host.stop();
  const left = findKeeper(home);
  if (left !== undefined) {
    process.kill(left.identity.pid, 'SIGCONT');
    process.kill(left.identity.pid, 'SIGKILL');
    await gone(left.identity);
  }
  expect(marked(`home_${home}/`)).toEqual([]);
  rmSync(home, { recursive: true, force: true });
});

async function keeper(
  settings: Record<string, number> = {},
  more: { helloMs?: number; spawnMs?: number; version?: string; onError?: (error: unknown) => void } = {},
): Promise<KeptHost> {
  generation += 1;
  const env = { PATH: process.env['PATH'], HOME: home };
  const ladder = { termAfterMs: 200, killAfterMs: 300 };
  const host = await connectKeeper({
    home,
    homeId: `home_${home}`,
    generation,
    version: '0.1.0',
    env,
    settings,
    ladder,
    ...more,
  });
  hosts.push(host);
  return host;
}

class Heard implements ChildListener {
  readonly #hash = createHash('sha256');
  readonly exited = Promise.withResolvers<ChildExit>();
  readonly losing = Promise.withResolvers<string>();
  readonly writes: string[] = [];
  text = '';
  bytes = 0;
  next: number | undefined;
  onOut: (end: number) => void = () => undefined;
  onWrite: () => void = () => undefined;

  out(offset: number, bytes: Buffer): void {
    if (this.next !== undefined) expect(offset).toBe(this.next);
    this.next = offset + bytes.length;
    this.bytes += bytes.length;
    this.#hash.update(bytes);
    if (this.text.length < 100_000) this.text += bytes.toString();
    this.onOut(this.next);
  }

  stderr(): void {
    // Not looked at.
  }

  wrote(n: number): void {
    this.writes.push(`wrote ${String(n)}`);
    this.onWrite();
  }

  refused(n: number, last: number): void {
    this.writes.push(`refused ${String(n)} last ${String(last)}`);
    this.onWrite();
  }

  exit(exit: ChildExit): void {
    this.exited.resolve(exit);
  }

  lost(reason: string): void {
    this.losing.resolve(reason);
  }

  get digest(): string {
    return this.#hash.copy().digest('hex');
  }

  /** Waits until the text so far satisfies. */
  async until(done: (text: string) => boolean): Promise<void> {
    while (!done(this.text)) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.onOut = () => {
        resolve();
      };
      await promise;
    }
  }

  async untilWrites(count: number): Promise<void> {
    while (this.writes.length < count) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.onWrite = resolve;
      await promise;
    }
  }
}

function spec(id: string, script: string, goodbye = ''): Parameters<KeptHost['spawn']>[0] {
  return {
    id,
    file: NODE,
    args: ['-e', script],
    cwd: home,
    env: { PATH: process.env['PATH'] ?? '' },
    goodbye: Buffer.from(goodbye),
  };
}

const ECHO = 'process.stdin.pipe(process.stdout)';

test('writes are taken by number: next is written, earlier is confirmed again, a hole is refused with the last', async () => {
  const host = await keeper();
  const heard = new Heard();
  const child = await host.spawn(spec('rt_1', ECHO), heard);
  child.write(1, Buffer.from('one\n'));
  child.write(2, Buffer.from('two\n'));
  child.write(2, Buffer.from('again\n'));
  child.write(4, Buffer.from('four\n'));
  await heard.until((text) => text === 'one\ntwo\n');
  await heard.untilWrites(3);
  expect(heard.writes).toContain('wrote 1');
  expect(heard.writes).toContain('wrote 2');
  expect(heard.writes).toContain('refused 4 last 2');
  expect(heard.text).toBe('one\ntwo\n');
});

test('a flood read slowly arrives whole, and the keeper stays small', async () => {
  const host = await keeper();
  const heard = new Heard();
  const total = 30 * 1024 * 1024;
  let child: Child | undefined;
  const script = `const b=Buffer.alloc(65536);for(let i=0;i<b.length;i++)b[i]=i%251;let n=0;(function go(){while(n<${String(total)}){n+=b.length;if(!process.stdout.write(b))return process.stdout.once('drain',go)}})()`;
  let peak = 0;
  heard.onOut = (end) => {
    peak = Math.max(peak, rss(host.identity.pid));
    setImmediate(() => child?.acknowledge(end));
  };
  child = await host.spawn(spec('rt_flood', script), heard);
  child.acknowledge(heard.bytes);
  await heard.exited.promise;
  expect(heard.bytes).toBe(total);
  const expected = createHash('sha256');
  const block = Buffer.alloc(65_536, 0).map((_, index) => index % 251);
  for (let sent = 0; sent < total; sent += block.length) expected.update(block);
  expect(heard.digest).toBe(expected.digest('hex'));
  expect(peak).toBeLessThan(110);
});

test('a line longer than the window goes on when the reader says received', async () => {
  const host = await keeper();
  const heard = new Heard();
  const length = 5 * 1024 * 1024;
  const child = await host.spawn(
    spec('rt_long', `process.stdout.write('x'.repeat(${String(length)})+'\\n')`),
    heard,
  );
  const whole = new Promise<void>((resolve) => {
    heard.onOut = (end) => {
      child.received(end);
      if (end === length + 1) resolve();
    };
  });
  child.received(heard.bytes);
  if (heard.bytes < length + 1) await whole;
  child.acknowledge(length + 1);
  expect(await heard.exited.promise).toMatchObject({ code: 0 });
  expect(heard.bytes).toBe(length + 1);
});

test('output, writes and exit go on for the next daemon at the exact byte', async () => {
  const first = await keeper();
  const before = new Heard();
  const child = await first.spawn(spec('rt_1', ECHO), before);
  child.write(1, Buffer.from('hello\n'));
  await before.until((text) => text === 'hello\n');
  child.acknowledge(3);
  await first.detach();
  hosts.length = 0;
  const second = await keeper();
  expect(second.identity).toEqual(first.identity);
  expect(second.unclaimed()).toEqual(['rt_1']);
  const after = new Heard();
  const again = second.attach('rt_1', 3, after);
  expect(again?.lastWrite).toBe(1);
  await after.until((text) => text === 'lo\n');
  again?.write(1, Buffer.from('hello\n'));
  again?.write(2, Buffer.from('world\n'));
  await after.until((text) => text === 'lo\nworld\n');
  again?.end();
  expect(await after.exited.promise).toMatchObject({ code: 0, stuck: [] });
});

test('a newer daemon closes the connection of the older one, which ends nothing; an older one is refused', async () => {
  const older = await keeper();
  const child = await older.spawn(spec('rt_1', ECHO), new Heard());
  const lost = new Promise<string>((resolve) => older.onLost(resolve));
  hosts.length = 0;
  generation += 5;
  const newer = await keeper();
  await lost;
  generation -= 4;
  await expect(keeper()).rejects.toThrow(/No keeper could be had/);
  generation += 10;
  expect(isAlive(child.identity)).toBe(true);
  expect(isAlive(newer.identity)).toBe(true);
  const heard = new Heard();
  newer.attach('rt_1', 0, heard)?.write(1, Buffer.from('still here\n'));
  await heard.until((text) => text === 'still here\n');
});

test('a wrong secret and garbage are answered by closing', async () => {
  await keeper();
  const found = findKeeper(home);
  if (found === undefined) throw new Error('no keeper');
  for (const bytes of [
    Buffer.from('GET / HTTP/1.1\r\n\r\n'),
    frame({ t: 'hello', v: 1, secret: 'x', generation: 99, pid: 1 }),
    frame({ t: 'stop' }),
  ]) {
    const socket = connect(found.socket);
    socket.on('error', () => undefined);
    socket.write(bytes);
    await once(socket, 'close');
  }
  expect(isAlive(found.identity)).toBe(true);
});

test('ending takes the whole tree, a background process in its own session included', async () => {
  const host = await keeper();
  const heard = new Heard();
  const script = `const c=require('child_process').spawn('sleep',['600'],{detached:true,stdio:'ignore'});c.unref();console.log(c.pid);process.on('SIGTERM',()=>{});setInterval(()=>{},1000)`;
  const child = await host.spawn(spec('rt_tree', script), heard);
  await heard.until((text) => text.includes('\n'));
  const background = identityOf(Number(heard.text));
  child.end();
  const exit = await heard.exited.promise;
  expect(exit.signal).toBe('SIGKILL');
  expect(exit.stuck).toEqual([]);
  expect(background !== undefined && isAlive(background)).toBe(false);
});

test('the goodbye is written before stdin is closed', async () => {
  const host = await keeper();
  const heard = new Heard();
  const child = await host.spawn(spec('rt_bye', ECHO, 'bye\n'), heard);
  child.end();
  expect(await heard.exited.promise).toMatchObject({ code: 0 });
  expect(heard.text).toBe('bye\n');
});

test('a grandchild that holds stdout does not hold back the exit', async () => {
  const host = await keeper();
  const heard = new Heard();
  const script = `const c=require('child_process').spawn('sleep',['600'],{detached:true,stdio:['ignore','inherit','ignore']});c.unref();console.log(c.pid);process.exit(3)`;
  await host.spawn(spec('rt_hold', script), heard);
  expect(await heard.exited.promise).toMatchObject({ code: 3, stuck: [] });
  expect(identityOf(Number(heard.text))).toBeUndefined();
});

test('what cannot be started says what, where and why', async () => {
  const host = await keeper();
  const base = spec('rt_x', '');
  await expect(host.spawn({ ...base, file: '/nowhere/claude' }, new Heard())).rejects.toThrow(
    /\/nowhere\/claude could not be started.*no such file/,
  );
  await expect(host.spawn({ ...base, id: 'rt_y', cwd: '/nowhere' }, new Heard())).rejects.toThrow(
    /directory \/nowhere does not exist/,
  );
});

test('the keeper dies by kill -9: children are lost and their trees gone, and another keeper can be had', async () => {
  const host = await keeper();
  const heard = new Heard();
  const child = await host.spawn(spec('rt_1', `setInterval(()=>{},1000)`), heard);
  process.kill(host.identity.pid, 'SIGKILL');
  await heard.losing.promise;
  expect(isAlive(child.identity)).toBe(false);
  hosts.length = 0;
  const next = await keeper();
  expect(next.identity).not.toEqual(host.identity);
});

test('a hung keeper is ended after its identity was checked, and replaced', async () => {
  const first = await keeper();
  const heard = new Heard();
  const child = await first.spawn(spec('rt_1', `setInterval(()=>{},1000)`), heard);
  await first.detach();
  hosts.length = 0;
  process.kill(first.identity.pid, 'SIGSTOP');
  const next = await keeper({}, { helloMs: 300 });
  expect(next.identity).not.toEqual(first.identity);
  expect(isAlive(first.identity)).toBe(false);
  expect(isAlive(child.identity)).toBe(false);
});

test('a keeper.json that names another process leaves that process alone', async () => {
  const innocent = identityOf(process.pid);
  writeFileSync(
    join(home, 'keeper.json'),
    JSON.stringify({
      pid: process.pid,
      startTime: '1',
      secret: 'x',
      socket: '/nowhere',
      version: '0',
      protocol: 1,
    }),
  );
  writeFileSync(
    join(home, 'processes', 'rt_old.json'),
    JSON.stringify({ id: 'rt_old', mark: `home_${home}/rt_old`, pid: process.pid, startTime: '1' }),
  );
  await keeper();
  expect(innocent !== undefined && isAlive(innocent)).toBe(true);
  expect(existsSync(join(home, 'processes', 'rt_old.json'))).toBe(false);
});

test('no daemon for the whole grace: output goes to the spool, children end, and the next daemon reads it', async () => {
  const first = await keeper({ graceMs: 300, idleMs: 100 });
  const child = await first.spawn(spec('rt_1', `console.log('kept');setInterval(()=>{},1000)`), new Heard());
  const { identity } = first;
  await first.detach();
  hosts.length = 0;
  await gone(identity);
  expect(isAlive(child.identity)).toBe(false);
  const next = await keeper();
  const heard = new Heard();
  expect(next.attach('rt_1', 0, heard)).toBeDefined();
  await heard.exited.promise;
  expect(heard.text).toBe('kept\n');
});

test('SIGTERM without a daemon: what nobody has heard is in the spool for the next one', async () => {
  const first = await keeper();
  const child = await first.spawn(spec('rt_1', `console.log('kept');setInterval(()=>{},1000)`), new Heard());
  const { identity } = first;
  await first.detach();
  hosts.length = 0;
  process.kill(identity.pid, 'SIGTERM');
  await gone(identity);
  expect(isAlive(child.identity)).toBe(false);
  const next = await keeper();
  const heard = new Heard();
  next.attach('rt_1', 0, heard);
  await heard.exited.promise;
  expect(heard.text).toBe('kept\n');
});

test('the spool of runtimes that nobody knows any more is swept, that of others is not', () => {
  for (const id of ['rt_known', 'rt_gone'])
    for (const ending of ['json', 'out']) writeFileSync(join(home, 'spool', `${id}.${ending}`), '{}');
  sweepSpool(home, (id) => id === 'rt_known');
  expect(readdirSync(join(home, 'spool')).toSorted((a, b) => a.localeCompare(b))).toEqual([
    'rt_known.json',
    'rt_known.out',
  ]);
});

test('an idle keeper of another version makes room; one with a child is spoken to', async () => {
  const first = await keeper({}, { version: '0.1.0' });
  await first.spawn(spec('rt_1', ECHO), new Heard());
  await first.detach();
  const second = await keeper({}, { version: '9.9.9' });
  expect(second.identity).toEqual(first.identity);
});

test('a spawn that a stopped keeper did not do in time leaves no process when the keeper goes on', async () => {
  const host = await keeper({}, { spawnMs: 200 });
  const heard = new Heard();
  process.kill(host.identity.pid, 'SIGSTOP');
  const late = host.spawn(spec('rt_late', ECHO), heard);
  await expect(late).rejects.toMatchObject({ code: 'spawn_failed' });
  process.kill(host.identity.pid, 'SIGCONT');
  // Answered in order: what was late is known when the next one is there.
  const next = new Heard();
  await host.spawn(spec('rt_next', ECHO), next);
  await until(() => marked(`home_${home}/rt_late`).length === 0);
  await until(() => host.childCount() === 1);
  expect(heard.text).toBe('');
});

test('stop right behind the death of the keeper waits until agents that ignore signals are gone', async () => {
  const host = await keeper();
  const heard = new Heard();
  const deaf = `process.on('SIGTERM',()=>{});console.log('deaf');setInterval(()=>{},1000)`;
  const child = await host.spawn(spec('rt_deaf', deaf), heard);
  await heard.until((text) => text === 'deaf\n');
  const known = new Promise<void>((resolve) => {
    host.onLost(() => {
      resolve();
    });
  });
  process.kill(host.identity.pid, 'SIGKILL');
  await known;
  await host.stop();
  expect(isAlive(child.identity)).toBe(false);
});

test('a child that exited while it was not read is in the spool with all it printed, and its exit', async () => {
  const first = await keeper({ graceMs: 300, idleMs: 100, aloneBytes: 1000 });
  const go = join(home, 'go');
  const script = `const fs=require('fs');const t=setInterval(()=>{if(!fs.existsSync(${JSON.stringify(go)}))return;clearInterval(t);fs.writeSync(1,'x'.repeat(100000));process.exit(5)},10)`;
  const child = await first.spawn(spec('rt_1', script), new Heard());
  const { identity } = first;
  await first.detach();
  writeFileSync(go, '');
  hosts.length = 0;
  await gone(identity);
  expect(isAlive(child.identity)).toBe(false);
  const next = await keeper();
  const heard = new Heard();
  next.attach('rt_1', 0, heard);
  expect(await heard.exited.promise).toMatchObject({ code: 5 });
  expect(heard.bytes).toBe(100_000);
});

test('a daemon that comes back while the keeper gives up hears of the ends, and can start others', async () => {
  const first = await keeper({ graceMs: 200, idleMs: 100 });
  const asked = join(home, 'asked');
  const deaf = `process.on('SIGTERM',()=>require('fs').writeFileSync(${JSON.stringify(asked)},''));console.log('deaf');setInterval(()=>{},1000)`;
  const before = new Heard();
  await first.spawn(spec('rt_deaf', deaf), before);
  await before.until((text) => text === 'deaf\n');
  await first.detach();
  hosts.length = 0;
  await until(() => existsSync(asked));
  const next = await keeper();
  expect(next.identity).toEqual(first.identity);
  const heard = new Heard();
  next.attach('rt_deaf', 0, heard);
  expect(await heard.exited.promise).toMatchObject({ signal: 'SIGKILL' });
  const again = new Heard();
  const child = await next.spawn(spec('rt_2', ECHO), again);
  child.write(1, Buffer.from('here\n'));
  await again.until((text) => text === 'here\n');
});

test('a write that was confirmed to nobody is confirmed to the daemon that takes over', async () => {
  const first = await keeper();
  const child = await first.spawn(spec('rt_1', ECHO), new Heard());
  await first.detach();
  hosts.length = 0;
  const second = await keeper();
  const heard = new Heard();
  const again = second.attach('rt_1', 0, heard);
  again?.write(1, Buffer.from('one\n'));
  await heard.untilWrites(1);
  await second.detach();
  hosts.length = 0;
  const third = await keeper();
  const last = new Heard();
  third.attach('rt_1', 0, last);
  await last.untilWrites(1);
  expect(last.writes).toEqual(['wrote 1']);
  expect(isAlive(child.identity)).toBe(true);
});

test('a listener that throws does not cost the other children their connection', async () => {
  const errors: unknown[] = [];
  const host = await keeper({}, { onError: (error) => errors.push(error) });
  const bad = new Heard();
  bad.onOut = () => {
    throw new Error('a fault of ours');
  };
  const one = await host.spawn(spec('rt_bad', ECHO), bad);
  const good = new Heard();
  const two = await host.spawn(spec('rt_good', ECHO), good);
  one.write(1, Buffer.from('x\n'));
  await until(() => errors.length > 0);
  two.write(1, Buffer.from('here\n'));
  await good.until((text) => text === 'here\n');
  expect(errors).toHaveLength(1);
});

function frame(header: object): Buffer {
  const head = Buffer.from(JSON.stringify(header));
  const prefix = Buffer.alloc(8);
  prefix.writeUInt32BE(4 + head.length, 0);
  prefix.writeUInt32BE(head.length, 4);
  return Buffer.concat([prefix, head]);
}

function rss(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${String(pid)}/status`, 'utf8'))?.[1]) / 1024;
}
