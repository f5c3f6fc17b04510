/**
 * All sessions of one home: create, find, command, recover, drain.
 * Owns the order of commands. Knows no HTTP, no SQL, no agent's protocol.
 */
import {
  newId,
  PermissionView,
  PilotlightError,
  SessionView,
  TurnView,
  type AgentView,
  type CreateSession,
  type InterruptTurn,
  type Page,
  type PageOptions,
  type SendTurn,
  type StatusView,
  type UpdateSession,
} from '../protocol/index.ts';
import type { Draft, EventPage, Followed } from '../session/ports.ts';
import type { Session } from '../session/session.ts';
import { newSessionState } from '../session/state.ts';
import { sessionView } from '../session/views.ts';
import { Admission } from './admission.ts';
import { refreshed, type GivenCredentials } from './credentials.ts';
import { endAll } from './drain.ts';
import type { Answered, Answering, Caller, Host, SessionFilter } from './face.ts';
import { Acceptance } from './idempotent.ts';
import { listSessions, statusOf } from './list.ts';
import { Living } from './living.ts';
import type { HostPorts } from './ports.ts';
import { noSession } from './missing.ts';
import { answerIn, openPermissions } from './permissions.ts';
import { Quiet } from './quiet.ts';
import { recover } from './recover.ts';
import { reviveSession } from './revive.ts';
import { mustBeOpen, turnOf, turnsPage } from './turns.ts';
import { startWishOf, updateOf, updateWith, wishOf } from './wish.ts';

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
      runtime: (sessions, record) => this.#living.taken(sessions, record),
      report: this.#ports.report,
    });
    this.#ports.endUnclaimed();
    const { journal, secrets } = this.#ports;
    const running = new Set(journal.runtimes().map((runtime) => runtime.id));
    secrets.sweep((owner) => running.has(owner) || journal.session(owner)?.closed === false);
  }

  get epoch(): string {
    return this.#ports.journal.epoch;
  }

  async create(request: CreateSession, caller: Caller): Promise<Answered<SessionView>> {
    this.#refuseWhenDraining();
    const { spec, secrets } = await wishOf(request, this.#ports);
    const session = this.#living.born(newSessionState(spec));
    this.#ports.secrets.put(spec.id, secrets);
    using _foreseen = await this.#living.spares.foresee(startWishOf(session.state), 'create');
    let kept = false;
    try {
      const answered = await this.#acceptance.run(caller, {
        status: 201,
        parse: (stored) => SessionView.parse(stored),
        decide: (draft) => {
          this.#admission.enter(draft);
          this.#living.refuseInUse(spec);
          this.#ports.refuseInUse(request);
          const warm = this.#ports.pool.warmOnCreate && this.#living.mayWarm(session);
          session.apply(draft, [{ kind: 'create', warm }]);
          draft.afterCommit(() => {
            kept = true;
            this.#living.keep(session);
            this.#living.spares.used(session);
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

  list(filter: SessionFilter): Page<SessionView> {
    return listSessions(this.#ports.journal, filter, (record) => {
      const live = this.#living.get(record.id);
      return live?.view() ?? sessionView(reviveSession(record));
    });
  }

  async update(id: string, request: UpdateSession, caller: Caller): Promise<Answered<SessionView>> {
    return this.#command(id, caller, (session, draft) => {
      this.#refresh(session, draft, request.credentials);
      const update = updateOf(session.state.spec, request);
      if (request.credentials === undefined || Object.keys(update.changed).length > 0)
        session.apply(draft, [update]);
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
    const { input, whenBusy = 'reject' } = request;
    using _foreseen = await this.#living.foresee(id);
    // Awaited here: what is foreseen is forgotten with this call.
    return await this.#turnCommand(id, caller, (session, draft) => {
      this.#living.refuseWhenFull(session);
      if (this.#ports.credentials.expired(session.id)) session.apply(draft, [{ kind: 'outdate' }]);
      this.#refresh(session, draft, request.credentials);
      const update = updateWith(session.state.spec, request);
      if (update !== undefined) session.apply(draft, [update]);
      const turn = newId('trn');
      session.apply(draft, [{ kind: 'send', turn, input, whenBusy, by: caller.by }]);
      return turn;
    });
  }

  /** New values, in the same commit as the command that they came with. */
  #refresh(session: Session, draft: Draft, given: GivenCredentials | undefined): void {
    const update = refreshed({ spec: session.state.spec, draft }, given ?? {}, this.#ports.secrets);
    if (update !== undefined) session.apply(draft, [update]);
  }

  async interrupt(id: string, request: InterruptTurn, caller: Caller): Promise<Answered<TurnView>> {
    const clear = request.queue === 'clear';
    return this.#turnCommand(id, caller, (session, draft) => {
      const { turn } = session.state;
      session.apply(draft, [{ kind: 'interrupt', by: caller.by, clear }]);
      return turn.kind === 'none' ? '' : turn.id;
    });
  }

  async takeBack(id: string, turn: string, caller: Caller): Promise<Answered<TurnView>> {
    mustBeOpen(this.turn(id, turn));
    return this.#turnCommand(id, caller, (session, draft) => {
      session.apply(draft, [{ kind: 'take-back', turn, by: caller.by }]);
      return turn;
    });
  }

  permissions(id: string): readonly PermissionView[] {
    this.#mustExist(id);
    const live = this.#living.get(id);
    return live === undefined ? [] : openPermissions(this.#ports.journal, live.state);
  }

  async answer(id: string, answer: Answering, caller: Caller): Promise<Answered<PermissionView>> {
    this.#mustExist(id);
    return this.#acceptance.run(caller, {
      status: 200,
      parse: (stored) => PermissionView.parse(stored),
      decide: (draft) => {
        const { journal } = this.#ports;
        const session = this.#living.get(id);
        return { answer: answerIn(draft, { journal, session, id, answer, by: caller.by }), keep: id };
      },
    });
  }

  turns(id: string, filter: PageOptions): Page<TurnView> {
    this.#mustExist(id);
    return turnsPage(this.#ports.journal, id, filter);
  }

  turn(id: string, turn: string): TurnView {
    this.#mustExist(id);
    return turnOf(this.#ports.journal, id, turn);
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
    return statusOf(this.#ports, this.#living);
  }

  /** Refuses new work, lets running turns finish for at most `graceMs`, then ends every process. */
  async drain(graceMs: number): Promise<void> {
    this.#draining = true;
    this.#living.cool();
    const processesMs = Math.max(graceMs, this.#ports.limits.endTimeoutMs);
    await endAll(this.#quiet, this.#living, { turnsMs: graceMs, processesMs });
    this.#living.slots.close();
  }

  /** The daemon leaves and the agents go on: nothing more is read or decided here. */
  detach(): void {
    this.#draining = true;
    this.#living.slots.close();
    this.#living.spares.close('leave');
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

  /** `act` gives the turn that the command is about. */
  async #turnCommand(
    id: string,
    caller: Caller,
    act: (session: Session, draft: Draft) => string,
  ): Promise<Answered<TurnView>> {
    return this.#acceptance.run(caller, {
      status: 202,
      parse: (stored) => TurnView.parse(stored),
      decide: (draft) => {
        const session = this.#living.commanded(id, draft);
        const turn = session.turn(act(session, draft));
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
