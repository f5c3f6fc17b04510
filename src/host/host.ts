/**
 * All sessions of one home: create, find, command, recover, drain.
 * Owns the order of commands. Knows no HTTP, no SQL, no agent's protocol.
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
import type { Draft, EventPage, Followed, SessionSpec } from '../session/ports.ts';
import type { Session } from '../session/session.ts';
import { newSessionState } from '../session/state.ts';
import { sessionView } from '../session/views.ts';
import { Admission } from './admission.ts';
import type { Answered, Caller, Host, Page } from './face.ts';
import { Acceptance } from './idempotent.ts';
import { listSessions } from './list.ts';
import { Living } from './living.ts';
import type { HostPorts } from './ports.ts';
import { noSession } from './missing.ts';
import { Quiet } from './quiet.ts';
import { recover } from './recover.ts';
import { reviveSession } from './revive.ts';
import { refuseUnsupportedTurn, refuseUnsupportedUpdate, wishOf } from './wish.ts';

const MAX_PAGE = 1000;

export class SessionHost implements Host {
  readonly #ports: HostPorts;
  readonly #acceptance: Acceptance;
  readonly #admission: Admission;
  readonly #living: Living;
  readonly #quiet = new Quiet();
  #draining = false;

  constructor(ports: HostPorts) {
    this.#ports = ports;
    this.#acceptance = new Acceptance(ports.journal);
    this.#admission = new Admission(ports.journal, ports.mostSessions);
    this.#living = new Living(ports, () => {
      this.#quiet.changed();
    });
  }

  /** Takes up what the journal says was there. Resolves when every session can be commanded. */
  async recover(): Promise<void> {
    await recover({
      journal: this.#ports.journal,
      session: (record) => this.#living.revive(record),
      runtime: (session, record) => this.#living.taken(session, record),
      report: this.#ports.report,
    });
    this.#ports.endUnclaimed();
    this.#ports.secrets.sweep((session) => this.#ports.journal.session(session)?.closed === false);
  }

  get epoch(): string {
    return this.#ports.journal.epoch;
  }

  async create(request: CreateSession, caller: Caller): Promise<Answered<SessionView>> {
    this.#refuseWhenDraining();
    const { spec, secrets } = await wishOf(request, this.#ports.roots, this.#ports.agents);
    const session = this.#living.born(newSessionState(spec));
    this.#ports.secrets.put(spec.id, secrets);
    let kept = false;
    try {
      const answered = await this.#acceptance.run(caller, {
        status: 201,
        parse: (stored) => SessionView.parse(stored),
        decide: (draft) => {
          this.#admission.enter(draft);
          const warm = this.#ports.pool.warmOnCreate && this.#living.slots.mayWarm(spec);
          session.apply(draft, [{ kind: 'create', warm }]);
          draft.afterCommit(() => {
            kept = true;
            this.#living.keep(session);
            this.#living.forgetWhenDone(session);
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
    const live = this.#living.get(id);
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
      const live = this.#living.get(record.id);
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
    if (this.#living.get(id) === undefined && this.#ports.journal.session(id)?.closed === true)
      return { value: this.get(id), replayed: false };
    return this.#command(id, caller, (session, draft) => {
      session.apply(draft, [{ kind: 'close', by: caller.by, reason: 'closed by a client' }]);
    });
  }

  async send(id: string, request: SendTurn, caller: Caller): Promise<Answered<TurnView>> {
    this.#refuseWhenDraining();
    refuseUnsupportedTurn(request);
    return this.#turnCommand(id, caller, (session, draft) => {
      this.#living.slots.refuseWhenFull(session.state);
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
    const open = this.#living.sessions.filter((session) => session.state.phase === 'open');
    return {
      ...described,
      pool: this.#living.slots.status(),
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
    this.#living.cool();
    await this.#quiet.until(
      () => this.#living.sessions.every((session) => session.state.turn.kind === 'none'),
      graceMs,
    );
    const left = this.#living.sessions.filter(
      (session) => session.state.turn.kind !== 'none' || session.state.runtime.kind !== 'none',
    );
    await Promise.allSettled(
      left.map((session) => session.submit({ kind: 'retire', reason: 'shutdown', by: { kind: 'shutdown' } })),
    );
    await this.#quiet.until(() => this.#living.runtimes.length === 0, graceMs);
    this.#living.slots.close();
  }

  /** The daemon leaves and the agents go on: nothing more is read or decided here. */
  detach(): void {
    this.#draining = true;
    this.#living.slots.close();
    for (const runtime of this.#living.runtimes) runtime.detach();
    for (const session of this.#living.sessions) session.dispose();
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
        const session = this.#living.commanded(id, draft);
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
        const session = this.#living.commanded(id, draft);
        act(session, draft);
        const { turn } = session;
        if (turn === undefined)
          throw new PilotlightError('internal', `Session ${id} has no turn after a command`);
        return { answer: turn, keep: turn.id };
      },
    });
  }

  #mustExist(id: string): void {
    if (this.#living.get(id) === undefined && this.#ports.journal.session(id) === undefined)
      throw noSession(id);
  }

  #refuseWhenDraining(): void {
    if (this.#draining)
      throw new PilotlightError('draining', 'The daemon is stopping', {
        fix: 'Send again when it has started.',
      });
  }
}
