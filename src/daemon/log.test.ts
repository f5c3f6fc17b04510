import { mkdtempSync, readFileSync, rmSync, symlinkSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { KnownSecrets } from '../redact/index.ts';
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

/** What a trace says of these chunks of one stream. */
async function traced(chunks: readonly string[]): Promise<string> {
  const known = new KnownSecrets();
  known.know('ses_1', ['made-up-secret']);
  const trace = openTrace(folder, known);
  for (const chunk of chunks) trace('rt_1', 'out', chunk);
  const file = join(folder, 'rt_1.log');
  return expect
    .poll(() => readFileSync(file, 'utf8'))
    .toMatch(/last/)
    .then(() => readFileSync(file, 'utf8'));
}

test('a trace has no secret, however its chunks and lines are cut', async () => {
  const text = await traced([
    'one made-up-se',
    'cret and\ntwo made-',
    'up-',
    'secret\n{"delta":"made-',
    'up"}\n{"delta":{"type":"text_delta","text":"-secret"}}\n',
    `${'x'.repeat(70_000)}made-up-secret\nlast\n`,
  ]);
  expect(text).toContain('one [masked] and');
  expect(text).toContain('two [masked]');
  expect(text).not.toMatch(/made-up|-secret/);
});

test('the log has no secret that is known', () => {
  const known = new KnownSecrets();
  const log = openLog(folder, known);
  known.know('ses_1', ['made-up "secret"']);
  log.error({ err: new Error('no made-up "secret" here') }, 'unexpected');
  known.forget('ses_1');
  log.info('after');
  const text = readFileSync(join(folder, 'daemon.log'), 'utf8');
  expect(text).toContain('no [masked] here');
  expect(text).not.toContain('made-up');
  expect(text).toContain('after');
});
