/**
 * The tables, and the way from an older file to this version. Migrations lose nothing: what an older version has written is there afterwards.
 * Everything here runs inside the transaction in which the journal is opened.
 */
import type { DatabaseSync } from 'node:sqlite';
import { PilotlightError } from '../protocol/index.ts';
import { text } from './rows.ts';

/**
 * `sessions.key` stands for the session in every event: 34 bytes less an event and in its index.
 * Partial indexes carry what retention and recovery ask for, so that neither ever scans.
 */
const FIRST = `
CREATE TABLE generations (generation INTEGER PRIMARY KEY, pid INTEGER NOT NULL, started INTEGER NOT NULL) STRICT;
CREATE TABLE sessions (
  key INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, spec TEXT NOT NULL, state TEXT NOT NULL, last_seq INTEGER NOT NULL,
  closed INTEGER NOT NULL, last_activity_at TEXT NOT NULL, pruned_through INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX sessions_by_closed ON sessions (closed, id);
CREATE INDEX sessions_by_age ON sessions (last_activity_at) WHERE last_seq > pruned_through;
CREATE TABLE events (
  cursor INTEGER PRIMARY KEY, sid INTEGER NOT NULL, seq INTEGER NOT NULL, turn TEXT, time TEXT NOT NULL, type TEXT NOT NULL,
  data TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX events_by_seq ON events (sid, seq);
CREATE TABLE turns (
  id TEXT PRIMARY KEY, session TEXT NOT NULL, seq INTEGER NOT NULL, open INTEGER NOT NULL, ended INTEGER, trimmed INTEGER NOT NULL DEFAULT 0,
  json TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX turns_by_session ON turns (session, seq, id);
CREATE INDEX turns_open ON turns (session) WHERE open = 1;
CREATE INDEX turns_by_end ON turns (ended) WHERE open = 0;
CREATE INDEX turns_untrimmed ON turns (ended) WHERE open = 0 AND trimmed = 0;
CREATE TABLE runtimes (id TEXT PRIMARY KEY, json TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE outbox (
  runtime TEXT NOT NULL, n INTEGER NOT NULL, kind TEXT NOT NULL, ref TEXT NOT NULL, PRIMARY KEY (runtime, n)
) STRICT, WITHOUT ROWID;
CREATE TABLE idempotency (
  scope TEXT NOT NULL, key TEXT NOT NULL, body_hash TEXT NOT NULL, status INTEGER NOT NULL, answer TEXT NOT NULL, keep TEXT NOT NULL,
  created INTEGER NOT NULL, PRIMARY KEY (scope, key)
) STRICT;
CREATE INDEX idempotency_by_age ON idempotency (created);
CREATE TABLE pruned (
  sid INTEGER NOT NULL, from_seq INTEGER NOT NULL, to_seq INTEGER NOT NULL, to_cursor INTEGER NOT NULL, reason TEXT NOT NULL,
  PRIMARY KEY (sid, from_seq)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX pruned_by_end ON pruned (sid, to_seq);
CREATE INDEX pruned_by_cursor ON pruned (to_cursor);
`;

/**
 * The row of a runtime is written with every line of its agent. Without a rowid a kilobyte is all that a page holds of it: the rest went to a page of its own,
 * which each write freed and took again. How many events are gone changes with retention alone; how many there are did with every commit.
 */
const RUNTIMES_IN_ONE_PAGE = `
ALTER TABLE runtimes RENAME TO runtimes_first;
CREATE TABLE runtimes (key INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, json TEXT NOT NULL) STRICT;
INSERT INTO runtimes (id, json) SELECT id, json FROM runtimes_first ORDER BY id;
DROP TABLE runtimes_first;
INSERT INTO meta (key, value)
  SELECT 'gone', max(coalesce((SELECT max(cursor) FROM events), 0), coalesce((SELECT max(to_cursor) FROM pruned), 0)) - value
  FROM meta WHERE key = 'events';
DELETE FROM meta WHERE key = 'events';
`;

/** Step n leads from version n to n + 1. */
const MIGRATIONS: readonly string[] = [FIRST, RUNTIMES_IN_ONE_PAGE];
export const SCHEMA_VERSION = MIGRATIONS.length;

/** Brings the file to this version. Throws `journal_unusable` for a newer one and for a database of somebody else. */
export function migrate(db: DatabaseSync, path: string): void {
  const version = versionOf(db, path);
  if (version > SCHEMA_VERSION)
    throw new PilotlightError(
      'journal_unusable',
      `${path} was written by a newer version of Pilotlight (schema ${String(version)}, this one knows ${String(SCHEMA_VERSION)})`,
      { fix: 'Start the newer version.', detail: { path, schema: version, known: SCHEMA_VERSION } },
    );
  for (const step of MIGRATIONS.slice(version)) db.exec(step);
  if (version < SCHEMA_VERSION) writeMeta(db, { schema: String(SCHEMA_VERSION) });
}

function versionOf(db: DatabaseSync, path: string): number {
  const tables = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all();
  if (tables.length === 0) {
    db.exec('CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID');
    return 0;
  }
  const version = tables.some((row) => row['name'] === 'meta') ? Number(readMeta(db, 'schema')) : Number.NaN;
  if (Number.isInteger(version) && version > 0) return version;
  throw new PilotlightError('journal_unusable', `${path} is a database, but not a journal of Pilotlight`, {
    fix: `Move ${path} away, or give another home.`,
    detail: { path },
  });
}

export function readMeta(db: DatabaseSync, key: string): string | undefined {
  const row = db.prepare('SELECT value FROM meta WHERE key = ?').get(key);
  return row === undefined ? undefined : text(row, 'value');
}

export function writeMeta(db: DatabaseSync, values: Readonly<Record<string, string>>): void {
  const put = db.prepare(
    'INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value',
  );
  for (const [key, value] of Object.entries(values)) put.run(key, value);
}
