/**
 * The whole life of one runtime, from its row in the journal to the last trace of it: what a session speaks to.
 *
 *   launching ──ready──▶ running ──gone──▶ gone
 *        └───failed────────────────────────▶ gone
 */
import { after } from '../async/after.ts';
import type { Child } from '../process/ports.ts';
import type { RuntimeEndReason } from '../protocol/index.ts';
import type {
  AgentCommand,
  AgentSignal,
  Draft,
  Listener,
  OutboxRecord,
  RuntimeInput,
  RuntimeRecord,
  Voice,
} from '../session/ports.ts';
import { Audience } from './audience.ts';
import { launch, LaunchFailure, type Launched } from './launch.ts';
import { commitSurely } from './persist.ts';
import type { RuntimeOrigin, RuntimePorts } from './ports.ts';
import { Reading } from './reading.ts';
import { exitOf, Relay } from './relay.ts';
import { readRow, readWrites } from './row.ts';
import { Runtime } from './runtime.ts';

/** Memory is looked at this long after a turn began or ended: not in the moments that count. */
const SAMPLE_AFTER_MS = 300;

type Phase =
  | { readonly kind: 'launching'; readonly calledOff: AbortController }
  | { readonly kind: 'running'; readonly runtime: Runtime; readonly child: Child }
  | { readonly kind: 'gone' };

export interface LifetimeOptions {
  readonly id: string;
  /** The sessions that it serves, and which of them an agent's conversation belongs to where there are several. */
  readonly sessions: readonly Listener[];
  readonly byConversation?: (conversation: string) => Listener | undefined;
  readonly ports: RuntimePorts;
  readonly onGone: (id: string) => void;
}

export class Lifetime implements Voice {
  readonly id: string;
  readonly #audience: Audience;
  readonly #ports: RuntimePorts;
  readonly #onGone: (id: string) => void;
  readonly #relay = new Relay();
  readonly startedAt: string = new Date().toISOString();
  #phase: Phase = { kind: 'launching', calledOff: new AbortController() };
  #detached = false;
  #rssMb: number | undefined;
  #sampling: Disposable | undefined;

  constructor(options: LifetimeOptions) {
    this.id = options.id;
    this.#audience = new Audience(options.sessions, options.byConversation);
    this.#ports = options.ports;
    this.#onGone = options.onGone;
  }

  get rssMb(): number | undefined {
    return this.#rssMb;
  }

  /** Its process, once there is one. */
  get pid(): number | undefined {
    return this.#phase.kind === 'running' ? this.#phase.child.identity.pid : undefined;
  }

  /** Makes the row in this draft; the process is started after the commit. */
  start(draft: Draft): void {
    draft.runtime(this.#startingRecord());
    draft.afterCommit(() => {
      void this.#launch();
    });
  }

  say(draft: Draft, command: AgentCommand): readonly AgentSignal[] {
    return this.#phase.kind === 'running' ? this.#phase.runtime.say(draft, command) : [];
  }

  end(draft: Draft, reason: RuntimeEndReason): void {
    const phase = this.#phase;
    if (phase.kind === 'running') phase.runtime.end(draft, reason);
    if (phase.kind === 'launching')
      draft.afterCommit(() => {
        phase.calledOff.abort();
      });
  }

  markTurn(open: boolean): void {
    if (this.#phase.kind !== 'running') return;
    const { child } = this.#phase;
    child.markTurn(open);
    this.#sampling?.[Symbol.dispose]();
    this.#sampling = after(SAMPLE_AFTER_MS, () => void this.#sample(child));
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
      const launched = await launch(this.#ports, {
        id: this.id,
        relay: this.#relay,
        signal: phase.calledOff.signal,
      });
      await this.#ready(launched, phase.calledOff.signal);
    } catch (error) {
      const failure =
        error instanceof LaunchFailure
          ? error
          : new LaunchFailure('spawn_failed', String(error), { cause: error });
      await this.#failed(failure, false);
    }
  }

  async #ready(launched: Launched, calledOff: AbortSignal): Promise<void> {
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
    const runtime = this.#run(origin, child);
    runtime.outbox.skipTo(written);
    const ready: RuntimeInput = {
      kind: 'runtime-ready',
      runtime: this.id,
      pid: child.identity.pid,
      startedAt: this.startedAt,
      startupMs,
      ...(version === undefined ? {} : { version }),
      resumed: greeted.resumed,
      ...(greeted.agentSessionId === undefined ? {} : { agentSessionId: greeted.agentSessionId }),
    };
    try {
      await this.#ports.committer.commit((draft) => {
        draft.runtime(runtime.record());
        if (calledOff.aborted) runtime.end(draft, 'closed');
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
    void this.#sample(child);
    this.#relay.connect(runtime);
    runtime.pump();
  }

  async #failed(failure: LaunchFailure, retry: boolean): Promise<void> {
    if (this.#detached) return;
    const { code, message, stderrTail } = failure;
    const input: RuntimeInput = {
      kind: 'runtime-failed',
      runtime: this.id,
      code,
      message,
      ...(stderrTail === undefined || stderrTail === '' ? {} : { stderrTail }),
      retry,
    };
    try {
      await this.#surely((draft) => {
        this.#audience.tellAll(draft, input);
        draft.dropRuntime(this.id);
        draft.afterCommit(() => {
          failure.child?.forget();
          this.#gone();
        });
      });
    } catch (error) {
      this.#ports.report(error);
    }
  }

  /** Takes over what an earlier daemon left. The session must listen already (see {@link go}). */
  async adopt(from: RuntimeRecord, writes: readonly OutboxRecord[]): Promise<void> {
    const child = this.#ports.children.attach(this.id, from.offset, this.#relay);
    if (child === undefined) return this.#lost(from);
    if (from.phase === 'starting') return this.#discard(child);
    try {
      const row = readRow(from.state);
      const { settings } = await this.#ports.settings();
      const reading = new Reading({
        maxLine: this.#ports.bounds.maxLine,
        offset: from.offset,
        skipping: row.skipping,
      });
      reading.lines = from.lines;
      reading.chunks = from.chunks;
      const state = this.#ports.dialect.revive(row.dialect);
      const { prompt } = row;
      const phase = from.phase;
      const runtime = this.#run(
        { record: from, child, reading, settings, state, prompt, phase, lastWrite: from.lastWrite },
        child,
      );
      runtime.outbox.restore(readWrites(writes));
      this.#relay.connect(runtime);
      if (phase === 'ending') child.end();
      else runtime.outbox.flush();
      void this.#sample(child);
      runtime.pump();
    } catch (error) {
      this.#ports.report(error);
      await this.#unreadable(from, child);
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
    const exited = exitOf(this.#relay);
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
    const exited = exitOf(this.#relay);
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
      const { lines, chunks } = from;
      this.#audience.tellAll(draft, {
        kind: 'runtime-ended',
        runtime: this.id,
        pid: from.pid ?? 0,
        ...how,
        lines,
        chunks,
      });
      draft.dropRuntime(this.id);
      draft.afterCommit(() => {
        this.#gone();
      });
    });
  }

  #surely(decide: (draft: Draft) => void): Promise<void> {
    return commitSurely(this.#ports.committer, decide, () => this.#detached);
  }

  #run(origin: RuntimeOrigin, child: Child): Runtime {
    const onGone = (): void => this.#gone();
    const runtime = new Runtime(origin, { audience: this.#audience, ports: this.#ports, onGone });
    this.#phase = { kind: 'running', runtime, child };
    return runtime;
  }

  #gone(): void {
    this.#phase = { kind: 'gone' };
    this.#onGone(this.id);
  }

  async #sample(child: Child): Promise<void> {
    const rssMb = await this.#ports.memory(child.identity);
    if (rssMb !== undefined) this.#rssMb = rssMb;
  }

  #startingRecord(): RuntimeRecord {
    return {
      id: this.id,
      agent: this.#ports.dialect.agent,
      sessions: this.#audience.ids,
      phase: 'starting',
      startedAt: this.startedAt,
      kind: 'warm',
      offset: 0,
      lastWrite: 0,
      state: null,
      lines: 0,
      chunks: 0,
    };
  }
}
