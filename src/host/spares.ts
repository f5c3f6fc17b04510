/**
 * Processes that are started before there is a session for them (R21), at work: what was used of late, which are there, whose they become.
 * Owns the wants and the spares. Which are wanted is decided in src/pool; how starts are told apart is said by the agents.
 *
 * A spare is a row without a session. It becomes a session's in the commit that needs a process, all at once: the row has the session (one that can be
 * shared: its seat), the session has the process, the message is in the outbox. Before that commit it is nobody's, and the next daemon ends it; behind it,
 * it is a process like any other. There is nothing in between.
 */
import { after } from '../async/after.ts';
import { Rounds } from '../async/rounds.ts';
import {
  decideSpares,
  fitting,
  verdictOfSpare,
  type Lease,
  type PoolLimits,
  type PoolView,
  type Spare,
  type SpareKey,
  type SparesView,
} from '../pool/index.ts';
import { newId, PilotlightError } from '../protocol/index.ts';
import type { Draft, RuntimeInput, SessionSpec } from '../session/ports.ts';
import type { Session } from '../session/session.ts';
import type { SessionState } from '../session/state.ts';
import type { HostedRuntime, HostPorts, SharedRuntime, StartWish, WishKey } from './ports.ts';
import { broughtTo, keyIn, openTo, type Foreseen, type Kept, type Seat, type Want } from './spare.ts';
import { startWishOf } from './wish.ts';

/** A machine that is never idle gets its spare all the same, after so many times `limits.spareRestMs`. */
const MOST_RESTS = 40;
const MOST_WANTS = 64;
const ROUND_MS = 60_000;
const SHORTEST_ROUND_MS = 50;

export interface SparesPorts extends Pick<HostPorts, 'keyOf' | 'secrets' | 'credentials' | 'report'> {
  readonly limits: PoolLimits;
  readonly committer: HostPorts['journal'];
  /** Makes the runtime of a seat, one that sessions of a domain can share or one for one session; it is started in this draft. */
  readonly start: (draft: Draft, seat: Seat, domain: string | undefined) => HostedRuntime | SharedRuntime;
  readonly pool: () => PoolView;
  /** Something starts or works. */
  readonly restless: () => boolean;
  /** Processes of this domain crash: the next one is to wait. */
  readonly backsOff: (domain: string) => boolean;
  /** Whether a session of this state runs warm. */
  readonly warms: (state: SessionState) => boolean;
}

export class Spares {
  readonly #ports: SparesPorts;
  readonly #wants = new Map<string, Want>();
  readonly #kept = new Map<string, Kept>();
  /** What sessions that are being commanded would be started with, and of which spec that was said. */
  readonly #foreseen = new Map<string, Foreseen>();
  readonly #rounds: Rounds;
  #next: Disposable | undefined;
  #restlessSince: number | undefined;
  #starting = false;
  #closed: boolean;

  constructor(ports: SparesPorts) {
    this.#ports = ports;
    const { spareForMs, spares } = ports.limits;
    this.#closed = spares === 0;
    const everyMs = Math.min(ROUND_MS, Math.max(SHORTEST_ROUND_MS, Math.ceil(spareForMs / 5)));
    this.#rounds = new Rounds(everyMs, () => {
      this.#round();
    });
    if (!this.#closed) this.#rounds.start();
  }

  /** Looks up what a session would be started with, for as long as what it gives is not disposed of. Rejects never. */
  async foresee(wish: StartWish, why: 'create' | 'send'): Promise<Disposable> {
    const { spec } = wish;
    const none = { [Symbol.dispose]: () => undefined };
    if (this.#closed || (why === 'send' && this.#kept.size === 0)) return none;
    const found = await this.#keyOf(wish);
    if (found === undefined) return none;
    this.#compare(found);
    const had = broughtTo(found, this.#ports.secrets.get(spec.id));
    this.#foreseen.set(spec.id, { ...keyIn(found), had, of: JSON.stringify(spec) });
    return {
      [Symbol.dispose]: () => {
        this.#foreseen.delete(spec.id);
      },
    };
  }

  /** A session was created: the next one may be started alike. */
  used({ state }: Session): void {
    const { spec } = state;
    const asked = this.#foreseen.get(spec.id);
    if (asked === undefined || this.#closed || !this.#ports.warms(state)) return;
    const { key, had } = asked;
    this.#wants.delete(key);
    this.#wants.set(key, { ...keyIn(asked), spec, had, usedAt: this.#rounds.now() });
    const [oldest] = this.#wants.keys();
    if (this.#wants.size > MOST_WANTS && oldest !== undefined) this.#wants.delete(oldest);
    this.poke();
  }

  /** The spare that a start of this session gets for itself, by its runtime's id. */
  fitting({ state }: Session): string | undefined {
    const asked = this.#foreseenOf(state);
    return asked === undefined || !this.#ports.warms(state)
      ? undefined
      : fitting(this.#all(), asked)?.runtime;
  }

  /** Those processes in which a conversation is open that this session would have opened alike. */
  conversing({ state }: Session): ReadonlySet<string> {
    const { conversation } = this.#foreseenOf(state) ?? {};
    if (conversation === undefined) return new Set();
    const alike = [...this.#kept].filter(([, kept]) => kept.conversation === conversation);
    return new Set(alike.map(([runtime]) => runtime));
  }

  /** What was looked up for just this start, which goes on with no conversation. */
  #foreseenOf(state: SessionState): Foreseen | undefined {
    const asked = this.#foreseen.get(state.spec.id);
    const same = asked?.of === JSON.stringify(state.spec) && startWishOf(state).resume === undefined;
    return same ? asked : undefined;
  }

  /** Undefined when that runtime is no spare. */
  assign(
    draft: Draft,
    session: Session,
    id: string,
  ): { readonly voice: HostedRuntime; readonly inputs: readonly RuntimeInput[] } | undefined {
    const kept = this.#kept.get(id);
    if (kept === undefined || 'join' in kept.runtime) return undefined;
    this.#take(draft, kept);
    kept.seat.session = session;
    draft.onRollback(() => {
      kept.seat.session = undefined;
    });
    draft.afterCommit(() => this.#ports.credentials.handOver(id, session.id));
    return { voice: kept.runtime, inputs: kept.runtime.assign(draft, session) };
  }

  /** A session is about to take the first seat in one, in this draft: its slot is that session's. */
  joined(draft: Draft, id: string): void {
    const kept = this.#kept.get(id);
    if (kept === undefined) throw new PilotlightError('internal', `There is no process ${id}`);
    this.#take(draft, kept);
  }

  leases(): readonly Lease[] {
    const now = this.#rounds.now();
    return this.#all().map((spare) => {
      const kept = this.#kept.get(spare.runtime);
      const want = this.#wants.get(spare.key);
      const words = verdictOfSpare(spare, want, now);
      const rssMb = kept?.runtime.rssMb;
      return {
        runtime: spare.runtime,
        sessions: [],
        kind: 'warm',
        ...(kept === undefined ? {} : openTo(kept)),
        idleMs: now - (kept?.bornAt ?? now),
        usedAt: want?.usedAt ?? 0,
        spare: words,
        ...(spare.phase === 'ending' ? { hold: { kind: 'ending', words } as const } : {}),
        ...(rssMb === undefined ? {} : { rssMb }),
      };
    });
  }

  /** Its slot is needed, or it is not. */
  end(draft: Draft, id: string): void {
    const kept = this.#kept.get(id);
    if (kept === undefined || kept.ending) return;
    kept.ending = true;
    draft.onRollback(() => {
      kept.ending = false;
    });
    if ('retire' in kept.runtime) kept.runtime.retire(draft, 'evicted');
    else kept.runtime.end(draft, 'evicted');
  }

  /** In a commit of its own. */
  unload(id: string): void {
    this.#ports.committer
      .commit((draft) => {
        this.end(draft, id);
      })
      .catch(this.#ports.report);
  }

  /** Its process is gone. One that did not live until somebody wanted it is not started again by itself. */
  gone(id: string): void {
    const kept = this.#kept.get(id);
    this.#kept.delete(id);
    if (kept !== undefined && !kept.ending) this.#wants.delete(kept.key);
    this.poke();
  }

  /** Something has changed: there may be room, or rest. */
  poke(): void {
    const idle = this.#wants.size === 0 && this.#kept.size === 0;
    if (this.#closed || idle || this.#next !== undefined) return;
    this.#next = after(this.#ports.limits.spareRestMs, () => {
      this.#next = undefined;
      this.#tend();
    });
  }

  /** No more are started; those that are there end, or are left to the next daemon. */
  close(how: 'end' | 'leave'): void {
    this.#closed = true;
    this.#rounds.stop();
    this.#next?.[Symbol.dispose]();
    this.#next = undefined;
    if (how === 'end') for (const id of this.#kept.keys()) this.unload(id);
  }

  #round(): void {
    for (const { runtime } of this.#kept.values()) void runtime.sample();
    this.#tend();
  }

  #tend(): void {
    if (this.#closed) return;
    const { limits, restless } = this.#ports;
    const now = this.#rounds.now();
    for (const [key, { usedAt }] of this.#wants)
      if (now - usedAt >= limits.spareForMs) this.#wants.delete(key);
    const { end, start } = decideSpares(this.#view(), limits);
    for (const { runtime } of end) this.unload(runtime);
    const { domain = '' } = this.#wants.get(start ?? '') ?? {};
    if (start === undefined || this.#starting || this.#ports.backsOff(domain)) {
      this.#restlessSince = undefined;
      return;
    }
    this.#restlessSince ??= now;
    if (restless() && now - this.#restlessSince < MOST_RESTS * limits.spareRestMs) return this.poke();
    this.#restlessSince = undefined;
    this.#start(start).catch((error: unknown) => {
      this.#wants.delete(start);
      this.#ports.report(error);
    });
  }

  /** What is on the disk may have changed since it was wanted. */
  async #start(key: string): Promise<void> {
    const { secrets } = this.#ports;
    const want = this.#wants.get(key);
    if (want === undefined) return;
    const { spec, usedAt } = want;
    this.#starting = true;
    const id = newId('rt');
    const { env, mcpServers } = want.had;
    const had = { env: Object.keys(env), mcpServers: Object.keys(mcpServers), credentials: [] };
    const seat: Seat = { id, spec: { ...want.spec, ...had, id } };
    let made = false;
    try {
      secrets.put(id, want.had);
      const found = await this.#keyOf({ spec: seat.spec, ...resumed(seat.spec) });
      if (found?.key === key)
        made = await this.#launch({ spec, had: want.had, usedAt, ...keyIn(found) }, seat);
      else this.#wants.delete(key);
    } finally {
      this.#starting = false;
      if (!made) secrets.remove(id);
    }
    this.poke();
  }

  /** Whether it is started: who came meanwhile may have taken the place. */
  async #launch(want: Want, seat: Seat): Promise<boolean> {
    const { committer, limits, start } = this.#ports;
    const { key, stamp, domain, conversation } = want;
    const now = this.#wants.get(key);
    if (now !== undefined) this.#wants.set(key, { ...now, stamp });
    return committer.commit((draft) => {
      if (this.#closed || decideSpares(this.#view(), limits).start !== key) return false;
      seat.converses = conversation !== undefined;
      const runtime = start(draft, seat, domain);
      const bornAt = this.#rounds.now();
      this.#kept.set(seat.id, { ...keyIn(want), seat, runtime, bornAt, ending: false });
      draft.onRollback(() => {
        this.#kept.delete(seat.id);
      });
      return true;
    });
  }

  #view(): SparesView {
    const wants = [...this.#wants.values()];
    return { wants, spares: this.#all(), pool: this.#ports.pool(), now: this.#rounds.now() };
  }

  #take(draft: Draft, kept: Kept): void {
    const { id } = kept.seat;
    this.#kept.delete(id);
    draft.onRollback(() => {
      this.#kept.set(id, kept);
    });
    draft.afterCommit(() => this.poke());
  }

  /** What is on the disk is not what those were started with that anybody could join: they are nobody's any more. */
  #compare({ key, stamp }: SpareKey): void {
    for (const kept of this.#kept.values()) if (kept.key === key && kept.stamp !== stamp) kept.stale = true;
    this.poke();
  }

  async #keyOf(wish: StartWish): Promise<WishKey | undefined> {
    try {
      const found = await this.#ports.keyOf(wish);
      if (found?.refusal === undefined) return found;
      this.#wants.delete(found.key);
      this.poke();
    } catch (error) {
      this.#ports.report(error);
    }
    return undefined;
  }

  #all(): Spare[] {
    return [...this.#kept].map(([runtime, kept]) => ({
      runtime,
      ...keyIn(kept),
      // Where a credential that it was started with has expired: nobody's any more.
      ...(kept.stale === true || this.#ports.credentials.expired(runtime) ? { stamp: '' } : {}),
      ...('converses' in kept.runtime ? { converses: kept.runtime.converses } : {}),
      phase: kept.ending ? 'ending' : kept.runtime.isSpare ? 'ready' : 'starting',
    }));
  }
}

function resumed({ resume }: SessionSpec): { readonly resume?: string } {
  return resume === undefined ? {} : { resume };
}
