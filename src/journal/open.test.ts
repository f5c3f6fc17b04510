import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { createInterface } from 'node:readline';
import { describe, expect, test } from 'vitest';
import { delta, JournalHome, NOW, record, write } from '../../test/support/journal-home.ts';
import { openJournal } from './index.ts';

const CHILD = new URL('../../test/support/journal-child.ts', import.meta.url).pathname;

function startChild(path: string, mode: 'hold' | 'loop') {
  const child = spawn(process.execPath, [CHILD, path, mode], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ended = once(child, 'close');
  return {
    next: async (): Promise<string | undefined> => (await lines.next()).value,
    kill: async (): Promise<void> => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

describe('the lock', () => {
  test('is held between processes and freed by the death of the holder', async () => {
    using home = new JournalHome();
    const child = startChild(home.path, 'hold');
    try {
      expect(await child.next()).toBe('open');
      const began = performance.now();
      await expect(openJournal(home.options)).rejects.toMatchObject({
        code: 'journal_locked',
        detail: { path: home.path },
      });
      expect(performance.now() - began).toBeGreaterThanOrEqual(200);
      // One that waits long enough gets it when the holder dies.
      const waiting = openJournal({ ...home.options, lockTimeoutMs: 10_000 });
      await child.kill();
      await using journal = await waiting;
      expect(journal.generation).toBe(2);
    } finally {
      await child.kill();
    }
  });

  test('is held within a process too, and the waiting does not block the loop', async () => {
    using home = new JournalHome();
    await using journal = await openJournal(home.options);
    let turns = 0;
    const count = setInterval(() => (turns += 1), 5);
    await expect(openJournal(home.options)).rejects.toMatchObject({ code: 'journal_locked' });
    clearInterval(count);
    expect(turns).toBeGreaterThan(5);
    await journal.commit((draft) => {
      write(draft, 'ses_a', [1, 1]);
    });
    expect(journal.status().events).toBe(1);
  });
});

test('everything acknowledged is there after kill -9, and what follows goes on behind it', async () => {
  using home = new JournalHome();
  for (let round = 0; round < 2; round += 1) {
    const path = `${home.path}.${String(round)}`;
    const child = startChild(path, 'loop');
    let acknowledged = 0;
    await child.next();
    while (acknowledged < 200 + 150 * round) acknowledged = Number(await child.next());
    await child.kill();
    // What it said between the last look and its death.
    for (let line = await child.next(); line !== undefined; line = await child.next())
      acknowledged = Number(line);
    await using journal = await openJournal({ ...home.options, path });
    const last = journal.session('ses_loop')!.lastSeq;
    expect(last).toBeGreaterThanOrEqual(acknowledged);
    expect(journal.status().events).toBe(last);
    const page = journal.events('ses_loop', last - 100, 1000);
    expect(page.events.map(({ seq }) => seq)).toEqual(Array.from({ length: 100 }, (_, at) => last - 99 + at));
    await journal.commit((draft) => {
      write(draft, 'ses_loop', [last + 1, last + 1]);
    });
    expect(journal.allEvents(last, 10).events.map(({ cursor }) => cursor)).toEqual([last + 1]);
  }
});

describe('what cannot be used is left as it is', () => {
  const refused = async (path: string): Promise<unknown> => {
    const error: unknown = await openJournal({ path, keepDays: 1, maxMb: 1, lockTimeoutMs: 100 }).catch(
      (thrown: unknown) => thrown,
    );
    expect(error).toMatchObject({
      code: 'journal_unusable',
      fix: expect.stringMatching(/./),
      detail: { path },
    });
    return error;
  };

  test('a file of another kind', async () => {
    using home = new JournalHome();
    const text = 'these are notes, not a database\n'.repeat(200);
    writeFileSync(home.path, text);
    await refused(home.path);
    expect(readFileSync(home.path, 'utf8')).toBe(text);
  });

  test('a database of somebody else', async () => {
    using home = new JournalHome();
    const db = new DatabaseSync(home.path);
    db.exec('CREATE TABLE recipes (name TEXT); INSERT INTO recipes VALUES (1)');
    db.close();
    expect(String(await refused(home.path))).toContain('not a journal');
    const again = new DatabaseSync(home.path);
    expect(again.prepare('SELECT name FROM recipes').all()).toHaveLength(1);
    again.close();
  });

  test('a journal of the first schema is taken over whole', async () => {
    using home = new JournalHome();
    const before = await openJournal(home.options);
    const kept = { agent: 'toy', sessions: ['s'], startedAt: NOW, kind: 'warm', phase: 'ready' } as const;
    const runtime = { ...kept, offset: 0, lastWrite: 0, state: null, lines: 0, chunks: 0 };
    await before.commit((draft) => {
      draft.session(record('s'));
      for (const id of ['rt_2', 'rt_1']) draft.runtime({ ...runtime, id });
      for (const seq of [1, 2, 3]) delta(draft, { session: 's', seq, turn: 't' });
    });
    await before.close();
    const db = new DatabaseSync(home.path);
    // As the first version had it, one of whose three events retention has removed.
    db.exec(`ALTER TABLE runtimes RENAME TO later;
      CREATE TABLE runtimes (id TEXT PRIMARY KEY, json TEXT NOT NULL) STRICT, WITHOUT ROWID;
      INSERT INTO runtimes SELECT id, json FROM later; DROP TABLE later; DELETE FROM events WHERE seq = 1;
      INSERT INTO meta VALUES ('events', '2'); UPDATE meta SET value = '1' WHERE key = 'schema'`);
    db.close();
    await using after = await openJournal(home.options);
    expect(after.runtimes().map(({ id }) => id)).toEqual(['rt_1', 'rt_2']);
    expect(after.status().events).toBe(2);
    await after.commit((draft) => {
      delta(draft, { session: 's', seq: 4, turn: 't' });
    });
    expect(after.status().events).toBe(3);
  });

  test('a newer schema', async () => {
    using home = new JournalHome();
    await (await openJournal(home.options)).close();
    const db = new DatabaseSync(home.path);
    db.exec("UPDATE meta SET value = '99' WHERE key = 'schema'");
    db.close();
    expect(String(await refused(home.path))).toContain('newer version');
  });

  test('a damaged file', async () => {
    using home = new JournalHome();
    await (await openJournal(home.options)).close();
    truncateSync(home.path, 8192);
    await refused(home.path);
    expect(readFileSync(home.path)).toHaveLength(8192);
  });

  test('a folder that is missing, and a folder in its place', async () => {
    using home = new JournalHome();
    expect(String(await refused(`${home.folder}/none/journal.db`))).toContain('cannot be made');
    mkdirSync(home.path);
    expect(String(await refused(home.path))).toContain(home.path);
  });

  test('a file that may only be read', async () => {
    using home = new JournalHome();
    await (await openJournal(home.options)).close();
    const root = process.geteuid?.() === 0;
    const path = `${home.folder}/copy.db`;
    copyFileSync(home.path, path);
    chmodSync(path, 0o444);
    chmodSync(home.folder, 0o555);
    // Root may write anywhere: be somebody else meanwhile.
    if (root) process.seteuid?.(65_534);
    try {
      expect(String(await refused(path))).toContain('readonly');
    } finally {
      if (root) process.seteuid?.(0);
      chmodSync(home.folder, 0o700);
    }
  });
});

describe('the epoch', () => {
  const edit = (path: string, sql: string): void => {
    const db = new DatabaseSync(path);
    db.exec(sql);
    db.close();
  };

  test.each([
    [
      'stays after another boot when it was closed cleanly',
      "UPDATE meta SET value = 'other' WHERE key = 'boot'",
      true,
    ],
    ['stays after a crash in the same boot', "UPDATE meta SET value = '0' WHERE key = 'clean'", true],
    [
      'changes after a crash of the machine',
      "UPDATE meta SET value = '0' WHERE key = 'clean'; UPDATE meta SET value = 'other' WHERE key = 'boot'",
      false,
    ],
  ])('%s', async (_, sql, same) => {
    using home = new JournalHome();
    const first = await openJournal(home.options);
    await first.close();
    edit(home.path, sql);
    await using second = await openJournal(home.options);
    expect(second.epoch === first.epoch).toBe(same);
    expect(second.homeId).toBe(first.homeId);
  });
});
