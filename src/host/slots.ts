/**
 * The pool at work: which runtime has a slot, which waits for one, whose process is ended for whom.
 * Owns the places and the rounds. The policy is in src/pool; that nothing in use is taken away is decided by each session in its own order.
 *
 * A place is taken in the commit that makes the runtime's row, and given back when the process is seen to be gone. One that waits is a row
 * like any other that is being started: the next daemon finds it, starts it anew, and it takes its place in the line again.
 */
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
  type Lease,
  type PoolLimits,
  type Verdict,
} from '../pool/index.ts';
import { newId, PilotlightError, type StatusView } from '../protocol/index.ts';
import type { SessionInput } from '../session/inputs.ts';
import type { Committer, Draft, RuntimeRecord, SessionSpec, Slot } from '../session/ports.ts';
import type { Session } from '../session/session.ts';
import type { SessionState } from '../session/state.ts';
import { Askers } from './asking.ts';
import { BackOffs } from './back-offs.ts';
import { Background } from './background.ts';
import { LetGoes } from './let-go.ts';
import {
  idleIn,
  placeAgain,
  placed,
  placeFor,
  sessionsOf,
  slotOf,
  TOO_LONG,
  unloading,
  wake,
  wornOf,
  type Place,
  type Taken,
  type Unload,
  type UnloadReason,
} from './place.ts';
import { Places, type PlacesPorts } from './places.ts';
import type { HowGone } from './ports.ts';
import type { Spares } from './spares.ts';
import { watchForTooBig } from './too-big.ts';

/** Idle processes are looked for this often, or five times within a shorter idle timeout. */
const ROUND_MS = 60_000;
const SHORTEST_ROUND_MS = 50;

export interface SlotsPorts extends Pick<PlacesPorts, 'runtime' | 'shared'> {
  readonly limits: PoolLimits;
  readonly committer: Committer;
  /** See RuntimeFactory.domainOf. */
  readonly domainOf: (spec: SessionSpec) => string | undefined;
  /** Processes that no session has yet: they count, and end first. */
  readonly spares: Pick<Spares, 'leases' | 'end' | 'unload' | 'joined'>;
  /** Starts a process for a session that has none and no message, if there is room. */
  readonly warm: (session: string) => void;
  readonly report: (error: unknown) => void;
}

export class Slots {
  readonly #ports: SlotsPorts;
  readonly #limits: PoolLimits;
  readonly #askers: Askers;
  readonly places: Places;
  readonly #background: Background;
  readonly #rounds: Rounds;
  readonly backOffs: BackOffs = new BackOffs(() => this.#rounds.now());
  readonly #tooBig: Pick<Rounds, 'stop'> | undefined;
  readonly #letGoes: LetGoes;
  #closed = false;

  constructor(ports: SlotsPorts) {
    this.#ports = ports;
    this.#limits = ports.limits;
    this.#letGoes = new LetGoes(ports.runtime);
    const often = Math.max(SHORTEST_ROUND_MS, Math.ceil(ports.limits.idleTimeoutMs / 5));
    this.#rounds = new Rounds(Math.min(ROUND_MS, often), () => void this.#round());
    this.#askers = new Askers(ports.limits, ports.domainOf);
    const now = (): number => this.#rounds.now();
    this.places = new Places({ ...ports, now });
    this.#background = new Background({
      now,
      restMs: ports.limits.backgroundRestMs,
      rested: (place) => this.#rested(place),
    });
    this.#rounds.start();
    const { killMb } = ports.limits;
    const places = (): Iterable<Place> => this.places.all;
    if (killMb !== undefined) this.#tooBig = watchForTooBig({ ...ports, killMb, places });
  }

  /** A session that needs a runtime takes a place, or a seat in one, in this draft; idle processes are ended for it, in the same. */
  take(draft: Draft, session: Session, seat: string): Taken {
    const verdict = this.#verdict(session.state, draft.now);
    if (verdict.kind === 'join') {
      const domain = this.#askers.domainOf(session.state.spec);
      const there = this.places.seat(draft, verdict.runtime, { session, seat, domain });
      const inputs = there.gate === undefined ? [] : [placed(there, seat, verdict)];
      return { runtime: there.runtime, domain: there.domain, slot: undefined, inputs };
    }
    const place = this.#placed(draft, verdict, { session, seat });
    if (verdict.kind === 'line')
      for (const lease of verdict.evict)
        this.#evict(draft, lease, `its slot is needed by session ${session.id}`);
    const inputs = verdict.kind === 'start' ? [] : [placed(place, seat, verdict)];
    return { runtime: place.runtime, domain: place.domain, slot: this.#slotOf(place), inputs };
  }

  /** A spare has its session: its slot is that session's from this draft on. */
  assigned(draft: Draft, session: Session, runtime: string): void {
    const of = { runtime, seat: runtime, domain: undefined, session, now: this.#rounds.now() };
    this.places.add(draft, placeFor({ kind: 'start' }, of));
  }

  /** A runtime that an earlier daemon started has its place again. */
  recovered(seats: readonly (readonly [string, Session])[], record: RuntimeRecord, domain?: string): Slot {
    const place = placeAgain(record, { seats, domain, now: this.#rounds.now() });
    this.places.set(place);
    this.#background.note(place);
    return this.#slotOf(place);
  }

  /** A session has its seat no more. */
  left(runtime: string, seat: string): void {
    const place = this.places.get(runtime);
    if (place?.replacing !== true) place?.seats.delete(seat);
    this.#moveOn();
  }

  /** A process of this domain is gone, a session's or nobody's. */
  ended(runtime: string, domain: string, how: HowGone): void {
    this.backOffs.ended(domain, { ...how, since: this.places.get(runtime)?.madeAt });
    this.gone(runtime);
  }

  /** The process is gone. */
  gone(runtime: string): void {
    const place = this.places.get(runtime);
    if (place !== undefined) {
      this.places.remove(runtime);
      wake(place);
      if (place.replacing === true && !this.#closed)
        for (const { id } of sessionsOf(place)) this.#ports.warm(id);
    }
    this.#moveOn();
  }

  /** Something of the session is otherwise, durably. */
  changed(session: Session): void {
    const { runtime } = session.state;
    const place = runtime.kind === 'none' ? undefined : this.places.of(runtime.id);
    if (place === undefined) return;
    place.restsSince = this.#rounds.now();
    const seated = runtime.kind === 'none' ? undefined : place.seats.get(runtime.id);
    if (seated !== undefined) seated.restsSince = place.restsSince;
    const busy = sessionsOf(place).some(({ state }) => state.turn.kind !== 'none');
    if (busy || place.busy) place.usedAt = place.restsSince;
    place.busy = busy;
    this.#background.note(place);
    this.#moveOn();
    this.#renew(place);
  }

  /** It has waited for long enough: its message runs in a process of its own, if there may be one more. */
  hurry(draft: Draft, runtime: string): readonly SessionInput[] {
    const words = outOfPlaces(this.places.leases(), this.#limits);
    if (words !== undefined) return [{ kind: 'no-slot', runtime, words }];
    const place = this.places.of(runtime);
    if (place?.gate === undefined) return [];
    if (place.domain !== undefined) {
      const shared = this.#ports.shared(place.runtime);
      draft.afterCommit(() => void shared?.refuse(runtime, TOO_LONG).catch(this.#ports.report));
      return [];
    }
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
  mayWarm(spec: SessionSpec): boolean {
    const verdict = decideLease(this.#askers.byItself(spec), this.places.view, this.#limits);
    return verdict.kind === 'start' || verdict.kind === 'join' || (verdict.kind === 'line' && !verdict.full);
  }

  /** Whether a session of this state runs warm, where there is room. */
  warms(state: SessionState): boolean {
    return notWarm(this.#askers.of(state, Date.now()), this.#limits) === undefined;
  }

  /** Memory of a runtime was read. */
  measured(runtime: string): void {
    this.#renew(this.places.get(runtime));
  }

  status(): StatusView['pool'] {
    return this.places.status(this.#limits, this.#letGoes.newest);
  }

  /** Nothing is granted or ended by the pool any more. */
  close(): void {
    this.#closed = true;
    this.#rounds.stop();
    for (const place of this.places.all) wake(place);
    this.#tooBig?.stop();
  }

  #verdict(state: SessionState, now: number): Verdict {
    return decideLease(this.#askers.of(state, now), this.places.view, this.#limits);
  }

  #placed(
    draft: Draft,
    verdict: Exclude<Verdict, { kind: 'join' }>,
    of: { readonly session: Session; readonly seat: string },
  ): Place {
    // What may become a process for one message is nobody else's.
    const own = verdict.kind === 'per-message' || (verdict.kind !== 'start' && verdict.takes !== 'slot');
    const domain = own ? undefined : this.#askers.domainOf(of.session.state.spec);
    const runtime = domain === undefined ? of.seat : newId('rt');
    const place = placeFor(verdict, { ...of, runtime, domain, now: this.#rounds.now() });
    this.places.add(draft, place);
    return place;
  }

  #slotOf(place: Place): Slot {
    return slotOf(place, {
      leave: () => this.places.remove(place.runtime),
      mayStart: async (signal) => {
        if (place.domain !== undefined) await this.backOffs.passed(place.domain, signal);
        place.madeAt = this.#rounds.now();
      },
    });
  }

  /** The line moves on: who may start starts; where that is not enough, idle ones are ended. */
  #moveOn(): void {
    const { line } = this.places;
    if (this.#closed || line.length === 0) return;
    const granted = grantsInLine(
      line.map((place) => place.takes ?? 'slot'),
      this.places.view,
      this.#limits,
    );
    for (const [at, place] of line.entries()) {
      const what = granted[at];
      if (what !== undefined) this.#grant(place, what === 'own');
    }
    for (const lease of evictionsForLine(this.places.view, this.#limits))
      this.#unload(lease, 'evicted', 'its slot is needed by a session that waits');
  }

  #grant(place: Place, perMessage: boolean): void {
    const { gate } = place;
    place.gate = undefined;
    place.perMessage = perMessage;
    place.restsSince = this.#rounds.now();
    gate?.resolve();
    for (const [runtime, { session }] of place.seats)
      session.submit({ kind: 'slot', runtime, perMessage }).catch(this.#ports.report);
  }

  /** In the draft of the one that needs the slot. */
  #evict(draft: Draft, lease: Lease, words: string): void {
    const place = this.places.get(lease.runtime);
    draft.afterCommit(this.#letGoes.noting(lease, place, { reason: 'evicted', words }));
    if (lease.spare !== undefined) return this.#ports.spares.end(draft, lease.runtime);
    if (place !== undefined) this.#let(draft, place, unloading(lease, 'evicted', words));
  }

  /** In a commit of its own; the session may decline. */
  #unload(lease: Lease, reason: UnloadReason, words: string): void {
    const place = this.places.get(lease.runtime);
    const note = this.#letGoes.noting(lease, place, { reason, words });
    if (lease.spare !== undefined) return (this.#ports.spares.unload(lease.runtime), note());
    if (place === undefined || place.unloading === true) return;
    place.unloading = true;
    this.#ports.committer
      .commit((draft) => {
        this.#let(draft, place, unloading(lease, reason, words));
      })
      .then(note, this.#ports.report)
      .finally(() => {
        place.unloading = false;
      });
  }

  /** Of a shared one, all or none: what they hold is looked at again, in this draft. */
  #let(draft: Draft, place: Place, input: Unload): void {
    if (place.domain !== undefined) {
      if (this.places.leaseOf(place).hold !== undefined) return;
      this.#ports.shared(place.runtime)?.retire(draft, input.reason);
    }
    for (const session of sessionsOf(place)) session.apply(draft, [input]);
  }

  /** A process that has grown or is worn is replaced between two turns (R21). */
  #renew(place: Place | undefined): void {
    if (place === undefined || this.#closed || place.perMessage || place.replacing === true) return;
    const why = wornOf(place, this.#ports.runtime(place.runtime)?.rssMb, this.#limits);
    if (why === undefined) return;
    const lease = this.places.leaseOf(place);
    if (!verdictOf(lease, this.#limits).evictable) return;
    place.replacing = true;
    this.#unload(lease, 'replaced', why);
  }

  #rested(place: Place): void {
    if (this.#closed || this.places.get(place.runtime) === undefined) return;
    if (place.perMessage) this.#unload(this.places.leaseOf(place), 'closed', 'it had its message');
    this.#moveOn();
  }

  async #round(): Promise<void> {
    await Promise.all(this.places.all.map(async ({ runtime }) => this.#ports.runtime(runtime)?.sample()));
    if (this.#closed) return;
    for (const lease of overdue(this.places.leases(), this.#limits)) {
      const words = `it was idle for ${seconds(lease.idleMs)} (pool.idleTimeoutMs)`;
      this.#unload(lease, 'idle', lease.hold === undefined ? words : verdictOf(lease, this.#limits).reason);
    }
    for (const place of this.places.all)
      for (const { session, input } of idleIn(place, this.#rounds.now(), this.#limits))
        session.submit(input).catch(this.#ports.report);
    for (const lease of evictionsForBudget(this.places.leases(), this.#limits))
      this.#unload(lease, 'evicted', `the processes are over pool.memoryBudgetMb`);
    for (const lease of evictionsForLine(this.places.view, this.#limits))
      this.#unload(lease, 'evicted', 'there are more warm processes than pool.maxWarm');
    this.#moveOn();
  }
}
