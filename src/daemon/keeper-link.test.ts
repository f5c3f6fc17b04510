import { mkdtempSync, rmSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { isAlive, marked } from '../../test/support/processes.ts';
import type { Child, ChildListener } from '../process/ports.ts';
import { readConfig } from './config.ts';
import { openHome } from './home.ts';
import { KeeperLink } from './keeper-link.ts';
import { openLog } from './log.ts';

let home: string;
let link: KeeperLink;

beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'link-'));
  const opened = openHome(home);
  const config = readConfig(home, {});
  link = await KeeperLink.connect({
    home: opened,
    config: { ...config, ladder: { termAfterMs: 200, killAfterMs: 300, stuckAfterMs: 500 } },
    env: { PATH: process.env['PATH'], HOME: home },
    // A daemon that the keeper would start again: one that does nothing.
    command: { file: process.execPath, args: ['-e', ''] },
    lockTimeoutMs: 0,
    journal: { homeId: `home_${home}`, generation: 1 },
    log: openLog(opened.logs),
  });
});

afterEach(async () => {
  await link.stop();
  expect(marked(`home_${home}/`)).toEqual([]);
  rmSync(home, { recursive: true, force: true });
});

class Listener implements ChildListener {
  readonly losing = Promise.withResolvers<string>();
  out(): void {
    // Not looked at.
  }
  stderr(): void {
    // Not looked at.
  }
  wrote(): void {
    // Not looked at.
  }
  refused(): void {
    // Not looked at.
  }
  exit(): void {
    // Not looked at.
  }
  lost(reason: string): void {
    this.losing.resolve(reason);
  }
}

function spawn(id: string, listener: ChildListener = new Listener()): Promise<Child> {
  const args = ['-e', "process.on('SIGTERM',()=>{});setInterval(()=>{},1000)"];
  const env = { PATH: process.env['PATH'] ?? '' };
  return link.spawn(
    { id, file: process.execPath, args, cwd: home, env, goodbye: new Uint8Array() },
    listener,
  );
}

function keeperPid(): number {
  return link.about()?.identity.pid ?? 0;
}

test('what is started just after the death of the keeper waits for the next one', async () => {
  const heard = new Listener();
  const first = await spawn('rt_1', heard);
  const pid = keeperPid();
  process.kill(pid, 'SIGKILL');
  await heard.losing.promise;
  const [second, third] = await Promise.all([spawn('rt_2'), spawn('rt_3')]);
  expect(isAlive(first.identity)).toBe(false);
  expect(isAlive(second.identity) && isAlive(third.identity)).toBe(true);
  expect(keeperPid()).not.toBe(pid);
});

test('what is started while the children of a dead keeper are still being ended waits for that, too', async () => {
  const first = await spawn('rt_1');
  const connection = keeperSocket();
  const closed = new Promise((resolve) => connection.once('close', resolve));
  process.kill(keeperPid(), 'SIGKILL');
  await closed;
  const second = await spawn('rt_2');
  expect(isAlive(first.identity)).toBe(false);
  expect(isAlive(second.identity)).toBe(true);
});

test('a connection that is lost while the keeper lives: its children are gone before others are started', async () => {
  const first = await spawn('rt_1');
  const pid = keeperPid();
  const connection = keeperSocket();
  const closed = new Promise((resolve) => connection.once('close', resolve));
  connection.destroy();
  await closed;
  const second = await spawn('rt_2');
  expect(keeperPid()).toBe(pid);
  expect(isAlive(first.identity)).toBe(false);
  expect(isAlive(second.identity)).toBe(true);
});

test('stop while another keeper is being had ends that one', async () => {
  await spawn('rt_1');
  const connection = keeperSocket();
  const closed = new Promise((resolve) => connection.once('close', resolve));
  process.kill(keeperPid(), 'SIGKILL');
  await closed;
  await link.stop();
  expect(isAlive(link.about()!.identity)).toBe(false);
});

/** The one socket to the keeper that this process has. */
function keeperSocket(): Socket {
  const handles: unknown = Reflect.get(process, '_getActiveHandles')?.call(process);
  const sockets = (Array.isArray(handles) ? handles : []).filter((one): one is Socket => {
    const path: unknown = Reflect.get(Object(Reflect.get(one, '_handle')), 'constructor');
    return typeof path === 'function' && path.name === 'Pipe' && Reflect.get(one, 'writable') === true;
  });
  const last = sockets.at(-1);
  if (last === undefined) throw new Error('no connection to the keeper');
  return last;
}
