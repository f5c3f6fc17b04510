import { mkdtempSync, readFileSync, rmSync, symlinkSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openLog, openTrace } from './log.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pl-log-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

/** `/dev/full` takes no byte: ENOSPC, as a full disk. An error that nobody heard would end this process, as it ended the daemon. */
test.runIf(process.platform === 'linux')('a full disk under the log ends no daemon', async () => {
  symlinkSync('/dev/full', join(folder, 'daemon.log'));
  const log = openLog(folder);
  for (let times = 0; times < 100; times += 1) log.error('nobody can write this');
  await new Promise((resolve) => setImmediate(resolve));
  unlinkSync(join(folder, 'daemon.log'));
  openLog(folder).error('there is room');
  expect(readFileSync(join(folder, 'daemon.log'), 'utf8')).toContain('there is room');
});

test.runIf(process.platform === 'linux')('a full disk under a trace ends no daemon', async () => {
  symlinkSync('/dev/full', join(folder, 'rt_1.log'));
  const trace = openTrace(folder);
  for (let times = 0; times < 100; times += 1) {
    expect(() => {
      trace('rt_1', 'out', 'nobody can write this');
    }).not.toThrow();
    await new Promise((resolve) => setImmediate(resolve));
  }
});
