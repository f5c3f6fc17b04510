/**
 * The sessions that live in memory and the runtimes that serve them.
 * Owns both maps and the pool's places. A session without a process and without a turn is in the journal alone and lives again with a command.
 */
import { PilotlightError } from '../protocol/index.ts';
import type { Draft, RuntimeRecord, SessionRecord, SessionSpec, Slot } from '../session/ports.ts';
import { Session, type SessionPorts, type Started } from '../session/session.ts';
import type { SessionState } from '../session/state.ts';
import { mustBeCommandable } from './missing.ts';
import type { HostedProcess, HostedRuntime, HostPorts, SharedRuntime, ShareOptions } from './ports.ts';
import { openTurns, reviveSession } from './revive.ts';
import { Slots } from './slots.ts';
import type { Seat } from './spare.ts';
import { Spares } from './spares.ts';
import { startWishOf } from './wish.ts';

const AT_ONCE: Slot = { perMessage: false, granted: () => Promise.resolve() };

export class Living {
  readonly #ports: HostPorts;
  readonly #sessions = new Map<string, Session>();
  readonly #runtimes = new Map<string, HostedProcess>();
  /** Those of them that several sessions share. */
  readonly #shared = new Map<string, SharedRuntime>();
  readonly #onChange: () => void;
  readonly slots: Slots;
  readonly spares: Spares;
  #warming = true;

  /** `onChange`: a session or a runtime has come or gone. */
  constructor(ports: HostPorts, onChange: () => void) {
    this.#ports = ports;
    this.#onChange = onChange;
    this.spares = new Spares({
      ...ports,
      limits: ports.pool,
      committer: ports.journal,
      start: (draft, seat, domain) => this.#startAhead(draft, seat, domain),
      pool: () => this.slots.places.view,
      restless: () => this.slots.places.restless,
      backsOff: (domain) => this.slots.backOffs.waitMs(domain) > 0,
      warms: (state) => this.slots.warms(state),
    });
    this.slots = new Slots({
      limits: ports.pool,
      spares: this.spares,
      committer: ports.journal,
      runtime: (id) => this.#runtimes.get(id),
      shared: (id) => this.#shared.get(id),
      domainOf: (spec) => ports.runtimes.domainOf?.(spec),
      warm: (id) => {
        this.#warm(id);
      },
      report: ports.report,
    });
  }

  get sessions(): readonly Session[] {
    return [...this.#sessions.values()];
  }

  get runtimes(): readonly HostedProcess[] {
    return [...this.#runtimes.values()];
  }

  get(id: string): Session | undefined {
    return this.#sessions.get(id);
  }

  /** A session that is being created: it is kept once that is durable. */
  born(state: SessionState): Session {
    return new Session(state, this.#sessionPorts());
  }

  keep(session: Session): Session {
    this.#sessions.set(session.id, session);
    return session;
  }

  /** Throws `agent_session_in_use` when a session here has, or is starting, a process for the conversation that is to be resumed. */
  refuseInUse({ agent, resume }: Pick<SessionSpec, 'agent' | 'resume'>): void {
    const other = this.sessions.find(
      ({ state }) =>
        resume !== undefined &&
        state.spec.agent === agent &&
        state.agentSessionId === resume &&
        state.runtime.kind !== 'none',
    );
    if (other === undefined) return;
    throw new PilotlightError(
      'agent_session_in_use',
      `Conversation ${resume ?? ''} of ${agent} is in use by session ${other.id}`,
      { fix: 'Send to that session, or close it first.', detail: { session: other.id } },
    );
  }

  revive(record: SessionRecord): Session {
    const { journal } = this.#ports;
    const state = reviveSession(record, journal);
    const turns = openTurns(state).flatMap((turn) => journal.turn(turn) ?? []);
    return this.keep(new Session(state, this.#sessionPorts(), turns));
  }

  /** The session that a command is for; one that lives only for a command that is refused goes again. */
  commanded(id: string, draft: Draft): Session {
    const session = this.#mustLive(id);
    // Behind the transaction, not within it: until it is through others may have changed this very session.
    draft.onRollback(() => {
      queueMicrotask(() => {
        this.forgetWhenDone(session);
      });
    });
    draft.afterCommit(() => {
      this.forgetWhenDone(session);
    });
    return session;
  }

  /** A runtime that an earlier daemon left, with its sessions as far as they could be revived. They speak to it from now on. */
  taken(sessions: readonly Session[], record: RuntimeRecord): HostedProcess {
    if (record.kind === 'shared') return this.#takenShared(sessions, record);
    const [session] = sessions;
    if (session === undefined) throw new PilotlightError('internal', `Runtime ${record.id} has no session`);
    const slot = this.slots.recovered([[record.id, session]], record);
    try {
      const runtime = this.#runtime(session, record.id, slot);
      session.adopt(runtime);
      return runtime;
    } catch (error) {
      this.slots.gone(record.id);
      throw error;
    }
  }

  #takenShared(sessions: readonly Session[], record: RuntimeRecord): SharedRuntime {
    const seats = sessions.flatMap((session): [string, Session][] => {
      const { runtime } = session.state;
      return runtime.kind === 'none' ? [] : [[runtime.id, session]];
    });
    // Its place needs its domain, which only it can read. It is there already: it waits for no slot.
    const { agent, id } = record;
    const shared = this.#share({ id, agent, domain: '', slot: AT_ONCE, from: record });
    this.slots.recovered(seats, record, shared.domain);
    for (const [seat, session] of seats) session.adopt(shared.voice(seat));
    return shared;
  }

  forgetWhenDone(session: Session): void {
    this.#onChange();
    const { phase, runtime, turn } = session.state;
    if (runtime.kind !== 'none' || turn.kind !== 'none') return;
    session.dispose();
    this.#sessions.delete(session.id);
    if (phase === 'closed') this.#ports.secrets.remove(session.id);
  }

  /** Looks up whether a message to this session would find a process that was started ahead. */
  async foresee(id: string): Promise<Disposable> {
    const record = this.#sessions.has(id) ? undefined : this.#ports.journal.session(id);
    const state = this.#sessions.get(id)?.state ?? (record === undefined ? undefined : reviveSession(record));
    return state?.runtime.kind === 'none'
      ? this.spares.foresee(startWishOf(state), 'send')
      : { [Symbol.dispose]: () => undefined };
  }

  /** Whether a process may be started, or is there, before there is a message for it. */
  mayWarm(session: Session): boolean {
    return this.slots.mayWarm(session.state.spec) || this.spares.fitting(session) !== undefined;
  }

  /** Throws `pool_full` when a message of this session could not even wait. */
  refuseWhenFull(session: Session): void {
    if (this.spares.fitting(session) === undefined) this.slots.refuseWhenFull(session.state);
  }

  /** Nothing is started any more that no message waits for. */
  cool(): void {
    this.#warming = false;
    this.spares.close('end');
  }

  #mustLive(id: string): Session {
    const session = this.#sessions.get(id);
    if (session !== undefined) return session;
    return this.revive(mustBeCommandable(id, this.#ports.journal.session(id)));
  }

  /** A process for the next message of a session that has none, where there is room. */
  #warm(id: string): void {
    if (!this.#warming) return;
    this.#ports.journal
      .commit((draft) => {
        const session = this.commanded(id, draft);
        if (this.slots.mayWarm(session.state.spec)) session.apply(draft, [{ kind: 'warm' }]);
      })
      .catch((error: unknown) => {
        if (!(error instanceof PilotlightError && error.code === 'session_closed')) this.#ports.report(error);
      });
  }

  #sessionPorts(): SessionPorts {
    return {
      committer: this.#ports.journal,
      limits: this.#ports.limits,
      rules: { judge: this.#ports.judge, maxQueued: this.#ports.maxQueued, parked: () => !this.#warming },
      report: this.#ports.report,
      spare: (session) => this.spares.fitting(session),
      start: (draft, session, id) => {
        const assigned = this.spares.assign(draft, session, id);
        if (assigned !== undefined) {
          this.slots.assigned(draft, session, id);
          return assigned;
        }
        return this.#start(draft, session, id);
      },
      hurry: (draft, id) => this.slots.hurry(draft, id),
      settled: (session) => {
        this.slots.changed(session);
        this.spares.poke();
      },
    };
  }

  #start(draft: Draft, session: Session, id: string): Started {
    const ahead = this.spares.conversing(session);
    const { runtime, domain, slot, inputs } = this.slots.take(draft, session, id);
    if (domain === undefined && slot !== undefined) {
      const sole = this.#runtime(session, id, slot);
      draft.onRollback(() => this.#runtimes.delete(id));
      sole.start(draft);
      return { voice: sole, inputs };
    }
    const there = this.#shared.get(runtime);
    const taken = ahead.has(runtime) ? there?.take(draft, id, session) : undefined;
    if (taken !== undefined) return { voice: taken.voice, inputs: [...inputs, ...taken.inputs] };
    if (there !== undefined) return { voice: there.join(draft, id, session), inputs };
    if (slot === undefined || domain === undefined)
      throw new PilotlightError('internal', `There is no process ${runtime} to share`);
    const shared = this.#share({ id: runtime, agent: session.state.spec.agent, domain, slot, draft });
    const voice = shared.join(draft, id, session);
    shared.start(draft);
    return { voice, inputs };
  }

  #share(
    what: Pick<ShareOptions, 'id' | 'agent' | 'domain' | 'slot' | 'from'> & {
      readonly ahead?: Seat;
      readonly draft?: Draft;
    },
  ): SharedRuntime {
    const { ahead, draft, ...rest } = what;
    const shared = this.#ports.runtimes.share?.({
      ...rest,
      ...(ahead === undefined ? {} : { ahead: { wish: ahead.id, converses: ahead.converses === true } }),
      listener: (session) => this.#sessions.get(session),
      wish: (session) =>
        session === ahead?.id ? { spec: ahead.spec } : startWishOf(this.#seated(what.id, session).state),
      onGone: (gone, how) => {
        this.#runtimes.delete(gone);
        this.#shared.delete(gone);
        this.spares.gone(gone);
        this.slots.ended(gone, shared?.domain ?? what.domain, how);
        // What it was started with, if that was before there was a session.
        this.#ports.secrets.remove(gone);
        this.#onChange();
      },
      onMeasured: (measured) => {
        this.slots.measured(measured);
      },
      onLeft: (seat, session) => {
        this.slots.left(what.id, seat);
        const left = this.#sessions.get(session);
        if (left !== undefined) this.forgetWhenDone(left);
      },
    });
    if (shared === undefined)
      throw new PilotlightError('internal', `A process of ${what.agent} cannot be shared`);
    this.#runtimes.set(what.id, shared);
    this.#shared.set(what.id, shared);
    draft?.onRollback(() => {
      this.#runtimes.delete(what.id);
      this.#shared.delete(what.id);
    });
    return shared;
  }

  /** One that is just being created lives in its place only. */
  #seated(runtime: string, id: string): Session {
    const session = this.#sessions.get(id) ?? this.slots.places.sessionIn(runtime, id);
    if (session === undefined) throw new PilotlightError('internal', `Session ${id} is not here`);
    return session;
  }

  /** A process without a session, in this draft. */
  #startAhead(draft: Draft, seat: Seat, domain: string | undefined): HostedRuntime | SharedRuntime {
    const { id, spec } = seat;
    if (domain !== undefined) {
      const shared = this.#share({ id, agent: spec.agent, domain, slot: AT_ONCE, ahead: seat, draft });
      shared.start(draft);
      return shared;
    }
    const runtime = this.#ports.runtimes.create({
      id,
      agent: spec.agent,
      wish: () => (seat.session === undefined ? { spec } : startWishOf(seat.session.state)),
      onGone: (gone) => {
        this.#gone(gone, seat.session);
      },
      onMeasured: (measured) => {
        this.slots.measured(measured);
      },
    });
    this.#runtimes.set(id, runtime);
    draft.onRollback(() => this.#runtimes.delete(id));
    runtime.start(draft);
    return runtime;
  }

  #gone(id: string, session: Session | undefined): void {
    this.#runtimes.delete(id);
    this.spares.gone(id);
    this.slots.gone(id);
    // What it was started with, if that was before there was a session.
    this.#ports.secrets.remove(id);
    if (session === undefined) this.#onChange();
    else this.forgetWhenDone(session);
  }

  #runtime(session: Session, id: string, slot: Slot): HostedRuntime {
    const runtime = this.#ports.runtimes.create({
      id,
      agent: session.state.spec.agent,
      session,
      slot,
      wish: () => startWishOf(session.state),
      onGone: (gone) => {
        this.#gone(gone, session);
      },
      onMeasured: (measured) => {
        this.slots.measured(measured);
      },
    });
    this.#runtimes.set(id, runtime);
    return runtime;
  }
}
