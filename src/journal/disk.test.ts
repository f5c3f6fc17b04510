import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Disk } from './disk.ts';

class Log implements Disposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'pl-disk-'));
  readonly path = join(this.#folder, 'journal.db');

  constructor() {
    writeFileSync(`${this.path}-wal`, 'log');
  }

  remove(): void {
    rmSync(`${this.path}-wal`);
  }

  put(): void {
    writeFileSync(`${this.path}-wal`, 'log');
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

test('who asks for the same commits waits for one sync; later commits wait for another', async () => {
  using log = new Log();
  const disk = new Disk(log.path);
  disk.committed();
  const first = disk.reached();
  expect(disk.reached()).toBe(first);
  disk.committed();
  const second = disk.reached();
  expect(second).not.toBe(first);
  disk.committed();
  expect(disk.reached()).toBe(second);
  const order: string[] = [];
  await Promise.all([first.then(() => order.push('first')), second.then(() => order.push('second'))]);
  expect(order).toEqual(['first', 'second']);
  await disk.close();
});

test('what is on the disk is not synced again', async () => {
  using log = new Log();
  const disk = new Disk(log.path);
  disk.committed();
  await disk.reached();
  log.remove();
  await expect(disk.reached()).resolves.toBeUndefined();
  await disk.close();
});

test('a disk that fails is said to whoever waits, and is tried again for the next', async () => {
  using log = new Log();
  log.remove();
  const disk = new Disk(log.path);
  disk.committed();
  const first = disk.reached();
  disk.committed();
  const second = disk.reached();
  await expect(first).rejects.toMatchObject({ code: 'journal_unusable' });
  await expect(second).rejects.toMatchObject({ code: 'journal_unusable' });
  log.put();
  await expect(disk.reached()).resolves.toBeUndefined();
  await disk.close();
});

test('closing waits for the sync under way', async () => {
  using log = new Log();
  const disk = new Disk(log.path);
  disk.committed();
  let done = false;
  const synced = disk.reached().then(() => {
    done = true;
  });
  await disk.close();
  expect(done).toBe(true);
  await synced;
});

test('a journal in memory has no disk to wait for', async () => {
  const disk = new Disk(undefined);
  disk.committed();
  await expect(disk.reached()).resolves.toBeUndefined();
});
