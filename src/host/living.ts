/**
 * The sessions that live in memory and the runtimes that serve them.
 * Owns both maps and the pool's places. A session without a process and without a turn is in the journal alone and lives again with a command.
 */
import { PilotlightError } from '../protocol/index.ts';
import type { Draft, RuntimeRecord, SessionRecord, SessionSpec, Slot } from '../session/ports.ts';
import { Session, type SessionPorts } from '../session/session.ts';
import type { SessionState } from '../session/state.ts';
import { mustBeCommandable } from './missing.ts';
import type { HostedRuntime, HostPorts } from './ports.ts';
import { openTurns, reviveSession } from './revive.ts';
import { Slots } from './slots.ts';
import { startWishOf } from './wish.ts';

export class Living {
  readonly #ports: HostPorts;
  readonly #sessions = new Map<string, Session>();
  readonly #runtimes = new Map<string, HostedRuntime>();
  readonly #onChange: () => void;
  readonly slots: Slots;
  #warming = true;

  /** `onChange`: a session or a runtime has come or gone. */
  constructor(ports: HostPorts, onChange: () => void) {
    this.#ports = ports;
    this.#onChange = onChange;
    this.slots = new Slots({
      limits: ports.pool,
      runtime: (id) => this.#runtimes.get(id),
      warm: (id) => {
        this.#warm(id);
      },
      report: ports.report,
    });
  }

  get sessions(): readonly Session[] {
    return [...this.#sessions.values()];
  }

  get runtimes(): readonly HostedRuntime[] {
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
    draft.onRollback(() => {
      this.forgetWhenDone(session);
    });
    draft.afterCommit(() => {
      this.forgetWhenDone(session);
    });
    return session;
  }

  /** A runtime that an earlier daemon left. */
  taken(session: Session, record: RuntimeRecord): HostedRuntime {
    const slot = this.slots.recovered(session, record);
    try {
      return this.#runtime(session, record.id, slot);
    } catch (error) {
      this.slots.gone(record.id);
      throw error;
    }
  }

  forgetWhenDone(session: Session): void {
    this.#onChange();
    const { phase, runtime, turn } = session.state;
    if (runtime.kind !== 'none' || turn.kind !== 'none') return;
    session.dispose();
    this.#sessions.delete(session.id);
    if (phase === 'closed') this.#ports.secrets.remove(session.id);
  }

  /** Nothing is started any more that no message waits for. */
  cool(): void {
    this.#warming = false;
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
      rules: {
        judge: this.#ports.judge,
        maxQueued: this.#ports.maxQueued,
        parked: () => !this.#warming,
      },
      report: this.#ports.report,
      start: (draft, session, id) => {
        const { slot, inputs } = this.slots.take(draft, session, id);
        const runtime = this.#runtime(session, id, slot);
        draft.onRollback(() => {
          this.#runtimes.delete(id);
        });
        runtime.start(draft);
        return { voice: runtime, inputs };
      },
      hurry: (draft, id) => {
        this.slots.hurry(draft, id);
      },
      settled: (session) => {
        this.slots.changed(session);
      },
    };
  }

  #runtime(session: Session, id: string, slot: Slot): HostedRuntime {
    const runtime = this.#ports.runtimes.create({
      id,
      agent: session.state.spec.agent,
      session,
      slot,
      wish: () => startWishOf(session.state),
      onGone: (gone) => {
        this.#runtimes.delete(gone);
        this.slots.gone(gone);
        this.forgetWhenDone(session);
      },
      onMeasured: (measured) => {
        this.slots.measured(measured);
      },
    });
    this.#runtimes.set(id, runtime);
    return runtime;
  }
}
