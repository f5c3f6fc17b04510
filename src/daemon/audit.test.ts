import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { AuditEntry } from '../api/index.ts';
import { openAudit } from './audit.ts';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'pl-audit-'));
});

afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

const unexpected = (error: unknown): never => {
  throw error;
};

const entry = (by: string, more: Partial<AuditEntry> = {}): AuditEntry => ({
  request: 'req_1',
  by: { id: by, name: by },
  door: 'tcp',
  method: 'POST',
  outcome: 'done',
  status: 200,
  ...more,
});

const lines = (): Record<string, unknown>[] =>
  readFileSync(join(directory, 'audit.jsonl'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

test('a line each, for the owner only', () => {
  using audit = openAudit({ directory, maxMb: 1, report: unexpected, now: () => 0 });
  audit.write(entry('home', { route: '/v1/sessions' }));
  expect(lines()).toEqual([
    { time: '1970-01-01T00:00:00.000Z', ...entry('home', { route: '/v1/sessions' }) },
  ]);
  expect((statSync(join(directory, 'audit.jsonl')).mode & 0o777).toString(8)).toBe('600');
});

test('its files together are bounded, and the last lines are there', () => {
  using audit = openAudit({ directory, maxMb: 0.02, report: unexpected });
  for (let n = 0; n < 1000; n += 1) audit.write(entry('home', { status: n }));
  const files = readdirSync(directory);
  const size = files.reduce((sum, file) => sum + statSync(join(directory, file)).size, 0);
  expect(files.toSorted()).toEqual(['audit.jsonl', 'audit.jsonl.1', 'audit.jsonl.2', 'audit.jsonl.3']);
  expect(size).toBeLessThanOrEqual(0.02 * 1024 * 1024);
  expect(lines().at(-1)).toMatchObject({ status: 999 });
});

test('goes on where the daemon before ended', () => {
  for (const name of ['one', 'two']) {
    using audit = openAudit({ directory, maxMb: 1, report: unexpected });
    audit.write(entry(name));
  }
  expect(lines().map(({ by }) => by)).toMatchObject([{ id: 'one' }, { id: 'two' }]);
});

test('nobody pushes the rest out: what is beyond 60 a minute is counted', () => {
  let now = 1_000_000;
  using audit = openAudit({ directory, maxMb: 1, report: unexpected, now: () => now });
  for (let n = 0; n < 100; n += 1) audit.write(entry('nobody', { status: 401 }));
  audit.write(entry('home'));
  expect(lines()).toHaveLength(61);
  now += 60_000;
  audit.write(entry('home'));
  expect(lines().at(-2)).toMatchObject({ by: { id: 'nobody' }, leftOut: 40 });
});

test('what cannot be written is said once and stops nothing', () => {
  const reported: unknown[] = [];
  const gone = join(directory, 'gone');
  using audit = openAudit({ directory: gone, maxMb: 1, report: (error) => reported.push(error) });
  audit.write(entry('home'));
  audit.write(entry('home'));
  expect([existsSync(gone), reported.length]).toEqual([false, 1]);
});
