/**
 * All sessions of one home: create, find, command, recover, drain.
 * Owns which sessions live in memory and which runtimes serve them. Knows no HTTP, no SQL, no agent's protocol.
 */
import {
  newId,
  PilotlightError,
  SessionView,
  TurnView,
  type AgentView,
  type CreateSession,
  type InterruptTurn,
  type SendTurn,
  type StatusView,
  type UpdateSession,
} from '../protocol/index.ts';
import type { Draft, EventPage, Followed, SessionRecord, SessionSpec } from '../session/ports.ts';
import { Session } from '../session/session.ts';
import { newSessionState } from '../session/state.ts';
import { sessionView } from '../session/views.ts';
import { Admission } from './admission.ts';
import type { Answered, Caller, Host, Page } from './face.ts';
import { Acceptance } from './idempotent.ts';
import { leasesOf, listSessions } from './list.ts';
import type { HostedRuntime, HostPorts } from './ports.ts';
import { noSession } from './missing.ts';
import { Quiet } from './quiet.ts';
import { recover } from './recover.ts';
import { reviveSession } from './revive.ts';
import { refuseUnsupportedTurn, refuseUnsupportedUpdate, startWishOf, wishOf } from './wish.ts';

const MAX_PAGE = 1000;

export class SessionHost implements Host {
  readonly #ports: HostPorts;
  readonly #acceptance: Acceptance;
  readonly #admission: Admission;
  readonly #sessions = new Map<string, Session>();
  readonly #runtimes = new Map<string, HostedRuntime>();
  readonly #quiet = new Quiet();
  #draining = false;

  constructor(ports: HostPorts) {
    this.#ports = ports;
    this.#acceptance = new Acceptance(ports.journal);
    this.#admission = new Admission(ports.journal, ports.mostSessions);
  }

  /** Takes up what the journal says was there. Resolves when every session can be commanded. */
  async recover(): Promise<void> {
    await recover({
      journal: this.#ports.journal,
      session: (record) => this.#revive(record),
      runtime: (session, id) => this.#runtime(session, id),
      report: this.#ports.report,
    });
    this.#ports.endUnclaimed();
  }

  get epoch(): string {
    return this.#ports.journal.epoch;
  }

  async create(request: CreateSession, caller: Caller): Promise<Answered<SessionView>> {
    this.#refuseWhenDraining();
    const { spec, secrets } = await wishOf(request, this.#ports.agents);
    const session = new Session(newSessionState(spec), this.#sessionPorts());
    this.#ports.secrets.put(spec.id, secrets);
    let kept = false;
    try {
      const answered = await this.#acceptance.run(caller, {
        status: 201,
        parse: (stored) => SessionView.parse(stored),
        decide: (draft) => {
          this.#admission.enter(draft);
          session.apply(draft, [{ kind: 'create', warm: this.#ports.pool.warmOnCreate }]);
          draft.afterCommit(() => {
            kept = true;
            this.#keep(session);
            this.#forgetWhenDone(session);
          });
          return { answer: session.view(), keep: spec.id };
        },
      });
      return answered;
    } finally {
      if (!kept) this.#ports.secrets.remove(spec.id);
    }
  }

  get(id: string): SessionView {
    const live = this.#sessions.get(id);
    if (live !== undefined) return live.view();
    const record = this.#ports.journal.session(id);
    if (record === undefined) throw noSession(id);
    return sessionView(reviveSession(record));
  }

  list(filter: {
    readonly state?: string;
    readonly limit?: number;
    readonly after?: string;
  }): Page<SessionView> {
    return listSessions(this.#ports.journal, filter, (record) => {
      const live = this.#sessions.get(record.id);
      return live?.view() ?? sessionView(reviveSession(record));
    });
  }

  async update(id: string, request: UpdateSession, caller: Caller): Promise<Answered<SessionView>> {
    refuseUnsupportedUpdate(request);
    const { name, metadata } = request;
    const changed = {
      ...(name === undefined ? {} : { name }),
      ...(metadata === undefined ? {} : { metadata }),
    };
    return this.#command(id, caller, (session, draft) => {
      const spec: SessionSpec = { ...session.state.spec, ...changed };
      session.apply(draft, [{ kind: 'update', spec, changed }]);
    });
  }

  async close(id: string, caller: Caller): Promise<Answered<SessionView>> {
    if (!this.#sessions.has(id) && this.#ports.journal.session(id)?.closed === true)
      return { value: this.get(id), replayed: false };
    return this.#command(id, caller, (session, draft) => {
      session.apply(draft, [{ kind: 'close', by: caller.by, reason: 'closed by a client' }]);
    });
  }

  async send(id: string, request: SendTurn, caller: Caller): Promise<Answered<TurnView>> {
    this.#refuseWhenDraining();
    refuseUnsupportedTurn(request);
    return this.#turnCommand(id, caller, (session, draft) => {
      session.apply(draft, [{ kind: 'send', turn: newId('trn'), input: request.input }]);
    });
  }

  async interrupt(id: string, _request: InterruptTurn, caller: Caller): Promise<Answered<TurnView>> {
    return this.#turnCommand(id, caller, (session, draft) => {
      session.apply(draft, [{ kind: 'interrupt', by: caller.by }]);
    });
  }

  turns(id: string, filter: { readonly limit?: number; readonly after?: string }): Page<TurnView> {
    this.#mustExist(id);
    const limit = Math.min(filter.limit ?? 100, MAX_PAGE);
    const items = this.#ports.journal.turns(id, { ...filter, limit: limit + 1 });
    const more = items.length > limit;
    const page = more ? items.slice(0, limit) : items;
    const last = page.at(-1);
    return { items: page, ...(more && last !== undefined ? { next: last.id } : {}) };
  }

  turn(id: string, turn: string): TurnView {
    this.#mustExist(id);
    const found = this.#ports.journal.turn(turn);
    if (found?.sessionId !== id) throw new PilotlightError('not_found', `Session ${id} has no turn ${turn}`);
    return found;
  }

  events(session: string | undefined, after: number, limit: number): EventPage {
    if (session === undefined) return this.#ports.journal.allEvents(after, limit);
    this.#mustExist(session);
    return this.#ports.journal.events(session, after, limit);
  }

  follow(
    session: string | undefined,
    after: number,
    signal: AbortSignal,
  ): AsyncIterable<readonly Followed[]> {
    if (session !== undefined) this.#mustExist(session);
    return this.#ports.journal.follow(session, after, signal);
  }

  agents(): Promise<readonly AgentView[]> {
    return this.#ports.agents.list();
  }

  async status(): Promise<StatusView> {
    const described = await this.#ports.describe();
    const open = [...this.#sessions.values()].filter((session) => session.state.phase === 'open');
    return {
      ...described,
      pool: { maxWarm: this.#ports.pool.maxWarm, leases: leasesOf(open, this.#runtimes), waiting: 0 },
      sessions: {
        open: this.#ports.journal.openSessions(),
        working: open.filter((session) => session.state.turn.kind !== 'none').length,
      },
      journal: this.#ports.journal.status(),
    };
  }

  /** Refuses new work, lets running turns finish for at most `graceMs`, then ends every process. */
  async drain(graceMs: number): Promise<void> {
    this.#draining = true;
    await this.#quiet.until(
      () => [...this.#sessions.values()].every((session) => session.state.turn.kind === 'none'),
      graceMs,
    );
    const left = [...this.#sessions.values()].filter(
      (session) => session.state.turn.kind !== 'none' || session.state.runtime.kind !== 'none',
    );
    await Promise.allSettled(
      left.map((session) => session.submit({ kind: 'retire', reason: 'shutdown', by: { kind: 'shutdown' } })),
    );
    await this.#quiet.until(() => this.#runtimes.size === 0, graceMs);
  }

  /** The daemon leaves and the agents go on: nothing more is read or decided here. */
  detach(): void {
    this.#draining = true;
    for (const runtime of this.#runtimes.values()) runtime.detach();
    for (const session of this.#sessions.values()) session.dispose();
  }

  #sessionPorts(): ConstructorParameters<typeof Session>[1] {
    return {
      committer: this.#ports.journal,
      limits: this.#ports.limits,
      report: this.#ports.report,
      start: (draft, session, id) => {
        const runtime = this.#runtime(session, id);
        draft.onRollback(() => {
          this.#runtimes.delete(id);
        });
        runtime.start(draft);
        return runtime;
      },
    };
  }

  #runtime(session: Session, id: string): HostedRuntime {
    const runtime = this.#ports.runtimes.create({
      id,
      agent: session.state.spec.agent,
      session,
      wish: () => startWishOf(session.state),
      onGone: (gone) => {
        this.#runtimes.delete(gone);
        this.#forgetWhenDone(session);
      },
    });
    this.#runtimes.set(id, runtime);
    return runtime;
  }

  #keep(session: Session): Session {
    this.#sessions.set(session.id, session);
    return session;
  }

  /** A session without a process and without a turn is in the journal alone: it needs no memory, and lives again with the next command. */
  #forgetWhenDone(session: Session): void {
    this.#quiet.changed();
    const { phase, runtime, turn } = session.state;
    if (runtime.kind !== 'none' || turn.kind !== 'none') return;
    session.dispose();
    this.#sessions.delete(session.id);
    if (phase === 'closed') this.#ports.secrets.remove(session.id);
  }

  async #command(
    id: string,
    caller: Caller,
    act: (session: Session, draft: Draft) => void,
  ): Promise<Answered<SessionView>> {
    return this.#acceptance.run(caller, {
      status: 200,
      parse: (stored) => SessionView.parse(stored),
      decide: (draft) => {
        const session = this.#commanded(id, draft);
        act(session, draft);
        return { answer: session.view(), keep: id };
      },
    });
  }

  async #turnCommand(
    id: string,
    caller: Caller,
    act: (session: Session, draft: Draft) => void,
  ): Promise<Answered<TurnView>> {
    return this.#acceptance.run(caller, {
      status: 202,
      parse: (stored) => TurnView.parse(stored),
      decide: (draft) => {
        const session = this.#commanded(id, draft);
        act(session, draft);
        const { turn } = session;
        if (turn === undefined)
          throw new PilotlightError('internal', `Session ${id} has no turn after a command`);
        return { answer: turn, keep: turn.id };
      },
    });
  }

  #mustLive(id: string): Session {
    const session = this.#sessions.get(id);
    if (session !== undefined) return session;
    const record = this.#ports.journal.session(id);
    if (record === undefined) throw noSession(id);
    if (record.closed)
      throw new PilotlightError('session_closed', `Session ${id} is closed`, {
        fix: 'Create a new session.',
      });
    return this.#revive(record);
  }

  /** As {@link #mustLive}; a session that lives only for a command that is refused goes again. */
  #commanded(id: string, draft: Draft): Session {
    const session = this.#mustLive(id);
    draft.onRollback(() => {
      this.#forgetWhenDone(session);
    });
    draft.afterCommit(() => {
      this.#forgetWhenDone(session);
    });
    return session;
  }

  #revive(record: SessionRecord): Session {
    const { journal } = this.#ports;
    const state = reviveSession(record, journal);
    const turn = state.turn.kind === 'none' ? undefined : journal.turn(state.turn.id);
    return this.#keep(new Session(state, this.#sessionPorts(), turn));
  }

  #mustExist(id: string): void {
    if (!this.#sessions.has(id) && this.#ports.journal.session(id) === undefined) throw noSession(id);
  }

  #refuseWhenDraining(): void {
    if (this.#draining)
      throw new PilotlightError('draining', 'The daemon is stopping', {
        fix: 'Send again when it has started.',
      });
  }
}
