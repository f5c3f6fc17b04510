/**
 * One agent process that is ready: read, written to, ended.
 * Owns the dialect's state and the one consumed offset. Knows no agent's protocol, no SQL, no session rules.
 *
 *   ready ──end()──▶ ending ──exit──▶ gone      (an exit or the loss of the holder leads to gone from both)
 *
 * Every batch of whole lines becomes one commit: events and state of the session, the dialect's state, the offset.
 * Only then is the output acknowledged to the holder of the pipes, so a daemon that dies reads it again, or never.
 */
import { after } from '../async/after.ts';
import {
  isOfSeat,
  type RequestIds,
  type SharedDialect,
  type SharedStep,
  type Told,
} from '../agents/dialect.ts';
import type { Child, ChildExit, ChildListener } from '../process/ports.ts';
import { PilotlightError, type RuntimeEndReason, type TurnFailureCode } from '../protocol/index.ts';
import type { AgentCommand, AgentSignal, Draft, RuntimeInput, RuntimeRecord } from '../session/ports.ts';
import type { WireLine } from '../wire/lines.ts';
import { howEnded, type End } from './ended.ts';
import { joinDeltas } from './join.ts';
import { Outbox } from './outbox.ts';
import { FULL_RETRY_MS } from './persist.ts';
import type { RuntimeOrigin, RuntimeSurroundings } from './ports.ts';
import type { Batch, Reading } from './reading.ts';
import type { RuntimeRow } from './row.ts';
import { translated } from './translated.ts';

/** Output that changed nothing but the dialect's state is kept by the keeper alone up to here, bytes. */
const MOST_SILENT = 64 * 1024;

type SeatStep = (dialect: SharedDialect<unknown>, state: unknown, ids: RequestIds) => SharedStep<unknown>;

export class Runtime implements ChildListener {
  readonly #origin: RuntimeOrigin;
  readonly #at: RuntimeSurroundings;
  readonly #child: Child;
  readonly #reading: Reading;
  readonly outbox: Outbox;
  #phase: 'ready' | 'ending' | 'gone';
  #state: unknown;
  #prompt: number;
  #reason: RuntimeEndReason | undefined;
  #end: End | undefined;
  #committing = false;
  /** The keeper may forget what is before. */
  #acknowledged: number;
  /** Commits refused in a row for another reason than a full disk. */
  #refusals = 0;
  #detached = false;
  rssMb: number | undefined;

  constructor(origin: RuntimeOrigin, at: RuntimeSurroundings) {
    this.#origin = origin;
    this.#at = at;
    this.#child = origin.child;
    this.#reading = origin.reading;
    this.#acknowledged = origin.reading.offset;
    this.#phase = origin.phase;
    this.#state = origin.state;
    this.#prompt = origin.prompt;
    this.#reason = origin.reason;
    const { input, seat } = at.ports;
    const context = { settings: origin.settings, input, ...(seat === undefined ? {} : { seat }) };
    this.outbox = new Outbox(
      {
        runtime: origin.record.id,
        stdinTimeoutMs: at.ports.bounds.stdinTimeoutMs,
        render: (write) => at.ports.dialect.render(write, context),
        write: (n, bytes) => {
          at.ports.trace?.('in', bytes.toString());
          this.#child.write(n, bytes);
        },
        failed: (code, message) => {
          this.broke(code, message);
        },
      },
      { last: origin.lastWrite, confirmed: origin.child.lastWrite },
    );
  }

  get phase(): 'ready' | 'ending' | 'gone' {
    return this.#phase;
  }

  /** See Voice.say. `seat`: whose session it is, where several share the process. */
  say(draft: Draft, command: AgentCommand, seat = ''): readonly AgentSignal[] {
    if (this.#phase !== 'ready') return [];
    const { dialect } = this.#at.ports;
    const prompt = this.#prompt;
    draft.onRollback(() => {
      this.#prompt = prompt;
    });
    if (command.kind === 'prompt') this.#prompt = this.outbox.last + 1;
    const signals = this.#step(draft, (state, ids) =>
      'join' in dialect ? dialect.accept(state, { seat, command }, ids) : dialect.accept(state, command, ids),
    );
    return signals.flatMap((one) => (isOfSeat(one) ? [] : [one]));
  }

  /** Of a process that several share: someone comes, or goes. Gives what is to be told at once. */
  seated(draft: Draft, make: SeatStep): readonly Told[] {
    const { dialect } = this.#at.ports;
    return 'join' in dialect ? this.#step(draft, (state, ids) => make(dialect, state, ids)) : [];
  }

  #step(draft: Draft, make: (state: unknown, ids: RequestIds) => SharedStep<unknown>): readonly Told[] {
    if (this.#phase !== 'ready') return [];
    const before = this.#state;
    draft.onRollback(() => {
      this.#state = before;
    });
    const step = make(before, this.#ids());
    this.#state = step.state;
    this.outbox.add(draft, step.writes);
    draft.runtime(this.record());
    return step.signals;
  }

  /** See Voice.end. */
  end(draft: Draft, reason: RuntimeEndReason): void {
    if (this.#phase !== 'ready') return;
    this.#phase = 'ending';
    this.#reason = reason;
    draft.onRollback(() => {
      this.#phase = 'ready';
      this.#reason = undefined;
    });
    draft.runtime(this.record());
    draft.afterCommit(() => {
      this.#child.end();
    });
  }

  /** Its bounds are broken or it cannot be understood: the turn fails, the process ends. */
  broke(code: TurnFailureCode, message: string): void {
    const input: RuntimeInput = { kind: 'runtime-broken', runtime: this.#origin.record.id, code, message };
    this.#at.ports.committer
      .commit((draft) => {
        this.#at.audience.tellAll(draft, input);
        // Of a shared one nobody may be left to end it.
        if (this.#at.audience.shared) this.end(draft, code === 'stdin_timeout' ? 'stuck' : 'crashed');
      })
      .catch((error: unknown) => {
        // Without a journal nothing can be said, but a process that cannot be used still ends.
        this.#at.ports.report(error);
        if (!this.#detached) this.#child.end();
      });
  }

  /** The daemon leaves: nothing more is read, nothing is ended. */
  detach(): void {
    this.#detached = true;
    this.outbox.stop();
  }

  record(): RuntimeRecord {
    const row: RuntimeRow = {
      v: 1,
      dialect: this.#at.audience.masked(this.#state),
      skipping: this.#reading.skipping,
      prompt: this.#prompt,
      ...(this.#reason === undefined ? {} : { reason: this.#reason }),
      ...(this.#at.audience.seats === undefined ? {} : { seats: this.#at.audience.seats() }),
    };
    return {
      ...this.#origin.record,
      sessions: this.#at.audience.ids,
      phase: this.#phase === 'gone' ? 'ending' : this.#phase,
      offset: this.#reading.offset,
      lastWrite: this.outbox.last,
      state: row,
      lines: this.#reading.lines,
      chunks: this.#reading.chunks,
    };
  }

  // What the child reports.

  out(offset: number, bytes: Buffer): void {
    if (this.#detached) return;
    try {
      this.#at.ports.trace?.('out', bytes.toString());
      this.#reading.enqueue(this.#reading.push(offset, bytes));
    } catch (error) {
      this.#at.ports.report(error);
      this.broke('runtime_lost', 'Output of the agent is missing');
      return;
    }
    this.#readOn();
    this.#at.audience.output();
    this.pump();
  }

  stderr(bytes: Buffer): void {
    this.#at.ports.trace?.('err', bytes.toString());
  }

  wrote(n: number): void {
    this.outbox.wrote(n);
  }

  refused(n: number, last: number, reason: string): void {
    // A closed stdin is followed by the exit, which says more.
    if (this.#phase === 'ready' && n > last + 1)
      this.broke('runtime_lost', `Message ${String(n)} was refused after ${String(last)}: ${reason}`);
  }

  exit(exit: ChildExit): void {
    this.#end ??= { kind: 'exit', exit };
    this.#reading.finish();
    this.pump();
  }

  lost(reason: string): void {
    this.#end ??= { kind: 'lost', reason };
    this.pump();
  }

  /** Commits what has been read; one commit at a time, again when more came meanwhile. */
  pump(): void {
    if (this.#committing || this.#detached || this.#phase === 'gone') return;
    if (!this.#reading.pending && this.#end === undefined) return;
    this.#committing = true;
    this.#at.ports.committer
      .commit((draft) => {
        this.#consume(draft);
      })
      .then(
        () => {
          this.#committing = false;
          this.#refusals = 0;
          this.pump();
        },
        (error: unknown) => {
          this.#refusedCommit(error);
        },
      );
  }

  /**
   * A full disk pauses the agent (nothing is acknowledged, so it is not read) until there is room; anything else breaks it, and what a process
   * that has ended printed last is given up for its ending (P1).
   */
  #refusedCommit(error: unknown): void {
    const full = error instanceof PilotlightError && error.code === 'journal_full';
    if (!full) {
      this.#at.ports.report(error);
      this.#refusals += 1;
    }
    if (this.#refusals > 1 && this.#end !== undefined) this.#reading.giveUp();
    if (!full && this.#phase === 'ready' && this.#end === undefined)
      this.broke('agent_error', 'Pilotlight could not make sense of what the agent printed');
    this.#at.audience.pause();
    after(FULL_RETRY_MS, () => {
      this.#committing = false;
      this.pump();
    });
  }

  #consume(draft: Draft): void {
    const before = {
      state: this.#state,
      phase: this.#phase,
      offset: this.#reading.offset,
      skipping: this.#reading.skipping,
    };
    draft.onRollback(() => {
      this.#state = before.state;
      this.#phase = before.phase;
      this.#reading.undo(before);
    });
    const batch = this.#reading.begin();
    const { last } = this.outbox;
    const signals = [...this.#lossOf(batch.lost), ...this.#translate(draft, batch.lines)];
    const { id } = this.#origin.record;
    const end = batch.lines.length === this.#reading.length ? this.#end : undefined;
    const silent = signals.length === 0 && this.outbox.last === last && end === undefined;
    if (silent && batch.offset - this.#acknowledged < MOST_SILENT) return this.#pass(draft, batch);
    this.#at.audience.tell(draft, id, joinDeltas(signals));
    this.outbox.tellConfirmed(draft);
    if (end === undefined) draft.runtime(this.record());
    else this.#finish(draft, end);
    draft.afterCommit(() => {
      this.#reading.done(batch);
      for (const one of signals) if (one.kind === 'agent-session') this.#at.ports.ownership?.in(one.id);
      if (end !== undefined) return;
      this.#acknowledged = batch.offset;
      this.#child.acknowledge(batch.offset);
      this.#readOn();
    });
  }

  /** Nothing came of these lines but another state of the dialect: it is kept with what comes next. A daemon that dies first reads them again. */
  #pass(draft: Draft, batch: Batch): void {
    draft.afterCommit(() => {
      this.#reading.done(batch);
      this.#readOn();
    });
  }

  /** Says once that output was given up. */
  #lossOf(lines: number): Told[] {
    if (lines === 0) return [];
    const message = `The last ${String(lines)} lines of the agent could not be kept and were given up`;
    return [{ kind: 'notice', level: 'error', code: 'output_lost', message }];
  }

  /** A line that goes on must not stop its own child; lines that wait for a commit must (a full disk pauses the agent). */
  #readOn(): void {
    if (this.#reading.length === 0) this.#child.received(this.#reading.received);
  }

  /** Lines → signals, moving the dialect's state; what the dialect answers by itself goes into the outbox. */
  #translate(draft: Draft, lines: readonly WireLine[]): readonly Told[] {
    const { dialect, report } = this.#at.ports;
    const said = translated({ dialect, report, state: this.#state, ids: this.#ids() }, lines);
    this.#state = said.state;
    for (const seat of said.about) this.#at.audience.output(seat);
    this.outbox.add(draft, said.writes);
    return said.signals;
  }

  #finish(draft: Draft, end: End): void {
    const { id, pid } = this.#origin.record;
    this.#phase = 'gone';
    this.#at.audience.tellAll(draft, {
      kind: 'runtime-ended',
      runtime: id,
      pid: pid ?? this.#child.identity.pid,
      ...howEnded(end, this.#reason),
      lines: this.#reading.lines,
      chunks: this.#reading.chunks,
      unwritten: end.kind === 'exit' && this.#prompt > this.outbox.confirmed,
    });
    draft.dropRuntime(id);
    draft.afterCommit(() => {
      this.outbox.stop();
      this.#child.forget();
      this.#at.onGone();
    });
  }

  #ids(): RequestIds {
    let made = 0;
    const base = this.#at.ports.generation * 1_000_000 + this.outbox.last;
    return {
      next: () => {
        made += 1;
        return base + made;
      },
    };
  }
}
