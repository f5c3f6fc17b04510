/**
 * What one unit of work wants kept, taken down as it decides: values become text at once, so that nothing that changes later gets in.
 * Writes nothing.
 */
import type { SessionEvent } from '../protocol/index.ts';
import type {
  Draft,
  IdempotencyRecord,
  OutboxRecord,
  RuntimeRecord,
  SessionRecord,
  TurnView,
} from '../session/ports.ts';
import type { Statements } from './statements.ts';

export interface DraftedEvent {
  readonly session: string;
  readonly seq: number;
  readonly turn: string | undefined;
  readonly time: string;
  readonly type: string;
  readonly data: string;
}

export interface DraftedSession {
  readonly id: string;
  readonly spec: string;
  readonly state: string;
  readonly closed: number;
  readonly lastActivityAt: string;
}

export class UnitDraft implements Draft {
  readonly now: number;
  readonly events: DraftedEvent[] = [];
  readonly sessions = new Map<string, DraftedSession>();
  /** All other rows, in the order in which they were asked for. */
  readonly rows: ((statements: Statements) => void)[] = [];
  readonly acts: (() => void)[] = [];
  readonly undo: (() => void)[] = [];
  readonly turns: TurnView[] = [];
  toDisk = false;

  constructor(now: number) {
    this.now = now;
  }

  get empty(): boolean {
    return this.events.length === 0 && this.sessions.size === 0 && this.rows.length === 0;
  }

  event(event: SessionEvent): void {
    const { session, seq, turn, time, type } = event;
    this.events.push({ session, seq, turn, time, type, data: jsonOf(event.data, type) });
  }

  session(record: SessionRecord): void {
    const { id, closed, lastActivityAt } = record;
    this.sessions.set(id, {
      id,
      spec: specText(record.spec),
      state: jsonOf(record.state ?? null, 'state'),
      closed: closed ? 1 : 0,
      lastActivityAt,
    });
  }

  turn(record: TurnView): void {
    const { id, sessionId, seq, state, endedAt } = record;
    const open = state === 'queued' || state === 'running';
    const ended = open ? null : endedAt === undefined ? this.now : Date.parse(endedAt);
    const text = jsonOf(record, 'turn');
    this.turns.push(record);
    this.rows.push(({ putTurn }) => void putTurn.run(id, sessionId, seq, open ? 1 : 0, ended, text));
  }

  runtime(record: RuntimeRecord): void {
    const { id } = record;
    const text = jsonOf(record, 'runtime');
    this.rows.push(({ putRuntime }) => void putRuntime.run(id, text));
  }

  dropRuntime(id: string): void {
    this.rows.push(({ dropRuntime, dropOutbox }) => {
      dropRuntime.run(id);
      dropOutbox.run(id);
    });
  }

  outbox(record: OutboxRecord): void {
    const { runtime, n, kind } = record;
    const ref = jsonOf(record.ref ?? null, 'ref');
    this.rows.push(({ putOutbox }) => void putOutbox.run(runtime, n, kind, ref));
  }

  confirmed(runtime: string, n: number): void {
    this.rows.push(({ confirm }) => void confirm.run(runtime, n));
  }

  idempotency(record: IdempotencyRecord): void {
    const { scope, key, bodyHash, status, keep } = record;
    const { now } = this;
    const answer = jsonOf(record.answer ?? null, 'answer');
    this.rows.push(
      ({ putIdempotency }) => void putIdempotency.run(scope, key, bodyHash, status, answer, keep, now),
    );
  }

  syncToDisk(): void {
    this.toDisk = true;
  }

  afterCommit(act: () => void): void {
    this.acts.push(act);
  }

  onRollback(undo: () => void): void {
    this.undo.push(undo);
  }
}

/** A spec is the same object until somebody changes it: its text is made once. */
const specTexts = new WeakMap<object, string>();

function specText(spec: SessionRecord['spec']): string {
  let text = specTexts.get(spec);
  if (text === undefined) specTexts.set(spec, (text = jsonOf(spec, 'spec')));
  return text;
}

function jsonOf(value: unknown, what: string): string {
  const text: unknown = JSON.stringify(value);
  if (typeof text !== 'string') throw new TypeError(`${what} is not JSON`);
  return text;
}
