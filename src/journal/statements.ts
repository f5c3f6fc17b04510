/** Every statement of the running journal, prepared once. Owns the SQL; knows nothing of when it runs. */
import type { DatabaseSync, StatementSync } from 'node:sqlite';

const SQL = {
  begin: 'BEGIN IMMEDIATE',
  commit: 'COMMIT',

  putMeta:
    'INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value',
  putSession: `INSERT INTO sessions (id, spec, state, last_seq, closed, last_activity_at) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET spec = excluded.spec, state = excluded.state, last_seq = excluded.last_seq,
      closed = excluded.closed, last_activity_at = excluded.last_activity_at
    RETURNING key`,
  advanceSession: 'UPDATE sessions SET last_seq = ? WHERE key = ?',
  putEvent: 'INSERT INTO events (cursor, sid, seq, turn, time, type, data) VALUES (?, ?, ?, ?, ?, ?, ?)',
  putTurn: `INSERT INTO turns (id, session, seq, open, ended, json) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET seq = excluded.seq, open = excluded.open, ended = excluded.ended, json = excluded.json`,
  putRuntime:
    'INSERT INTO runtimes (id, json) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET json = excluded.json',
  dropRuntime: 'DELETE FROM runtimes WHERE id = ?',
  dropOutbox: 'DELETE FROM outbox WHERE runtime = ?',
  putOutbox: `INSERT INTO outbox (runtime, n, kind, ref) VALUES (?, ?, ?, ?)
    ON CONFLICT (runtime, n) DO UPDATE SET kind = excluded.kind, ref = excluded.ref`,
  confirm: 'DELETE FROM outbox WHERE runtime = ? AND n <= ?',
  putIdempotency: `INSERT INTO idempotency (scope, key, body_hash, status, answer, keep, created) VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (scope, key) DO UPDATE SET body_hash = excluded.body_hash, status = excluded.status,
      answer = excluded.answer, keep = excluded.keep, created = excluded.created`,

  sessionEnd: 'SELECT key, last_seq FROM sessions WHERE id = ?',
  lastCursor: `SELECT max(coalesce((SELECT max(cursor) FROM events), 0), coalesce((SELECT max(to_cursor) FROM pruned), 0)) AS cursor`,
  goneEvents: "SELECT value FROM meta WHERE key = 'gone'",
  events:
    'SELECT cursor, seq, turn, time, type, data FROM events WHERE sid = ? AND seq > ? ORDER BY seq LIMIT ?',
  // CROSS JOIN keeps the events in the outer loop: in order of cursor, without a sort.
  allEvents: `SELECT e.cursor, s.id AS session, e.seq, e.turn, e.time, e.type, e.data
    FROM events e CROSS JOIN sessions s ON s.key = e.sid WHERE e.cursor > ? ORDER BY e.cursor LIMIT ?`,
  gaps: 'SELECT from_seq, to_seq, to_cursor, reason FROM pruned WHERE sid = ? AND to_seq > ? AND to_seq <= ? ORDER BY to_seq LIMIT ?',
  allGaps: `SELECT s.id AS session, p.from_seq, p.to_seq, p.to_cursor, p.reason
    FROM pruned p CROSS JOIN sessions s ON s.key = p.sid WHERE p.to_cursor > ? AND p.to_cursor <= ? ORDER BY p.to_cursor LIMIT ?`,
  sessions:
    'SELECT id, spec, state, last_seq, closed, last_activity_at FROM sessions WHERE id > ? ORDER BY id LIMIT ?',
  sessionsByClosed:
    'SELECT id, spec, state, last_seq, closed, last_activity_at FROM sessions WHERE closed = ? AND id > ? ORDER BY id LIMIT ?',
  session: 'SELECT id, spec, state, last_seq, closed, last_activity_at FROM sessions WHERE id = ?',
  openSessions: 'SELECT count(*) AS count FROM sessions WHERE closed = 0',
  turns: 'SELECT json FROM turns WHERE session = ? ORDER BY seq, id LIMIT ?',
  turnsAfter:
    'SELECT json FROM turns WHERE session = ? AND (seq, id) > (SELECT seq, id FROM turns WHERE id = ?) ORDER BY seq, id LIMIT ?',
  turn: 'SELECT json FROM turns WHERE id = ?',
  openTurns: 'SELECT DISTINCT session FROM turns WHERE open = 1',
  runtimes: 'SELECT json FROM runtimes ORDER BY id',
  outboxOf: 'SELECT runtime, n, kind, ref FROM outbox WHERE runtime = ? ORDER BY n',
  idempotency:
    'SELECT scope, key, body_hash, status, answer, keep FROM idempotency WHERE scope = ? AND key = ?',

  oldTurns:
    'SELECT id, session, seq, ended, json FROM turns WHERE open = 0 AND trimmed = 0 AND ended < ? ORDER BY ended LIMIT 1',
  trimmed: 'UPDATE turns SET trimmed = 1 WHERE id = ?',
  window:
    'SELECT cursor, seq, turn, type FROM events WHERE sid = ? AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?',
  dropEvent: 'DELETE FROM events WHERE cursor = ?',
  gapFromBefore:
    'SELECT from_seq, to_seq, to_cursor FROM pruned WHERE sid = ? AND from_seq <= ? ORDER BY from_seq DESC LIMIT 1',
  dropGaps: 'DELETE FROM pruned WHERE sid = ? AND from_seq BETWEEN ? AND ?',
  putGap: 'INSERT INTO pruned (sid, from_seq, to_seq, to_cursor, reason) VALUES (?, ?, ?, ?, ?)',
  oldSessions: `SELECT key, id, last_seq, pruned_through FROM sessions WHERE last_seq > pruned_through AND last_activity_at < ?
    AND NOT EXISTS (SELECT 1 FROM turns WHERE turns.session = sessions.id AND turns.open = 1) ORDER BY last_activity_at LIMIT 1`,
  prunedThrough: 'UPDATE sessions SET pruned_through = ? WHERE key = ?',
  dropOldTurns: `DELETE FROM turns WHERE id IN (SELECT t.id FROM turns t CROSS JOIN sessions s ON s.id = t.session
    WHERE t.open = 0 AND t.ended < ? AND s.last_seq = s.pruned_through LIMIT ?)`,
  oldIdempotency:
    'SELECT rowid AS place, created, keep FROM idempotency WHERE (created, rowid) > (?, ?) AND created < ? ORDER BY created, rowid LIMIT ?',
  dropIdempotency: `DELETE FROM idempotency WHERE rowid = ? AND NOT EXISTS (SELECT 1 FROM turns WHERE id = keep)
    AND NOT EXISTS (SELECT 1 FROM sessions WHERE id = keep)`,
  vacuum: 'PRAGMA incremental_vacuum(256)',

  pageCount: 'PRAGMA page_count',
  freePages: 'PRAGMA freelist_count',
  pageSize: 'PRAGMA page_size',
  walState: 'PRAGMA wal_checkpoint(NOOP)',
  checkpoint: 'PRAGMA wal_checkpoint(PASSIVE)',
  truncate: 'PRAGMA wal_checkpoint(TRUNCATE)',
} as const;

export type Statements = Readonly<Record<keyof typeof SQL, StatementSync>>;

export function prepareAll(db: DatabaseSync): Statements {
  const entries = Object.entries(SQL).map(([name, sql]) => [name, db.prepare(sql)]);
  return Object.fromEntries(entries) as Statements;
}
