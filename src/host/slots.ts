/**
 * The pool at work: which runtime has a slot, which waits for one, whose process is ended for whom.
 * Owns the places and the rounds. The policy is in src/pool; that nothing in use is taken away is decided by each session in its own order.
 *
 * A place is taken in the commit that makes the runtime's row, and given back when the process is seen to be gone. One that waits is a row
 * like any other that is being started: the next daemon finds it, starts it anew, and it takes its place in the line again.
 */
import { after } from '../async/after.ts';
import { Rounds } from '../async/rounds.ts';
import {
  decideLease,
  evictionsForBudget,
  evictionsForLine,
  grantsInLine,
  notWarm,
  outOfPlaces,
  overdue,
  seconds,
  verdictOf,
  worn,
  type Lease,
  type PoolLimits,
  type PoolView,
  type Verdict,
} from '../pool/index.ts';
import { PilotlightError, type StatusView } from '../protocol/index.ts';
import { holdOf } from '../session/hold.ts';
import type { SessionInput } from '../session/inputs.ts';
import type { Draft, RuntimeRecord, SessionSpec, Slot } from '../session/ports.ts';
import type { Session } from '../session/session.ts';
import type { SessionState } from '../session/state.ts';
import { asking, askingOf } from './asking.ts';
import { LetGoes } from './let-go.ts';
import {
  leaseOf,
  pidOf,
  placed,
  placeFor,
  slotOf,
  unloading,
  waits,
  wake,
  type Place,
  type UnloadReason,
} from './place.ts';
import { poolView } from './pool-view.ts';
import type { HostedRuntime } from './ports.ts';
import type { Spares } from './spares.ts';
import { watchForTooBig } from './too-big.ts';

/** Idle processes are looked for this often, or five times within a shorter idle timeout. */
const ROUND_MS = 60_000;
const SHORTEST_ROUND_MS = 50;

export interface SlotsPorts {
  readonly limits: PoolLimits;
  readonly runtime: (id: string) => HostedRuntime | undefined;
  /** Processes that no session has yet: they count, and end first. */
  readonly spares: Pick<Spares, 'leases' | 'end' | 'unload'>;
  /** Starts a process for a session that has none and no message, if there is room. */
  readonly warm: (session: string) => void;
  readonly report: (error: unknown) => void;
}

export class Slots {
  readonly #ports: SlotsPorts;
  readonly #limits: PoolLimits;
  /** In the order in which they asked. */
  readonly #places = new Map<string, Place>();
  readonly #rounds: Rounds;
  readonly #tooBig: Pick<Rounds, 'stop'> | undefined;
  readonly #letGoes: LetGoes;
  #closed = false;

  constructor(ports: SlotsPorts) {
    this.#ports = ports;
    this.#limits = ports.limits;
    this.#letGoes = new LetGoes(ports.runtime);
    const everyMs = Math.min(
      ROUND_MS,
      Math.max(SHORTEST_ROUND_MS, Math.ceil(ports.limits.idleTimeoutMs / 5)),
    );
    this.#rounds = new Rounds(everyMs, () => void this.#round());
    this.#rounds.start();
    const { killMb } = ports.limits;
    const places = (): Iterable<Place> => this.#places.values();
    if (killMb !== undefined) this.#tooBig = watchForTooBig({ ...ports, killMb, places });
  }

  /** A runtime that is to be started takes a place, in this draft; idle ones are ended for it, in the same. */
  take(draft: Draft, session: Session, runtime: string): { slot: Slot; inputs: SessionInput[] } {
    const verdict = this.#verdict(session.state, draft.now);
    const place = this.#placed(draft, verdict, { session, runtime });
    if (verdict.kind === 'line')
      for (const lease of verdict.evict)
        this.#evict(draft, lease, `its slot is needed by session ${session.id}`);
    const inputs = verdict.kind === 'start' ? [] : [placed(place, verdict)];
    return { slot: this.#slotOf(place), inputs };
  }

  /** A spare has its session: its slot is that session's from this draft on. */
  assigned(draft: Draft, session: Session, runtime: string): void {
    this.#placed(draft, { kind: 'start' }, { session, runtime });
  }

  /** A runtime that an earlier daemon started has its place again. */
  recovered(session: Session, { id, kind }: RuntimeRecord): Slot {
    // The order of use goes on; idle time is counted anew, by our clock.
    const unusedMs = Date.now() - Date.parse(session.state.lastActivityAt);
    const place: Place = {
      runtime: id,
      session,
      perMessage: kind === 'per-message',
      usedAt: -Math.max(0, unusedMs),
      restsSince: this.#rounds.now(),
      busy: session.state.turn.kind !== 'none',
      recovered: true,
    };
    this.#places.set(id, place);
    this.#note(place);
    return this.#slotOf(place);
  }

  /** The process is gone. */
  gone(runtime: string): void {
    const place = this.#places.get(runtime);
    if (place !== undefined) {
      this.#places.delete(runtime);
      wake(place);
      if (place.replacing === true && !this.#closed) this.#ports.warm(place.session.id);
    }
    this.#moveOn();
  }

  /** Something of the session is otherwise, durably. */
  changed(session: Session): void {
    const { runtime } = session.state;
    const place = runtime.kind === 'none' ? undefined : this.#places.get(runtime.id);
    if (place === undefined) return;
    place.restsSince = this.#rounds.now();
    const busy = session.state.turn.kind !== 'none';
    if (busy || place.busy) place.usedAt = place.restsSince;
    place.busy = busy;
    this.#note(place);
    this.#moveOn();
    this.#renew(place);
  }

  /** It has waited for long enough: its message runs in a process of its own, if there may be one more. */
  hurry(draft: Draft, runtime: string): readonly SessionInput[] {
    const words = outOfPlaces(this.#leases(), this.#limits);
    if (words !== undefined) return [{ kind: 'no-slot', runtime, words }];
    const place = this.#places.get(runtime);
    if (place?.gate === undefined) return [];
    place.promised = true;
    draft.onRollback(() => {
      place.promised = false;
    });
    draft.afterCommit(() => {
      if (!this.#closed) this.#grant(place, true);
    });
    return [];
  }

  /** Throws `pool_full` when a message of this session could not even wait. */
  refuseWhenFull(state: SessionState): void {
    if (state.runtime.kind !== 'none') return;
    const verdict = this.#verdict(state, Date.now());
    if (verdict.kind !== 'refuse') return;
    throw new PilotlightError(
      'pool_full',
      `There is no slot for session ${state.spec.id}: ${verdict.reason}`,
      {
        fix: 'Send again when a turn has ended, or raise pool.maxWarm, pool.maxPerMessage or pool.maxWaiting.',
      },
    );
  }

  /** Whether a process may be started before there is a message for it. */
  mayWarm(spec: Pick<SessionSpec, 'model'>): boolean {
    const verdict = decideLease(asking(spec), this.view, this.#limits);
    return verdict.kind === 'start' || (verdict.kind === 'line' && !verdict.full);
  }

  /** Whether a session of this state runs warm, where there is room. */
  warms(state: SessionState): boolean {
    return notWarm(askingOf(state, Date.now()), this.#limits) === undefined;
  }

  /** Something starts or works: no moment for what can wait. */
  get restless(): boolean {
    return this.#leases().some(({ hold }) => hold?.kind === 'starting' || hold?.kind === 'turn');
  }

  /** Memory of a runtime was read. */
  measured(runtime: string): void {
    const place = this.#places.get(runtime);
    if (place !== undefined) this.#renew(place);
  }

  status(): StatusView['pool'] {
    return poolView({
      leases: this.#leases(),
      limits: this.#limits,
      waiting: this.#line().length,
      pid: (runtime) => pidOf(this.#places.get(runtime), this.#ports.runtime(runtime)),
      ended: this.#letGoes.newest,
    });
  }

  /** Nothing is granted or ended by the pool any more. */
  close(): void {
    this.#closed = true;
    this.#rounds.stop();
    for (const place of this.#places.values()) wake(place);
    this.#tooBig?.stop();
  }

  #verdict(state: SessionState, now: number): Verdict {
    return decideLease(askingOf(state, now), this.view, this.#limits);
  }

  get view(): PoolView {
    const line = this.#line();
    const waitingOwn = line.filter((place) => place.takes === 'own').length;
    return { leases: this.#leases(), waiting: line.length - waitingOwn, waitingOwn };
  }

  #leases(): Lease[] {
    const now = this.#rounds.now();
    const places = [...this.#places.values()].flatMap((place) =>
      waits(place) ? [] : [leaseOf(place, now, this.#ports.runtime(place.runtime)?.rssMb)],
    );
    return [...places, ...this.#ports.spares.leases()];
  }

  #placed(draft: Draft, verdict: Verdict, of: Pick<Place, 'runtime' | 'session'>): Place {
    const place = placeFor(verdict, { ...of, now: this.#rounds.now() });
    this.#places.set(of.runtime, place);
    draft.onRollback(() => {
      this.#places.delete(of.runtime);
    });
    return place;
  }

  #line(): Place[] {
    return [...this.#places.values()].filter(waits);
  }

  #slotOf(place: Place): Slot {
    return slotOf(place, () => this.#places.delete(place.runtime));
  }

  /** The line moves on: who may start starts; where that is not enough, idle ones are ended. */
  #moveOn(): void {
    if (this.#closed || this.#line().length === 0) return;
    const line = this.#line();
    const granted = grantsInLine(
      line.map((place) => place.takes ?? 'slot'),
      this.view,
      this.#limits,
    );
    for (const [at, place] of line.entries()) {
      const what = granted[at];
      if (what !== undefined) this.#grant(place, what === 'own');
    }
    for (const lease of evictionsForLine(this.view, this.#limits))
      this.#unload(lease, 'evicted', 'its slot is needed by a session that waits');
  }

  #grant(place: Place, perMessage: boolean): void {
    const { gate, session, runtime } = place;
    place.gate = undefined;
    place.perMessage = perMessage;
    place.restsSince = this.#rounds.now();
    gate?.resolve();
    session.submit({ kind: 'slot', runtime, perMessage }).catch(this.#ports.report);
  }

  /** In the draft of the one that needs the slot. */
  #evict(draft: Draft, lease: Lease, words: string): void {
    const place = this.#places.get(lease.runtime);
    draft.afterCommit(this.#letGoes.noting(lease, place, { reason: 'evicted', words }));
    if (lease.spare !== undefined) return this.#ports.spares.end(draft, lease.runtime);
    place?.session.apply(draft, [unloading(lease, 'evicted', words)]);
  }

  /** In a commit of its own; the session may decline. */
  #unload(lease: Lease, reason: UnloadReason, words: string): void {
    const place = this.#places.get(lease.runtime);
    const note = this.#letGoes.noting(lease, place, { reason, words });
    if (lease.spare !== undefined) return (this.#ports.spares.unload(lease.runtime), note());
    if (place === undefined || place.unloading === true) return;
    place.unloading = true;
    place.session
      .submit(unloading(lease, reason, words))
      .then(note, this.#ports.report)
      .finally(() => {
        place.unloading = false;
      });
  }

  /** A process that has grown or is worn is replaced between two turns (R21). */
  #renew(place: Place): void {
    const { runtime } = place.session.state;
    if (this.#closed || place.perMessage || runtime.kind !== 'ready' || runtime.turns === 0) return;
    const rssMb = this.#ports.runtime(place.runtime)?.rssMb;
    const why = worn({ rssMb, turns: runtime.turns }, this.#limits);
    if (why === undefined || place.replacing === true) return;
    const lease = leaseOf(place, this.#rounds.now(), rssMb);
    if (!verdictOf(lease, this.#limits).evictable) return;
    place.replacing = true;
    this.#unload(lease, 'replaced', why);
  }

  /** What the state of its session says of a place, as times of our clock. */
  #note(place: Place): void {
    const { runtime } = place.session.state;
    const tasks = runtime.kind === 'ready' ? (runtime.tasks ?? 0) : 0;
    const ended = tasks === 0 && place.backgroundAt !== undefined;
    if (tasks === 0) place.backgroundAt = undefined;
    else place.backgroundAt ??= this.#rounds.now();
    const left = place.perMessage && runtime.kind === 'ready' && holdOf(place.session.state) === undefined;
    if (ended || (left && place.resting === undefined)) this.#rest(place);
    else if (holdOf(place.session.state) !== undefined) wake(place);
  }

  /** For a while its process stays though nothing is open; then one of a single message goes, and others may be ended for whoever waits. */
  #rest(place: Place): void {
    wake(place);
    place.resting = after(this.#limits.backgroundRestMs, () => {
      place.resting = undefined;
      place.restsSince = this.#rounds.now();
      if (this.#closed || !this.#places.has(place.runtime)) return;
      if (place.perMessage)
        this.#unload(leaseOf(place, place.restsSince, undefined), 'closed', 'it had its message');
      this.#moveOn();
    });
  }

  async #round(): Promise<void> {
    await Promise.all([...this.#places.keys()].map(async (id) => this.#ports.runtime(id)?.sample()));
    if (this.#closed) return;
    for (const lease of overdue(this.#leases(), this.#limits)) {
      const words = `it was idle for ${seconds(lease.idleMs)} (pool.idleTimeoutMs)`;
      this.#unload(lease, 'idle', lease.hold === undefined ? words : verdictOf(lease, this.#limits).reason);
    }
    for (const lease of evictionsForBudget(this.#leases(), this.#limits))
      this.#unload(lease, 'evicted', `the processes are over pool.memoryBudgetMb`);
    for (const lease of evictionsForLine(this.view, this.#limits))
      this.#unload(lease, 'evicted', 'there are more warm processes than pool.maxWarm');
    this.#moveOn();
  }
}
