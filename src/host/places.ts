/**
 * The places of the pool: whom each process serves, which of them wait in the line, and how the policy and a person see them.
 * Owns the map. Decides nothing.
 */
import type { Lease, PoolLimits, PoolView } from '../pool/index.ts';
import type { StatusView } from '../protocol/index.ts';
import type { Draft } from '../session/ports.ts';
import type { Session } from '../session/session.ts';
import type { LetGo } from './let-go.ts';
import { leaseOf, pidOf, placeFor, sessionsOf, waits, type Place } from './place.ts';
import { poolView } from './pool-view.ts';
import type { HostedProcess, SharedRuntime } from './ports.ts';
import type { Spares } from './spares.ts';

export interface PlacesPorts {
  readonly runtime: (id: string) => HostedProcess | undefined;
  readonly shared: (id: string) => SharedRuntime | undefined;
  /** Processes that no session has yet: they count. */
  readonly spares: Pick<Spares, 'leases' | 'joined'>;
  /** Awake ms. */
  readonly now: () => number;
}

interface Seating {
  readonly session: Session;
  readonly seat: string;
  readonly domain: string | undefined;
}

export class Places {
  readonly #ports: PlacesPorts;
  /** In the order in which they asked. */
  readonly #places = new Map<string, Place>();

  constructor(ports: PlacesPorts) {
    this.#ports = ports;
  }

  get all(): readonly Place[] {
    return [...this.#places.values()];
  }

  /** By the id of the process. */
  get(runtime: string): Place | undefined {
    return this.#places.get(runtime);
  }

  /** By a session's own name for its runtime. */
  of(seat: string): Place | undefined {
    return this.#places.get(seat) ?? this.all.find((place) => place.seats.has(seat));
  }

  set(place: Place): void {
    this.#places.set(place.runtime, place);
  }

  /** In this draft. */
  add(draft: Draft, place: Place): void {
    this.set(place);
    draft.onRollback(() => this.remove(place.runtime));
  }

  remove(runtime: string): void {
    this.#places.delete(runtime);
  }

  /** A session takes a seat beside others, or the first in a spare, in this draft. */
  seat(draft: Draft, runtime: string, of: Seating): Place {
    const place = this.get(runtime);
    if (place === undefined) return this.#first(draft, runtime, of);
    place.restsSince = this.#ports.now();
    place.seats.set(of.seat, { session: of.session, restsSince: place.restsSince });
    draft.onRollback(() => place.seats.delete(of.seat));
    return place;
  }

  /** Its slot is this session's from this draft on. */
  #first(draft: Draft, runtime: string, of: Seating): Place {
    const now = this.#ports.now();
    const place = { ...placeFor({ kind: 'start' }, { ...of, runtime, now }), madeAt: now };
    this.#ports.spares.joined(draft, runtime);
    this.add(draft, place);
    return place;
  }

  /** One that has a seat, or is to get it. */
  sessionIn(runtime: string, session: string): Session | undefined {
    const place = this.get(runtime);
    return place === undefined ? undefined : sessionsOf(place).find(({ id }) => id === session);
  }

  /** Those that wait. */
  get line(): readonly Place[] {
    return this.all.filter(waits);
  }

  get view(): PoolView {
    const { line } = this;
    const waitingOwn = line.filter((place) => place.takes === 'own').length;
    return {
      leases: this.leases(),
      waiting: line.length - waitingOwn,
      waitingOwn,
      line: line.map((place) => this.leaseOf(place)),
    };
  }

  /** Something starts or works: no moment for what can wait. */
  get restless(): boolean {
    return this.leases().some(({ hold }) => hold?.kind === 'starting' || hold?.kind === 'turn');
  }

  leases(): Lease[] {
    const places = this.all.flatMap((place) => (waits(place) ? [] : [this.leaseOf(place)]));
    return [...places, ...this.#ports.spares.leases()];
  }

  leaseOf(place: Place): Lease {
    // Whether a shared process ends for all is its own to know.
    place.over = this.#ports.shared(place.runtime)?.open === false;
    return leaseOf(place, this.#ports.now(), this.#ports.runtime(place.runtime)?.rssMb);
  }

  /** `ended`: what was ended of late. */
  status(limits: PoolLimits, ended: readonly LetGo[]): StatusView['pool'] {
    return poolView({
      leases: this.leases(),
      limits,
      waiting: this.line.length,
      pid: (runtime) => pidOf(this.get(runtime), this.#ports.runtime(runtime)),
      ended,
    });
  }
}
