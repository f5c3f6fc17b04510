/**
 * One process that several sessions share: they come and go while it runs. Its own life is a {@link Lifetime}; who is in it are {@link Members}.
 * Owns how a session gets its seat and gives it back, and the bounds on both. What must outlive the daemon is data: a seat that was asked for, or whose conversation
 * was being opened or closed, is so for the next daemon too, and goes on from there.
 */
import type { Told } from '../agents/dialect.ts';
import type {
  AgentCommand,
  AgentSignal,
  Draft,
  Listener,
  OutboxRecord,
  RuntimeRecord,
  Seated,
  Voice,
} from '../session/ports.ts';
import { newId, PilotlightError, type RuntimeEndReason, type TurnFailureCode } from '../protocol/index.ts';
import { Ending } from './ending.ts';
import { Lifetime } from './lifetime.ts';
import { Members, type Refused, type Seat } from './members.ts';
import { Nobody } from './nobody.ts';
import { commitSurely } from './persist.ts';
import type { RuntimePorts } from './ports.ts';
import type { Runtime } from './runtime.ts';
import { SeatBounds } from './seat-bounds.ts';
import { markOf, seatsIn } from './seat-row.ts';
import { NOT_HAD, notOpened, refusedBy, SeatWishes } from './seat-wishes.ts';
import type { SharedOptions, SharedPorts } from './shared-ports.ts';

export class SharedLifetime {
  readonly id: string;
  readonly domain: string;
  readonly #options: SharedOptions;
  readonly #ports: SharedPorts;
  readonly #members: Members;
  readonly #lifetime: Lifetime;
  readonly #wishes: SeatWishes;
  readonly #bounds: SeatBounds;
  readonly #turns = new Set<string>();
  /** What they want is known: they may be admitted. */
  readonly #ready = new Set<string>();
  readonly #leaving = new AbortController();
  /** Seats of an earlier daemon whose sessions could not be read. */
  readonly #orphans: string[] = [];
  readonly #ending: Ending;
  #detached = false;

  constructor(options: SharedOptions) {
    const { id, from, ports } = options;
    this.id = id;
    this.#options = options;
    this.#ports = ports;
    this.#wishes = new SeatWishes(ports.dialect.agent, ports.member, (secrets) => {
      const hidden = this.#members.hide(secrets);
      if (hidden !== undefined) ports.keepSecrets(hidden);
    });
    this.#bounds = new SeatBounds(ports.threadTimeoutMs, (seat) => {
      const why = notOpened(ports.dialect.agent, ports.threadTimeoutMs);
      void this.#surely((draft) => this.#giveUp(draft, seat, why));
    });
    const left = from === undefined ? undefined : seatsIn(from.state);
    this.domain = left?.domain ?? options.domain;
    this.#ending = new Ending(from !== undefined && from.phase !== 'ready');
    this.#members = new Members({
      ahead: options.ahead !== undefined,
      domain: this.domain,
      seats: (left?.seats ?? []).flatMap((seat) => {
        const listener = options.listener(seat.session);
        if (listener === undefined) this.#orphans.push(seat.id);
        return listener === undefined ? [] : [{ ...seat, listener }];
      }),
      facts: () => (this.pid === undefined ? undefined : { pid: this.pid, startedAt: this.startedAt }),
      confirmed: () => this.#runtime?.outbox.confirmed ?? 0,
      onJoined: ({ id: seat }, conversation) => {
        this.#bounds.stop(seat);
        this.#wishes.in(seat, conversation);
      },
      onConversation: (seat, conversation) => this.#wishes.in(seat.id, conversation),
      onGone: (seat) => this.#left(seat),
      onPause: () => this.#bounds.pause(),
      onLife: (draft, input) => this.#ending.heard(draft, input),
    });
    this.#lifetime = new Lifetime({
      id,
      sessions: [],
      hearers: this.#members,
      slot: options.slot,
      ports: {
        ...ports,
        settings: (why) => this.#settings(why),
        seat: (seat) => this.#wishes.settings(seat),
      },
      onGone: () => {
        this.#bounds.close();
        options.onGone(id, this.#ending.how);
      },
      onMeasured: () => options.onMeasured(id),
      onRunning: () => this.#goOn(),
    });
  }

  get pid(): number | undefined {
    return this.#lifetime.pid;
  }

  get rssMb(): number | undefined {
    return this.#lifetime.rssMb;
  }

  get startedAt(): string {
    return this.#lifetime.startedAt;
  }

  /** It is ready, and no session has a seat in it yet. */
  get isSpare(): boolean {
    return this.#members.unused && !this.#ending.over && this.#runtime?.phase === 'ready';
  }

  /** A conversation is open in it that nobody has. */
  get converses(): boolean {
    return this.#members.nobodys?.phase === 'in';
  }

  /** Whether a session may take a seat in it. */
  get open(): boolean {
    const adopting = this.#options.from !== undefined && this.#runtime === undefined;
    return !this.#ending.over && !adopting;
  }

  /** Makes its row in this draft; the process is started after the commit. */
  start(draft: Draft): void {
    const { ahead } = this.#options;
    if (ahead?.converses === true) this.#ask(draft, newId('rt'), new Nobody(ahead.wish));
    this.#lifetime.start(draft);
  }

  /** A session takes a seat in this draft; it is told when its conversation is open. */
  join(draft: Draft, id: string, listener: Listener): Voice {
    const { nobodys } = this.#members;
    this.#ask(draft, id, listener);
    this.#keep(draft);
    // Its conversation is another.
    if (nobodys !== undefined)
      draft.afterCommit(() => void this.#surely((later) => this.#end(later, nobodys.id, 'closed')));
    return this.voice(id);
  }

  /** The same, with the conversation that was opened ahead, if it is: gives what was said in it. */
  take(draft: Draft, id: string, listener: Listener): Seated | undefined {
    const given = this.isSpare ? this.#members.give(draft, { id, listener }) : undefined;
    if (given === undefined) return undefined;
    const { from, inputs } = given;
    this.#runtime?.seated(draft, (dialect, state) => dialect.take(state, { from, to: id }));
    this.#keep(draft);
    draft.afterCommit(() => this.#wishes.given(from, id, listener.id));
    return { voice: this.voice(id), inputs };
  }

  voice(id: string): Voice {
    const rssMb = (): number | undefined => this.rssMb;
    return {
      id,
      get rssMb() {
        return rssMb();
      },
      say: (draft, command) => this.#say(draft, id, command),
      end: (draft, reason) => this.#end(draft, id, reason),
      markTurn: (open) => {
        this.#turns[open ? 'add' : 'delete'](id);
        this.#lifetime.markTurn(this.#turns.size > 0);
      },
    };
  }

  /** The process ends, for all who are in it. */
  retire(draft: Draft, reason: RuntimeEndReason): void {
    this.#ending.begin(draft);
    this.#lifetime.end(draft, reason);
  }

  /** A bound of it is broken: its turns fail, it is ended. */
  broke(code: TurnFailureCode, message: string): void {
    this.#runtime?.broke(code, message);
  }

  /** A session that waits for its seat gives up. */
  async refuse(id: string, why: Refused): Promise<void> {
    await this.#surely((draft) => {
      if (!this.#isAsked(id)) return;
      this.#members.turnAway(draft, id, why);
      this.#keep(draft);
    });
  }

  async adopt(from: RuntimeRecord, writes: readonly OutboxRecord[]): Promise<void> {
    await this.#lifetime.adopt(from, writes);
  }

  sample(): Promise<number | undefined> {
    return this.#lifetime.sample();
  }

  detach(): void {
    this.#detached = true;
    this.#leaving.abort();
    this.#bounds.close();
    this.#lifetime.detach();
  }

  get #runtime(): Runtime | undefined {
    return this.#lifetime.running?.runtime;
  }

  #say(draft: Draft, id: string, command: AgentCommand): readonly AgentSignal[] {
    const runtime = this.#runtime;
    if (runtime === undefined || this.#members.get(id)?.phase !== 'in')
      // While it is being taken over, a lifetime says so.
      return runtime === undefined ? this.#lifetime.say(draft, command) : [];
    if (command.kind === 'prompt') this.#members.change(draft, id, { prompt: runtime.outbox.last + 1 });
    return runtime.say(draft, command, id);
  }

  #end(draft: Draft, id: string, reason: RuntimeEndReason): void {
    const seat = this.#members.get(id);
    if (seat === undefined || seat.phase === 'leaving') return;
    this.#members.change(draft, id, { phase: 'leaving', reason });
    const others = this.#members.all.some((one) => one.id !== id && one.phase !== 'leaving');
    const unwritten = seat.phase === 'asked' && this.#runtime !== undefined;
    const whole = (reason === 'stuck' || reason === 'crashed') && !unwritten;
    // The last one ends it. So does one whose agent does not answer: what it has taken of the process is not known.
    if (this.#ending.over || whole || !others) return this.retire(draft, reason);
    if (seat.phase === 'asked' || this.#runtime === undefined) {
      this.#keep(draft);
      // Nothing was written for it.
      return draft.afterCommit(() => void this.#surely((later) => this.#calledOff(later, id)));
    }
    this.#leave(draft, id);
    draft.afterCommit(() => this.#bounds.start(id));
  }

  #calledOff(draft: Draft, id: string): void {
    this.#members.freed(draft, id);
    this.#keep(draft);
  }

  #leave(draft: Draft, id: string): void {
    const told = this.#runtime?.seated(draft, (dialect, state, ids) => dialect.leave(state, id, ids)) ?? [];
    // Its agent knows nothing of it. Its session may be in the middle of a decision.
    if (told.length > 0) draft.afterCommit(() => void this.#surely((later) => this.#told(later, told)));
  }

  #told(draft: Draft, told: readonly Told[]): void {
    if (told.length === 0) return;
    this.#members.tell(draft, this.id, told);
    this.#keep(draft);
  }

  #ask(draft: Draft, id: string, listener: Listener): void {
    const seat = { id, session: listener.id, phase: 'asked', joined: false, prompt: 0 } as const;
    this.#members.add(draft, { ...seat, since: draft.now, listener });
    draft.afterCommit(() => void this.#prepare(id));
  }

  /** What its session wants, before anything is written for it. */
  async #prepare(id: string): Promise<void> {
    const seat = this.#members.get(id);
    if (seat === undefined) return;
    try {
      await this.#wishes.read(seat, 'start');
      if (this.#isAsked(id)) await this.#wishes.claim(id, this.#leaving.signal);
    } catch (error) {
      await this.refuse(id, refusedBy(error));
    }
    // It was called off meanwhile: what was had for it is nobody's.
    if (!this.#isAsked(id)) return this.#wishes.forget(id, true);
    this.#ready.add(id);
    await this.#admit(id);
  }

  #isAsked(id: string): boolean {
    return this.#members.get(id)?.phase === 'asked';
  }

  /** Its conversation is opened, once the process runs and it is known what the session wants. */
  async #admit(id: string): Promise<void> {
    if (!this.#ready.has(id) || this.#runtime === undefined) return;
    await this.#surely((draft) => {
      const { running } = this.#lifetime;
      const settings = this.#wishes.settings(id);
      if (running === undefined || settings === undefined || !this.#isAsked(id)) return;
      this.#wishes.by(id, running.child.identity);
      this.#members.change(draft, id, { phase: 'joining' });
      const told = running.runtime.seated(draft, (dialect, state, ids) =>
        dialect.join(state, { seat: id, settings }, ids),
      );
      this.#told(draft, told);
      if (this.#members.get(id) !== undefined) draft.afterCommit(() => this.#bounds.start(id));
    });
  }

  /** The process goes on for the others. */
  #giveUp(draft: Draft, id: string, why: Refused): void {
    const phase = this.#members.get(id)?.phase;
    if (phase === 'joining') this.#members.turnAway(draft, id, why);
    else if (phase === 'leaving') this.#members.freed(draft, id);
    else return;
    this.#runtime?.seated(draft, (dialect, state) => dialect.forsake(state, id));
  }

  #left(seat: Seat): void {
    this.#bounds.stop(seat.id);
    this.#ready.delete(seat.id);
    this.#wishes.forget(seat.id, this.#runtime?.phase === 'ready');
    this.#turns.delete(seat.id);
    if (!(seat.listener instanceof Nobody)) this.#options.onLeft(seat.id, seat.session);
    if (this.#ending.over || this.#members.unused) return;
    if (this.#members.all.length > 0) return this.#options.ports.leftBehind(markOf(seat));
    void this.#surely((draft) => {
      if (this.#members.all.length === 0 && !this.#ending.over) this.retire(draft, 'closed');
    });
  }

  /** It runs, just started or taken over: everyone goes on from where the row says. */
  #goOn(): void {
    this.#ending.how.ran = true;
    const takenOver = this.#options.from !== undefined;
    const { child } = this.#lifetime.running ?? {};
    const going = this.#members.all.filter(({ phase }) => phase === 'leaving').map(({ id }) => id);
    if (takenOver) {
      this.#ports.leftByOthers(new Set(this.#members.all.map(markOf)));
      for (const id of [...going, ...this.#orphans]) void this.#surely((draft) => this.#leave(draft, id));
    }
    for (const { id, phase } of this.#members.all) {
      if (phase === 'asked') void (takenOver ? this.#prepare(id) : this.#admit(id));
      else if (takenOver && child !== undefined) this.#wishes.adopted(id, child.identity);
      if (phase === 'leaving' || phase === 'joining') this.#bounds.start(id);
      if (takenOver && phase === 'joining' && this.#wishes.settings(id) === undefined)
        void this.#surely((draft) => this.#giveUp(draft, id, NOT_HAD));
    }
  }

  /** For the process; at a takeover what each of its sessions wants is read, too: what was decided for them is to be written. */
  async #settings(why: 'start' | 'takeover'): ReturnType<RuntimePorts['settings']> {
    const first = this.#members.all[0]?.session ?? this.#options.ahead?.wish;
    const seated = this.#members.all.filter(({ phase }) => phase !== 'asked');
    if (why === 'takeover') await this.#wishes.again(seated, this.#ports.threadTimeoutMs);
    if (first === undefined) throw new PilotlightError('aborted', 'Nobody wants the process any more');
    return this.#ports.process(first);
  }

  #keep(draft: Draft): void {
    const runtime = this.#runtime;
    // What an earlier daemon wrote of it stays as it is until it is taken over.
    if (runtime === undefined && this.#options.from === undefined) this.#lifetime.keepStarting(draft);
    if (runtime !== undefined && runtime.phase !== 'gone') draft.runtime(runtime.record());
  }

  #surely(decide: (draft: Draft) => void): Promise<void> {
    const { committer, report } = this.#ports;
    return commitSurely({ committer, report, given: () => this.#detached }, decide);
  }
}
