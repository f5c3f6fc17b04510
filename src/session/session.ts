/**
 * The actor of one session: applies inputs in order, each within a commit, and runs what the decisions ask for.
 * Owns the state and the watch. Knows nothing of lines, processes, SQL or HTTP.
 *
 * The mailbox is the order of commits: `apply` is synchronous and runs inside a draft; what it changed in memory is put back
 * when the commit fails, so decisions only ever build on what is (or is about to be, in the same commit) durable.
 */
import {
  newId,
  TURN_ENDINGS,
  type EventData,
  type SessionEvent,
  type SessionView,
  type TurnView,
} from '../protocol/index.ts';
import { decide } from './decide.ts';
import { evolve } from './evolve.ts';
import type { DecideContext, Decision, SessionInput } from './inputs.ts';
import type { Committer, Draft, Listener, SessionRecord, Voice } from './ports.ts';
import { isInternal, persistedState, type Fact, type SessionState } from './state.ts';
import { foldTurn, sessionView } from './views.ts';
import { Watchman, type Watch, type WatchLimits } from './watch.ts';

export interface SessionPorts {
  readonly committer: Committer;
  readonly limits: WatchLimits;
  /** Makes the runtime's row in this draft and begins its start after the commit. */
  start(draft: Draft, session: Session, runtime: string): Started;
  /** The process that is there already for this session's next start, by its runtime's id; undefined: one is made. */
  spare?(session: Session): string | undefined;
  /** The runtime has waited for its slot for long enough: it starts without one, after the commit. */
  hurry?(draft: Draft, runtime: string): readonly SessionInput[];
  /** Something of the session is durably otherwise. */
  settled?(session: Session): void;
  readonly rules: SessionRules;
  /** A decision or an effect threw what it never should: the host logs it. */
  report(error: unknown): void;
}

/** What a start gives: the runtime, and what the session is told of its place in the pool. */
export interface Started {
  readonly voice: Voice;
  readonly inputs?: readonly SessionInput[];
}

type Resolved = EventData<'permission.resolved'>;
const MOST_RESOLVED = 32;

/** What decisions ask of the configuration. */
export interface SessionRules {
  readonly judge: DecideContext['judge'];
  readonly maxQueued: number;
  /** The daemon is stopping: nothing that waits is begun. */
  readonly parked: () => boolean;
}

export class Session implements Listener {
  readonly id: string;
  readonly #ports: SessionPorts;
  readonly #watchman: Watchman;
  #state: SessionState;
  #voice: Voice | undefined;
  /** The last answers to requests: whoever comes too late is told of them. */
  #resolved: readonly Resolved[] = [];
  /** Turns that have no ending yet, and the last one that got its. */
  #turns: ReadonlyMap<string, TurnView>;

  constructor(state: SessionState, ports: SessionPorts, turns: readonly TurnView[] = []) {
    this.id = state.spec.id;
    this.#state = state;
    this.#ports = ports;
    this.#turns = new Map(turns.map((turn) => [turn.id, turn]));
    this.#watchman = new Watchman(ports.limits, (watch) => {
      this.#timedOut(watch);
    });
  }

  get state(): SessionState {
    return this.#state;
  }

  /** A turn that has no ending yet, or got it just now. */
  turn(id: string): TurnView | undefined {
    return this.#turns.get(id);
  }

  view(): SessionView {
    return sessionView(this.#state, this.#voice?.rssMb);
  }

  /** How a request was answered, when that was not long ago. */
  resolved(id: string): Resolved | undefined {
    return this.#resolved.find((one) => one.id === id);
  }

  /** One input in a commit of its own; resolves when it is durable. */
  submit(input: SessionInput): Promise<void> {
    return this.#ports.committer.commit((draft) => {
      this.apply(draft, [input]);
    });
  }

  /** Inputs in order, in this draft. Throws what a command is refused with; nothing is then kept. */
  apply(draft: Draft, inputs: readonly SessionInput[]): void {
    const before = {
      state: this.#state,
      voice: this.#voice,
      turns: this.#turns,
      resolved: this.#resolved,
    };
    draft.onRollback(() => {
      this.#state = before.state;
      this.#voice = before.voice;
      this.#turns = before.turns;
      this.#resolved = before.resolved;
      this.#watchman.follow(before.state);
    });
    const pending = [...inputs];
    for (let at = 0; at < pending.length; at += 1) {
      const input = pending[at];
      if (input === undefined) break;
      const decision = decide(this.#state, input, this.#context(draft));
      this.#keep(draft, decision.facts);
      const more = this.#act(draft, decision);
      if (more.length > 0) pending.splice(at + 1, 0, ...more);
    }
    if (this.#state === before.state) return;
    draft.session(this.#record());
    draft.afterCommit(() => {
      this.#settled(before.state);
    });
  }

  /** A runtime that an earlier daemon started speaks for this session again. */
  adopt(voice: Voice): void {
    this.#voice = voice;
    this.#watchman.follow(this.#state);
    voice.markTurn(this.#state.turn.kind === 'running');
  }

  /** The agent printed something: the inactivity watch starts again. */
  output(): void {
    this.#watchman.output();
  }

  /** Nothing can be read from the agent for now: the watch does not run on. */
  pause(): void {
    this.#watchman.pause();
  }

  dispose(): void {
    this.#watchman.stop();
  }

  #context(draft: Draft): DecideContext {
    const rssMb = this.#voice?.rssMb;
    const { rules, limits } = this.#ports;
    return {
      now: draft.now,
      newRuntimeId: () => this.#ports.spare?.(this) ?? newId('rt'),
      newTurnId: () => newId('trn'),
      newPermissionId: () => newId('prm'),
      ...(rssMb === undefined ? {} : { rssMb }),
      judge: rules.judge,
      maxQueued: rules.maxQueued,
      parked: rules.parked(),
      permissionTimeoutMs: limits.permissionTimeoutMs,
    };
  }

  #keep(draft: Draft, facts: readonly Fact[]): void {
    if (facts.length === 0) return;
    const time = new Date(draft.now).toISOString();
    for (const fact of facts) {
      if (!isInternal(fact)) {
        const event: SessionEvent = { ...fact, session: this.id, seq: this.#state.lastSeq + 1, time };
        draft.event(event);
        this.#foldTurn(draft, event);
      }
      this.#state = evolve(this.#state, fact, draft.now);
    }
  }

  #foldTurn(draft: Draft, event: SessionEvent): void {
    const ending = TURN_ENDINGS.has(event.type);
    if (event.type === 'permission.resolved') {
      this.#resolved = [...this.#resolved.slice(1 - MOST_RESOLVED), event.data];
      draft.syncToDisk();
    }
    if (event.type !== 'turn.queued' && event.type !== 'turn.started' && !ending) return;
    const turn = foldTurn(this.#turns.get(event.turn ?? ''), event);
    // Those with an ending are kept until the next event of a turn: whoever commanded is answered with it.
    const open = [...this.#turns].filter(([, one]) => one.endedAt === undefined);
    this.#turns = new Map([...open, [turn.id, turn]]);
    draft.turn(turn);
    if (ending || event.type === 'turn.queued') draft.syncToDisk();
  }

  #act(draft: Draft, decision: Decision): SessionInput[] {
    const inputs: SessionInput[] = [];
    for (const effect of decision.effects) {
      switch (effect.kind) {
        case 'start': {
          const started = this.#ports.start(draft, this, effect.runtime);
          this.#voice = started.voice;
          inputs.push(...(started.inputs ?? []));
          break;
        }
        case 'hurry':
          inputs.push(...(this.#ports.hurry?.(draft, effect.runtime) ?? []));
          break;
        case 'end':
          this.#voice?.end(draft, effect.reason);
          break;
        case 'say': {
          const runtime = this.#voice?.id;
          if (runtime === undefined) break;
          for (const signal of this.#voice?.say(draft, effect.command) ?? [])
            inputs.push({ kind: 'agent', runtime, signal });
          break;
        }
      }
    }
    return inputs;
  }

  #settled(before: SessionState): void {
    this.#watchman.follow(this.#state);
    const open = this.#state.turn.kind === 'running';
    if (open !== (before.turn.kind === 'running')) this.#voice?.markTurn(open);
    this.#ports.settled?.(this);
  }

  #record(): SessionRecord {
    const { spec, lastSeq, phase, lastActivityAt } = this.#state;
    return {
      id: this.id,
      spec,
      state: persistedState(this.#state),
      lastSeq,
      closed: phase === 'closed',
      lastActivityAt,
    };
  }

  #timedOut(watch: Watch): void {
    this.submit({ kind: 'timeout', watch: watch.name, ms: watch.ms }).catch((error: unknown) => {
      // The disk is full: the watch is not lost, it runs again.
      this.#ports.report(error);
      this.#watchman.follow(this.#state);
    });
  }
}
