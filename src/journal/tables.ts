/** The rows that stand beside the log, as records: sessions, turns, runtimes, outbox, idempotency. Never folds the log. */
import { TurnView } from '../protocol/index.ts';
import type {
  IdempotencyRecord,
  OutboxRecord,
  RuntimeRecord,
  SessionRecord,
  SessionSpec,
} from '../session/ports.ts';
import { integer, json, object, text, unreadable, type Row } from './rows.ts';
import type { Statements } from './statements.ts';

/** Rows of one answer when the caller names no limit, and the most of any. */
const MOST_ROWS = 10_000;
const MOST_OPEN = 256;

export class Tables {
  readonly #statements: Statements;
  /** Of those that have no ending, the newest: what is sent to an agent is one of them, however long, and is not parsed again. */
  readonly #open = new Map<string, TurnView>();

  constructor(statements: Statements) {
    this.#statements = statements;
  }

  /** In order of id, which is order of birth. */
  sessions(filter: {
    readonly closed?: boolean;
    readonly after?: string;
    readonly limit?: number;
  }): readonly SessionRecord[] {
    const { closed, after = '' } = filter;
    const limit = rowsOf(filter.limit);
    const rows =
      closed === undefined
        ? this.#statements.sessions.all(after, limit)
        : this.#statements.sessionsByClosed.all(closed ? 1 : 0, after, limit);
    return rows.map(sessionOf);
  }

  session(id: string): SessionRecord | undefined {
    const row = this.#statements.session.get(id);
    return row === undefined ? undefined : sessionOf(row);
  }

  sessionsWithOpenTurns(): readonly string[] {
    return this.#statements.openTurns.all().map((row) => text(row, 'session'));
  }

  openSessions(): number {
    const row = this.#statements.openSessions.get();
    return row === undefined ? 0 : integer(row, 'count');
  }

  /** In order of seq. */
  turns(
    session: string,
    options: { readonly after?: string; readonly limit?: number } = {},
  ): readonly TurnView[] {
    const limit = rowsOf(options.limit);
    const rows =
      options.after === undefined
        ? this.#statements.turns.all(session, limit)
        : this.#statements.turnsAfter.all(session, options.after, limit);
    return rows.map(turnOf);
  }

  /** These are written and through. */
  wrote(turns: readonly TurnView[]): void {
    for (const turn of turns)
      if (turn.endedAt !== undefined) this.#open.delete(turn.id);
      else {
        if (this.#open.size >= MOST_OPEN) this.#open.clear();
        this.#open.set(turn.id, turn);
      }
  }

  turn(id: string): TurnView | undefined {
    const open = this.#open.get(id);
    if (open !== undefined) return open;
    const row = this.#statements.turn.get(id);
    return row === undefined ? undefined : turnOf(row);
  }

  runtimes(): readonly RuntimeRecord[] {
    return this.#statements.runtimes.all().map((row) => {
      const value = object(row, 'json');
      if (!isRuntime(value)) throw unreadable('runtime');
      return value;
    });
  }

  /** In order of n. */
  outboxOf(runtime: string): readonly OutboxRecord[] {
    return this.#statements.outboxOf.all(runtime).map((row) => ({
      runtime: text(row, 'runtime'),
      n: integer(row, 'n'),
      kind: text(row, 'kind'),
      ref: json(row, 'ref'),
    }));
  }

  idempotency(scope: string, key: string): IdempotencyRecord | undefined {
    const row = this.#statements.idempotency.get(scope, key);
    if (row === undefined) return undefined;
    return {
      scope,
      key,
      bodyHash: text(row, 'body_hash'),
      status: integer(row, 'status'),
      answer: json(row, 'answer'),
      keep: text(row, 'keep'),
    };
  }
}

function rowsOf(limit: number | undefined): number {
  return Math.max(0, Math.min(limit ?? MOST_ROWS, MOST_ROWS));
}

function sessionOf(row: Row): SessionRecord {
  const spec = object(row, 'spec');
  if (!isSpec(spec)) throw unreadable('spec');
  return {
    id: text(row, 'id'),
    spec,
    state: json(row, 'state'),
    lastSeq: integer(row, 'last_seq'),
    closed: integer(row, 'closed') === 1,
    lastActivityAt: text(row, 'last_activity_at'),
  };
}

function turnOf(row: Row): TurnView {
  const parsed = TurnView.safeParse(json(row, 'json'));
  if (!parsed.success) throw unreadable('turn');
  return parsed.data;
}

type Fields = Readonly<Record<string, unknown>>;

/** What every reader of a spec leans on; what is optional is for the heart to check. */
function isSpec(value: unknown): value is SessionSpec {
  const spec = value as Fields;
  return (
    ['id', 'agent', 'cwd', 'mode', 'createdAt'].every((name) => typeof spec[name] === 'string') &&
    ['agentOptions', 'metadata'].every((name) => typeof spec[name] === 'object' && spec[name] !== null) &&
    ['env', 'credentials'].every((name) => Array.isArray(spec[name]))
  );
}

function isRuntime(value: unknown): value is RuntimeRecord {
  const record = value as Fields;
  return (
    ['id', 'agent', 'phase', 'startedAt', 'kind'].every((name) => typeof record[name] === 'string') &&
    ['offset', 'lastWrite', 'lines', 'chunks'].every((name) => typeof record[name] === 'number') &&
    Array.isArray(record['sessions'])
  );
}
