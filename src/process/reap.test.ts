import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { isAlive, processIdentity } from './identity.ts';
import type { ProcessIdentity } from './ports.ts';
import { reapDead } from './reap.ts';
import { readRecords, writeRecord } from './records.ts';

const HOME_ID = 'home_reap_test';
let home: string;
let started: ProcessIdentity[];

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'pilotlight-reap-'));
  mkdirSync(join(home, 'processes'));
  started = [];
});

afterEach(() => {
  for (const one of started) if (isAlive(one)) process.kill(one.pid, 'SIGKILL');
  rmSync(home, { recursive: true, force: true });
});

function identified(pid: number | undefined): ProcessIdentity {
  const identity = pid === undefined ? undefined : processIdentity(pid);
  if (identity === undefined) throw new Error(`no process ${String(pid)}`);
  started.push(identity);
  return identity;
}

/** A process and its helper: in its session, in a group of its own, without our mark; `word` is in its command line. */
async function helped(
  word: string,
): Promise<{ root: ChildProcess; identity: ProcessIdentity; left: ProcessIdentity }> {
  const script = 'set -m; env -i tail -f /dev/null "$0" </dev/null >/dev/null 2>&1 & echo $!; read';
  const root = spawn('/bin/bash', ['-c', script, word], {
    detached: true,
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const [line] = await once(createInterface({ input: root.stdout }), 'line');
  return { root, left: identified(Number(line)), identity: identified(root.pid) };
}

function record(identity: ProcessIdentity): void {
  writeRecord(join(home, 'processes'), { id: 'rt_1', mark: `${HOME_ID}/rt_1`, identity, command: 'bash' });
}

/** A recorded process, killed, and the helper that it left. */
async function leaving(word: string): Promise<ProcessIdentity> {
  const { root, identity, left } = await helped(word);
  record(identity);
  root.kill('SIGKILL');
  await once(root, 'exit');
  expect(isAlive(left)).toBe(true);
  return left;
}

const reap = (): ReturnType<typeof reapDead> =>
  reapDead({ recordDir: join(home, 'processes'), homeId: HOME_ID, keepIds: [], home });

test('what a process left that ended while nobody held it goes by its session and by our home in its command line', async () => {
  const left = await leaving(home);
  expect(await reap()).toEqual({ ended: [left], stuck: [] });
  expect(isAlive(left)).toBe(false);
  expect(readRecords(join(home, 'processes'))).toEqual([]);
});

test.each([
  ['another home', () => `${home}-other`],
  ['what is in it', () => join(home, 'token')],
  ['nothing of ours', () => 'word'],
])(
  'one whose command line names %s is left alone: the number may have been given away since',
  async (_what, word) => {
    const left = await leaving(word());
    expect(await reap()).toEqual({ ended: [], stuck: [] });
    expect(isAlive(left)).toBe(true);
  },
);

test('one of a session whose first process lives as another than was recorded is left alone', async () => {
  const { identity, left } = await helped(home);
  record({ ...identity, startTime: '1' });
  expect(await reap()).toEqual({ ended: [], stuck: [] });
  expect(isAlive(left)).toBe(true);
});
