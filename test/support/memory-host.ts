/**
 * A host in memory: sessions, turns, one list of events, keys. Enough of the face to test what stands in front of it.
 * A turn runs when the test says so (`finish`, `say`). `followers` counts who follows now.
 */
import type { Answered, Caller, Host } from '../../src/host/index.ts';
import type { Answering, SessionFilter } from '../../src/host/face.ts';
import {
  newId,
  PilotlightError,
  type AgentView,
  type CreateSession,
  type Page,
  type PageOptions,
  type PermissionView,
  type SendTurn,
  type SessionView,
  type StatusView,
  type TurnView,
} from '../../src/protocol/index.ts';
import type { EventPage, Followed, Gap, StoredEvent } from '../../src/session/ports.ts';

interface Accepted {
  readonly bodyHash: string;
  readonly value: unknown;
}

export class MemoryHost implements Host {
  epoch = 'epoch-1';
  followers = 0;
  /** What followers took: events handed over, of all of them. */
  taken = 0;
  /** Commands that had an effect. */
  accepted = 0;
  /** Awaited before a command is accepted. */
  before: () => Promise<void> = () => Promise.resolve();
  readonly #sessions = new Map<string, SessionView>();
  readonly #turns = new Map<string, TurnView>();
  readonly #keys = new Map<string, Accepted>();
  readonly #wakers = new Set<() => void>();
  readonly #removed = new Map<string, number>();
  #events: StoredEvent[] = [];
  #cursor = 0;

  async create(request: CreateSession, caller: Caller): Promise<Answered<SessionView>> {
    if (request.agent === 'nobody') throw new PilotlightError('unknown_agent', 'There is no agent "nobody"');
    if (request.agent === 'broken') throw new Error('a secret of the inside');
    return this.#once(caller, () => {
      const now = new Date().toISOString();
      const view: SessionView = {
        id: newId('ses'),
        agent: request.agent,
        cwd: request.cwd,
        ...(request.name === undefined ? {} : { name: request.name }),
        mode: request.mode ?? 'default',
        state: 'idle',
        runtime: { kind: 'none' },
        lastSeq: 0,
        queuedTurns: 0,
        openPermissions: 0,
        permissionPolicy: [],
        mcpServers: [],
        env: Object.keys(request.env ?? {}),
        createdAt: now,
        lastActivityAt: now,
        metadata: request.metadata ?? {},
      };
      this.#sessions.set(view.id, view);
      this.append(view.id, 'session.created', { session: { id: view.id } });
      return this.get(view.id);
    });
  }

  get(session: string): SessionView {
    const found = this.#sessions.get(session);
    if (found === undefined) throw new PilotlightError('not_found', `There is no session ${session}`);
    return { ...found, lastSeq: this.#of(session).at(-1)?.seq ?? this.#removed.get(session) ?? 0 };
  }

  list(filter: SessionFilter): Page<SessionView> {
    const all = behind([...this.#sessions.keys()], filter.after);
    const wanted = all
      .map((id) => this.get(id))
      .filter((one) => filter.state === undefined || one.state === filter.state);
    return paged(wanted, filter.limit ?? 100);
  }

  update(
    session: string,
    request: { name?: string | undefined },
    caller: Caller,
  ): Promise<Answered<SessionView>> {
    const view = this.get(session);
    return this.#once(caller, () => {
      this.#sessions.set(session, { ...view, ...(request.name === undefined ? {} : { name: request.name }) });
      this.append(session, 'session.updated', { name: request.name });
      return this.get(session);
    });
  }

  close(session: string, caller: Caller): Promise<Answered<SessionView>> {
    const view = this.get(session);
    return this.#once(caller, () => {
      this.#sessions.set(session, { ...view, state: 'closed' });
      this.append(session, 'session.closed', { reason: 'closed by a client' });
      return this.get(session);
    });
  }

  async send(session: string, request: SendTurn, caller: Caller): Promise<Answered<TurnView>> {
    const { state, currentTurn } = this.get(session);
    if (request.whenBusy !== undefined && request.whenBusy !== 'reject')
      throw new PilotlightError('unsupported', 'whenBusy is not supported yet');
    return this.#once(caller, () => {
      if (state === 'closed') throw new PilotlightError('session_closed', `Session ${session} is closed`);
      const busy = this.#sessions.get(session)?.currentTurn ?? currentTurn;
      if (busy !== undefined)
        throw new PilotlightError('turn_in_progress', `Turn ${busy} is running`, { detail: { turn: busy } });
      const id = newId('trn');
      const seq = this.append(session, 'turn.queued', { input: request.input, position: 0 }, id).seq;
      const createdAt = new Date().toISOString();
      const turn: TurnView = {
        id,
        sessionId: session,
        seq,
        state: 'running',
        input: request.input,
        origin: 'user',
        createdAt,
      };
      this.#turns.set(id, turn);
      this.#sessions.set(session, { ...this.get(session), state: 'working', currentTurn: id });
      this.append(session, 'turn.started', { runtime: { kind: 'warm', pid: 1 }, origin: 'user' }, id);
      return turn;
    });
  }

  turns(session: string, filter: PageOptions): Page<TurnView> {
    this.get(session);
    const own = [...this.#turns.values()].filter((turn) => turn.sessionId === session);
    const ids = new Set(
      behind(
        own.map(({ id }) => id),
        filter.after,
      ),
    );
    const all = own.filter(({ id }) => ids.has(id));
    return paged(all, filter.limit ?? 100);
  }

  turn(session: string, turn: string): TurnView {
    const found = this.#turns.get(turn);
    if (found?.sessionId !== session) throw new PilotlightError('not_found', `There is no turn ${turn}`);
    return found;
  }

  async interrupt(session: string, _request: unknown, caller: Caller): Promise<Answered<TurnView>> {
    this.get(session);
    return this.#once(caller, () => {
      const turn = this.#sessions.get(session)?.currentTurn;
      if (turn === undefined) throw new PilotlightError('no_turn', 'No turn is running');
      this.#end(turn, 'interrupted');
      return this.turn(session, turn);
    });
  }

  async takeBack(session: string, turn: string, caller: Caller): Promise<Answered<TurnView>> {
    this.turn(session, turn);
    return this.#once(caller, () => {
      this.#end(turn, 'interrupted');
      return this.turn(session, turn);
    });
  }

  /** Requests that are open, by id; the test puts them here. */
  readonly asks = new Map<string, PermissionView>();

  permissions(session: string): readonly PermissionView[] {
    this.get(session);
    return [...this.asks.values()];
  }

  async answer(
    session: string,
    { request, decision }: Answering,
    caller: Caller,
  ): Promise<Answered<PermissionView>> {
    this.get(session);
    const open = this.asks.get(request);
    return this.#once(caller, () => {
      if (open === undefined) throw new PilotlightError('not_found', `There is no request ${request}`);
      if (open.decision !== undefined)
        throw new PilotlightError('already_resolved', `Request ${request} was answered`, {
          detail: { decision: open.decision, by: open.by },
        });
      const answered: PermissionView = { ...open, decision, by: caller.by };
      this.asks.set(request, answered);
      return answered;
    });
  }

  events(session: string | undefined, after: number, limit: number): EventPage {
    const at = (event: StoredEvent): number => (session === undefined ? event.cursor : event.seq);
    const all = session === undefined ? this.#events : this.#of(session);
    const end = session === undefined ? this.#cursor : this.get(session).lastSeq;
    if (after > end)
      throw new PilotlightError('cursor_ahead', `The journal ends at ${String(end)}`, {
        detail: { lastSeq: end },
      });
    const behind = all.filter((event) => at(event) > after);
    const events = behind.slice(0, limit);
    const last = events.at(-1);
    const gap = this.#gap(session, after);
    return {
      events,
      ...(behind.length > limit && last !== undefined ? { next: at(last) } : {}),
      through: last === undefined ? end : at(last),
      gaps: gap === undefined ? [] : [gap],
    };
  }

  async *follow(
    session: string | undefined,
    after: number,
    signal: AbortSignal,
  ): AsyncIterable<readonly Followed[]> {
    this.followers += 1;
    try {
      const end = session === undefined ? this.#cursor : this.get(session).lastSeq;
      if (after > end) {
        yield [{ kind: 'reset', lastSeq: end }];
        return;
      }
      yield* this.#follow(session, after, signal);
    } finally {
      this.followers -= 1;
      for (const waker of this.#wakers) waker();
    }
  }

  async *#follow(
    session: string | undefined,
    after: number,
    signal: AbortSignal,
  ): AsyncIterable<readonly Followed[]> {
    const at = (event: StoredEvent): number => (session === undefined ? event.cursor : event.seq);
    let position = after;
    let live = false;
    while (!signal.aborted) {
      const gap = this.#gap(session, position);
      if (gap !== undefined) {
        position = gap.to;
        yield [{ kind: 'gap', gap, cursor: gap.to }];
      }
      const all = session === undefined ? this.#events : this.#of(session);
      const batch = all.filter((event) => at(event) > position).slice(0, 256);
      const last = batch.at(-1);
      if (last !== undefined) {
        position = at(last);
        this.taken += batch.length;
        yield batch.map((event) => ({ kind: 'event', event }));
      } else if (!live) {
        live = true;
        yield [{ kind: 'live', through: position }];
      } else await this.#change(signal);
    }
  }

  agents(): Promise<readonly AgentView[]> {
    return Promise.resolve([{ id: 'claude', kind: 'claude', available: true, version: '1' }]);
  }

  status(): Promise<StatusView> {
    return Promise.resolve({
      daemon: {
        pid: 1,
        version: '0',
        startedAt: 'now',
        home: '/',
        generation: 1,
        rssMb: 1,
        state: 'running',
      },
      pool: { maxWarm: 1, leases: [], waiting: 0 },
      sessions: { open: this.#sessions.size, working: 0 },
      journal: { bytes: 0, events: this.#events.length, epoch: this.epoch, full: false },
    });
  }

  /** Something happens in a session. */
  append(session: string, type: string, data: unknown, turn?: string): StoredEvent {
    const seq = (this.#of(session).at(-1)?.seq ?? this.#removed.get(session) ?? 0) + 1;
    this.#cursor += 1;
    const json = JSON.stringify({
      session,
      seq,
      ...(turn === undefined ? {} : { turn }),
      time: '2026-01-01T00:00:00.000Z',
      type,
      data,
    });
    const event = { cursor: this.#cursor, session, seq, type, json };
    this.#events.push(event);
    for (const waker of this.#wakers) waker();
    return event;
  }

  /** The running turn says something. */
  say(turn: string, text: string): StoredEvent {
    return this.append(this.#turns.get(turn)!.sessionId, 'message.delta', { message: 'm', text }, turn);
  }

  finish(turn: string, text = 'done'): void {
    this.#end(turn, 'completed', text);
  }

  /** Retention removes a session's events up to `seq`. */
  remove(session: string, seq: number): void {
    this.#removed.set(session, seq);
    this.#events = this.#events.filter((event) => event.session !== session || event.seq > seq);
  }

  /** The end of the journal is lost (a power cut): the epoch changes. */
  lose(session: string, from: number): void {
    this.#events = this.#events.filter((event) => event.session !== session || event.seq < from);
    this.epoch = 'epoch-2';
  }

  /** Resolves when nobody follows any more. */
  async unfollowed(): Promise<void> {
    while (this.followers > 0) await this.#change(new AbortController().signal);
  }

  /** Resolves when somebody follows. */
  async followed(): Promise<void> {
    while (this.followers === 0) await new Promise((resolve) => setImmediate(resolve));
  }

  #end(id: string, state: 'completed' | 'interrupted', text?: string): void {
    const turn = this.#turns.get(id)!;
    const data =
      state === 'completed'
        ? { stopReason: 'end_turn', text, durationMs: 1 }
        : { by: { kind: 'client' }, durationMs: 1 };
    const { currentTurn: _none, ...session } = this.get(turn.sessionId);
    this.#sessions.set(turn.sessionId, { ...session, state: 'idle' });
    const { seq } = this.append(turn.sessionId, `turn.${state}`, data, id);
    this.#turns.set(id, { ...turn, state, endSeq: seq, ...(text === undefined ? {} : { text }) });
  }

  #of(session: string): StoredEvent[] {
    return this.#events.filter((event) => event.session === session);
  }

  #gap(session: string | undefined, after: number): Gap | undefined {
    if (session === undefined) return undefined;
    const to = this.#removed.get(session) ?? 0;
    return to > after ? { session, from: after + 1, to, reason: 'retention' } : undefined;
  }

  async #change(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wakers.add(resolve);
    signal.addEventListener('abort', () => {
      resolve();
    });
    await promise;
    this.#wakers.delete(resolve);
  }

  async #once<T>(caller: Caller, act: () => T): Promise<Answered<T>> {
    const { idempotency } = caller;
    const name = `${idempotency?.scope ?? ''}\n${idempotency?.key ?? ''}`;
    const known = idempotency === undefined ? undefined : this.#keys.get(name);
    if (known !== undefined) {
      if (known.bodyHash !== idempotency?.bodyHash)
        throw new PilotlightError(
          'idempotency_mismatch',
          'This Idempotency-Key was used with another request',
        );
      return { value: known.value as T, replayed: true };
    }
    await this.before();
    const value = act();
    this.accepted += 1;
    if (idempotency !== undefined) this.#keys.set(name, { bodyHash: idempotency.bodyHash, value });
    return { value, replayed: false };
  }
}

function paged<T extends { id: string }>(all: readonly T[], limit: number): Page<T> {
  const items = all.slice(0, limit);
  const last = items.at(-1);
  return { items, ...(all.length > limit && last !== undefined ? { next: last.id } : {}) };
}

/** By place and not by id: ids of one millisecond are in no order. */
function behind(ids: readonly string[], after: string | undefined): readonly string[] {
  return after === undefined ? ids : ids.slice(ids.indexOf(after) + 1);
}
