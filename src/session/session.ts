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
  /** The runtime has waited for its slot for long enough: it starts without one, after the commit. */
  hurry?(draft: Draft, runtime: string): void;
  /** Something of the session is durably otherwise. */
  settled?(session: Session): void;
  /** A decision or an effect threw what it never should: the host logs it. */
  report(error: unknown): void;
}

/** What a start gives: the runtime, and what the session is told of its place in the pool. */
export interface Started {
  readonly voice: Voice;
  readonly inputs?: readonly SessionInput[];
}

export class Session implements Listener {
  readonly id: string;
  readonly #ports: SessionPorts;
  readonly #watchman: Watchman;
  #state: SessionState;
  #voice: Voice | undefined;
  #turn: TurnView | undefined;

  constructor(state: SessionState, ports: SessionPorts, turn?: TurnView) {
    this.id = state.spec.id;
    this.#state = state;
    this.#ports = ports;
    this.#turn = turn;
    this.#watchman = new Watchman(ports.limits, (watch) => {
      this.#timedOut(watch);
    });
  }

  get state(): SessionState {
    return this.#state;
  }

  /** The turn that is queued or running, or the last one that was. */
  get turn(): TurnView | undefined {
    return this.#turn;
  }

  view(): SessionView {
    return sessionView(this.#state, this.#voice?.rssMb);
  }

  /** One input in a commit of its own; resolves when it is durable. */
  submit(input: SessionInput): Promise<void> {
    return this.#ports.committer.commit((draft) => {
      this.apply(draft, [input]);
    });
  }

  /** Inputs in order, in this draft. Throws what a command is refused with; nothing is then kept. */
  apply(draft: Draft, inputs: readonly SessionInput[]): void {
    const before = { state: this.#state, voice: this.#voice, turn: this.#turn };
    draft.onRollback(() => {
      this.#state = before.state;
      this.#voice = before.voice;
      this.#turn = before.turn;
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
    return {
      now: draft.now,
      newRuntimeId: () => newId('rt'),
      newTurnId: () => newId('trn'),
      newPermissionId: () => newId('prm'),
      ...(rssMb === undefined ? {} : { rssMb }),
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
    if (event.type !== 'turn.queued' && event.type !== 'turn.started' && !ending) return;
    const known = this.#turn?.id === event.turn ? this.#turn : undefined;
    this.#turn = foldTurn(known, event);
    draft.turn(this.#turn);
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
          this.#ports.hurry?.(draft, effect.runtime);
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
