/**
 * The whole life of one runtime, from its row in the journal to the last trace of it: what a session speaks to.
 *
 *   launching ──ready──▶ running ──gone──▶ gone
 *        └───failed────────────────────────▶ gone
 */
import type { Child } from '../process/ports.ts';
import { PilotlightError, type RuntimeEndReason } from '../protocol/index.ts';
import type {
  AgentCommand,
  AgentSignal,
  Draft,
  Listener,
  OutboxRecord,
  RuntimeInput,
  RuntimeRecord,
  Slot,
  Voice,
} from '../session/ports.ts';
import { Audience, guarded, type Hearers } from './audience.ts';
import { CalledOff } from './called-off.ts';
import { failedInput, launch, LaunchFailure, launchFailure, readyOf, type Launched } from './launch.ts';
import { commitSurely, commitWhenRoom, type Persistence } from './persist.ts';
import type { RuntimeOrigin, RuntimePorts } from './ports.ts';
import { exitOf, Relay } from './relay.ts';
import { readWrites, startingRecord } from './row.ts';
import { Runtime } from './runtime.ts';
import { Sampler } from './sampler.ts';
import { takenOver } from './taken-over.ts';

type Phase =
  /** Being started, or being taken over. */
  | { readonly kind: 'launching'; readonly calledOff: CalledOff }
  | { readonly kind: 'running'; readonly runtime: Runtime; readonly child: Child }
  | { readonly kind: 'gone' };

export interface LifetimeOptions {
  readonly id: string;
  /** The sessions that it serves (none yet: it is started ahead), and which of them an agent's conversation belongs to where there are several. */
  readonly sessions: readonly Listener[];
  readonly byConversation?: (conversation: string) => Listener | undefined;
  /** Instead, where sessions come and go. */
  readonly hearers?: Hearers;
  /** It can be spoken to. */
  readonly onRunning?: () => void;
  readonly ports: RuntimePorts;
  readonly onGone: (id: string) => void;
  /** Its place in the pool. Without one it starts at once and stays. */
  readonly slot?: Slot;
  /** Its memory was read behind a turn. */
  readonly onMeasured?: (id: string) => void;
}

export class Lifetime implements Voice {
  readonly id: string;
  readonly #audience: Hearers;
  /** Of a process of one session, or of one to come. */
  readonly #sole: Audience | undefined;
  readonly #onRunning: (() => void) | undefined;
  readonly #ports: RuntimePorts;
  readonly #onGone: (id: string) => void;
  readonly #slot: Slot | undefined;
  readonly #relay = new Relay();
  readonly startedAt: string = new Date().toISOString();
  #phase: Phase = { kind: 'launching', calledOff: new CalledOff() };
  #openTurn = false;
  #detached = false;
  readonly #memory: Sampler;

  constructor(options: LifetimeOptions) {
    this.id = options.id;
    if (options.hearers === undefined) this.#sole = new Audience(options.sessions, options.byConversation);
    this.#audience = options.hearers ?? this.#sole ?? new Audience([]);
    this.#onRunning = options.onRunning;
    this.#ports = guarded(options.ports, this.#audience);
    this.#slot = options.slot;
    this.#memory = new Sampler(options.ports.memory, () => options.onMeasured?.(options.id));
    this.#onGone = options.onGone;
  }

  get rssMb(): number | undefined {
    return this.#memory.rssMb;
  }

  /** Its process, once there is one. */
  get pid(): number | undefined {
    return this.#phase.kind === 'running' ? this.#phase.child.identity.pid : undefined;
  }

  /** It is ready, and no session has it yet. */
  get isSpare(): boolean {
    const phase = this.#phase;
    return phase.kind === 'running' && phase.runtime.phase === 'ready' && this.#sole?.waits === true;
  }

  /** A process that was started ahead has its session, durably with this draft and before anything is written to it. Gives what the session is told. */
  assign(draft: Draft, session: Listener): readonly RuntimeInput[] {
    if (this.#phase.kind !== 'running' || !this.isSpare || this.#sole === undefined)
      throw new PilotlightError('internal', `Runtime ${this.id} is no spare`);
    const told = this.#sole.join(draft, session);
    this.#ports.ownership?.of(session.id);
    draft.runtime(this.#phase.runtime.record());
    return told.map((input) => (input.kind === 'runtime-ready' ? { ...input, spare: true } : input));
  }

  /** Undefined while it is being started or taken over, and when it is gone. */
  get running(): { readonly runtime: Runtime; readonly child: Child } | undefined {
    return this.#phase.kind === 'running' ? this.#phase : undefined;
  }

  /** Who is served has changed while it is being started. */
  keepStarting(draft: Draft): void {
    if (this.#phase.kind === 'launching') draft.runtime(this.#startingRecord());
  }

  /** Makes the row in this draft; the process is started after the commit. */
  start(draft: Draft): void {
    draft.runtime(this.#startingRecord());
    draft.afterCommit(() => {
      void this.#launch();
    });
  }

  /** Throws `starting` while it is being taken over: the session may know it as ready before its reader is. */
  say(draft: Draft, command: AgentCommand): readonly AgentSignal[] {
    if (this.#phase.kind === 'launching')
      throw new PilotlightError('starting', 'The agent is being taken over from an earlier daemon', {
        fix: 'Send again in a moment.',
      });
    return this.#phase.kind === 'running' ? this.#phase.runtime.say(draft, command) : [];
  }

  end(draft: Draft, reason: RuntimeEndReason): void {
    const phase = this.#phase;
    if (phase.kind === 'running') phase.runtime.end(draft, reason);
    if (phase.kind === 'launching')
      draft.afterCommit(() => {
        phase.calledOff.by(reason);
      });
  }

  markTurn(open: boolean): void {
    this.#openTurn = open;
    if (this.#phase.kind !== 'running') return;
    const { child } = this.#phase;
    child.markTurn(open);
    this.#memory.soon(child.identity);
  }

  async sample(): Promise<number | undefined> {
    if (this.#phase.kind !== 'running') return undefined;
    await this.#memory.sample(this.#phase.child.identity);
    return this.#memory.rssMb;
  }

  /** The daemon leaves: nothing more is read, nothing is ended. */
  detach(): void {
    this.#detached = true;
    if (this.#phase.kind === 'running') this.#phase.runtime.detach();
  }

  async #launch(): Promise<void> {
    const phase = this.#phase;
    if (phase.kind !== 'launching') return;
    try {
      await this.#slot?.granted(phase.calledOff.signal);
      const launched = await launch(this.#ports, {
        id: this.id,
        relay: this.#relay,
        signal: phase.calledOff.signal,
      });
      await this.#ready(launched, phase.calledOff);
    } catch (error) {
      await this.#failed(launchFailure(error), false);
    }
  }

  async #ready(launched: Launched, calledOff: CalledOff): Promise<void> {
    const { child, greeted, startupMs, written, version } = launched;
    const record = {
      ...this.#startingRecord(),
      pid: child.identity.pid,
      startTime: child.identity.startTime,
      startupMs,
      ...(version === undefined ? {} : { version }),
    };
    const origin: RuntimeOrigin = {
      ...launched,
      record,
      state: greeted.state,
      prompt: 0,
      phase: 'ready',
      lastWrite: written,
    };
    if (greeted.agentSessionId !== undefined) this.#ports.ownership?.in(greeted.agentSessionId);
    const runtime = this.#run(origin, child);
    runtime.outbox.skipTo(written);
    const perMessage = this.#slot?.perMessage === true;
    const ready = readyOf(launched, { runtime: this.id, startedAt: this.startedAt, perMessage });
    try {
      await commitWhenRoom(this.#persistence, (draft) => {
        draft.runtime(runtime.record());
        if (calledOff.reason !== undefined) runtime.end(draft, calledOff.reason);
        this.#audience.tellAll(draft, ready);
        this.#audience.tell(draft, this.id, greeted.signals);
        draft.afterCommit(() => {
          child.acknowledge(runtime.record().offset);
        });
      });
    } catch (error) {
      this.#ports.report(error);
      if (this.#detached) return;
      child.end();
    }
    void this.#memory.sample(child.identity);
    this.#relay.connect(runtime);
    runtime.pump();
    this.#onRunning?.();
  }

  async #failed(failure: LaunchFailure, retry: boolean): Promise<void> {
    if (this.#detached) return;
    const input = failedInput(this.id, failure, retry);
    await this.#surely((draft) => {
      this.#audience.tellAll(draft, input);
      draft.dropRuntime(this.id);
      draft.afterCommit(() => {
        failure.child?.forget();
        this.#gone();
      });
    });
  }

  /**
   * Takes over what an earlier daemon left; the session listens already. Resolves when it can be spoken to, or when it is settled that it
   * never can: what then still takes time (its end, the journal) is not waited for.
   */
  async adopt(from: RuntimeRecord, writes: readonly OutboxRecord[]): Promise<void> {
    const child = this.#ports.children.attach(this.id, from.offset, this.#relay);
    if (child === undefined) {
      void this.#lost(from);
      return;
    }
    if (from.phase === 'starting') {
      void this.#discard(child);
      return;
    }
    try {
      const { settings } = await this.#ports.settings('takeover');
      this.#audience.hide(settings.secrets, this.#ports.secretsIn?.(child.identity.pid));
      const origin = takenOver(this.#ports, { from, child, settings });
      this.#ports.ownership?.adopted(settings, child.identity);
      // Its end may have been asked for while it was being taken over.
      const wanted = this.#phase.kind === 'launching' ? this.#phase.calledOff.reason : undefined;
      const runtime = this.#run(origin, child);
      runtime.outbox.restore(readWrites(writes));
      child.markTurn(this.#openTurn);
      this.#relay.connect(runtime);
      if (origin.phase === 'ending') child.end();
      else if (wanted === undefined) runtime.outbox.flush();
      else void this.#surely((draft) => runtime.end(draft, wanted));
      void this.#memory.sample(child.identity);
      runtime.pump();
      this.#onRunning?.();
    } catch (error) {
      this.#ports.report(error);
      void this.#unreadable(from, child);
    }
  }

  /** Nobody holds the pipes any more: the turn it had is lost. */
  async #lost(from: RuntimeRecord): Promise<void> {
    if (from.phase === 'starting')
      return this.#failed(
        new LaunchFailure('runtime_lost', 'The process was lost while it started', {}),
        true,
      );
    await this.#ended(from, { reason: 'crashed', lost: true });
  }

  /** It was not ready: no message was in it. It is ended, and the session starts another. */
  async #discard(child: Child): Promise<void> {
    const exited = exitOf(this.#relay, child);
    child.end();
    await exited;
    await this.#failed(
      new LaunchFailure('runtime_lost', 'The start was cut short by a takeover', { child }),
      true,
    );
  }

  async #unreadable(from: RuntimeRecord, child: Child): Promise<void> {
    const input: RuntimeInput = {
      kind: 'runtime-broken',
      runtime: this.id,
      code: 'takeover_failed',
      message: `What the journal says of runtime ${this.id} could not be read by this version`,
    };
    const exited = exitOf(this.#relay, child);
    await this.#surely((draft) => {
      this.#audience.tellAll(draft, input);
    });
    child.end();
    await exited;
    await this.#ended(from, { reason: 'crashed' });
    child.forget();
  }

  async #ended(
    from: RuntimeRecord,
    how: { readonly reason: RuntimeEndReason; readonly lost?: boolean },
  ): Promise<void> {
    await this.#surely((draft) => {
      const { lines, chunks, pid = 0 } = from;
      const ended = { kind: 'runtime-ended', runtime: this.id, pid, ...how, lines, chunks } as const;
      this.#audience.tellAll(draft, ended);
      draft.dropRuntime(this.id);
      draft.afterCommit(() => {
        this.#gone();
      });
    });
  }

  #surely(decide: (draft: Draft) => void): Promise<void> {
    return commitSurely(this.#persistence, decide);
  }

  get #persistence(): Persistence {
    const { committer, report } = this.#ports;
    return { committer, report, given: () => this.#detached };
  }

  #run(origin: RuntimeOrigin, child: Child): Runtime {
    const onGone = (): void => this.#gone();
    const runtime = new Runtime(origin, { audience: this.#audience, ports: this.#ports, onGone });
    this.#phase = { kind: 'running', runtime, child };
    return runtime;
  }

  #gone(): void {
    this.#ports.ownership?.release();
    this.#phase = { kind: 'gone' };
    this.#onGone(this.id);
  }

  #startingRecord(): RuntimeRecord {
    const { id, startedAt } = this;
    const kind = this.#audience.shared ? 'shared' : this.#slot?.perMessage === true ? 'per-message' : 'warm';
    const { agent } = this.#ports.dialect;
    return startingRecord(
      { id, startedAt, kind, agent, sessions: this.#audience.ids },
      this.#audience.seats?.(),
    );
  }
}
