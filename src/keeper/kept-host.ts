/**
 * Children behind one connection to a keeper. Owns the connection and who listens to which child. When the connection ends, every child is
 * lost: its tree is reaped first, so that nothing is started beside a process that still lives.
 */
import type { Socket } from 'node:net';
import { within } from '../async/awake.ts';
import type { Child, ChildHost, ChildListener, ProcessIdentity, SpawnSpec } from '../process/ports.ts';
import { PilotlightError } from '../protocol/errors.ts';
import { readSpool, spooledChild } from './spool.ts';
import { Receipts } from './receipts.ts';
import { send, type KeptState, type Order, type Report, type RestartCommand } from './frames.ts';

export interface KeptHostOptions {
  readonly socket: Socket;
  readonly welcome: Extract<Report, { t: 'welcome' }>;
  readonly homeId: string;
  readonly home: string;
  /** Ends what a dead keeper left. */
  readonly reap: () => Promise<void>;
  /** For a process to be started, ms. */
  readonly spawnMs?: number;
}

const SPAWN_MS = 15_000;
const STOP_MS = 15_000;
const DISCARD_MS = 15_000;

interface Starting {
  readonly resolve: (identity: ProcessIdentity) => void;
  readonly reject: (error: PilotlightError) => void;
}

export class KeptHost implements ChildHost {
  readonly identity: ProcessIdentity;
  readonly version: string;
  readonly #socket: Socket;
  readonly #options: KeptHostOptions;
  readonly #known = new Map<string, KeptState>();
  readonly #listeners = new Map<string, ChildListener>();
  readonly #starting = new Map<string, Starting>();
  readonly #receipts = new Receipts((order) => {
    this.#order(order);
  });
  readonly #onLost: ((reason: string, reaped: Promise<void>) => void)[] = [];
  #reaping: Promise<void> = Promise.resolve();
  readonly #closed = Promise.withResolvers<void>();
  #state: 'open' | 'leaving' | 'lost' = 'open';

  constructor(options: KeptHostOptions) {
    this.#options = options;
    this.#socket = options.socket;
    const { pid, startTime, version, children } = options.welcome;
    this.identity = { pid, startTime };
    this.version = version;
    for (const child of children) this.#known.set(child.id, child);
  }

  /** Children that it holds or that are being started. */
  childCount(): number {
    return new Set([...this.#known.keys(), ...this.#listeners.keys()]).size;
  }

  get lost(): boolean {
    return this.#state === 'lost';
  }

  /** Called once, as soon as the keeper is gone; `reaped` resolves when what it held is, too. Not after `detach` or `stop`. */
  onLost(act: (reason: string, reaped: Promise<void>) => void): void {
    this.#onLost.push(act);
  }

  async spawn(spec: SpawnSpec, listener: ChildListener): Promise<Child> {
    if (this.#state !== 'open') throw new PilotlightError('keeper_lost', 'The keeper is gone');
    const { id, file, args, cwd, env, goodbye } = spec;
    const started = Promise.withResolvers<ProcessIdentity>();
    this.#starting.set(id, started);
    this.#listeners.set(id, listener);
    this.#order({ t: 'spawn', id, mark: `${this.#options.homeId}/${id}`, file, args, cwd, env }, goodbye);
    try {
      const identity = await within(
        started.promise,
        this.#options.spawnMs ?? SPAWN_MS,
        () => new PilotlightError('spawn_failed', `${file} was not started in time`),
      );
      const state = { id, identity, lastWrite: 0 };
      return this.#handle(state);
    } catch (error) {
      this.#listeners.delete(id);
      this.#order({ t: 'end', id });
      throw error;
    } finally {
      this.#starting.delete(id);
    }
  }

  attach(id: string, from: number, listener: ChildListener): Child | undefined {
    const state = this.#known.get(id);
    if (this.#state !== 'open') return undefined;
    if (state === undefined) {
      const spooled = readSpool(this.#options.home, id);
      return spooled === undefined
        ? undefined
        : spooledChild(this.#options.home, spooled, { id, from, listener });
    }
    this.#known.delete(id);
    this.#listeners.set(id, listener);
    this.#order({ t: 'attach', id, from });
    return this.#handle(state);
  }

  unclaimed(): readonly string[] {
    return [...this.#known.keys()];
  }

  discard(id: string): void {
    void this.#discard(id);
  }

  /** Ends what nobody has claimed, and waits until it is gone: nothing may be started in its place before. */
  async discardUnclaimed(): Promise<void> {
    const all = Promise.all(this.unclaimed().map((id) => this.#discard(id)));
    await within(
      all,
      DISCARD_MS,
      () => new PilotlightError('timeout', 'What the keeper held did not end in time'),
    );
  }

  async #discard(id: string): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const child = this.attach(id, Number.MAX_SAFE_INTEGER, {
      out: () => undefined,
      stderr: () => undefined,
      wrote: () => undefined,
      refused: () => undefined,
      exit: () => {
        this.#order({ t: 'forget', id });
        resolve();
      },
      lost: () => {
        resolve();
      },
    });
    if (child === undefined) return;
    child.end();
    await promise;
  }

  restartWith(restart: RestartCommand): void {
    this.#order({ t: 'restart', restart });
  }

  /** The daemon leaves on purpose; the keeper and its children stay. */
  async detach(): Promise<void> {
    await this.#leave({ t: 'detach' }, 1000);
  }

  /** Leaves without a word: the keeper takes this daemon for one that vanished, and starts it again. */
  vanish(): void {
    if (this.#state === 'open') this.#state = 'leaving';
    this.#socket.destroy();
  }

  /** Ends every child, then the keeper. */
  async stop(): Promise<void> {
    if (this.#state === 'lost') return this.#reaping;
    this.#state = 'leaving';
    this.#receipts.flush();
    this.#order({ t: 'stop' });
    await within(
      this.#closed.promise,
      STOP_MS,
      () => new PilotlightError('timeout', 'The keeper did not end'),
    ).catch(() => undefined);
    this.#socket.destroy();
    await this.#options.reap();
  }

  /** What the keeper says. */
  hear(report: Report, body: Buffer): void {
    if (report.t === 'welcome' || report.t === 'stopped') return;
    if (report.t === 'spawned') return this.#spawned(report.id, report.identity);
    if (report.t === 'spawn_failed') {
      const fix = report.fix === undefined ? {} : { fix: report.fix };
      return this.#starting.get(report.id)?.reject(new PilotlightError('spawn_failed', report.message, fix));
    }
    const listener = this.#listeners.get(report.id);
    switch (report.t) {
      case 'out':
        return listener?.out(report.offset, body);
      case 'err':
        return listener?.stderr(body);
      case 'wrote':
        return listener?.wrote(report.n);
      case 'refused':
        return listener?.refused(report.n, report.last, report.reason);
      case 'exit':
        this.#listeners.delete(report.id);
        return listener?.exit(report.exit);
    }
  }

  #spawned(id: string, identity: ProcessIdentity): void {
    const starting = this.#starting.get(id);
    if (starting !== undefined) {
      starting.resolve(identity);
      return;
    }
    // Nobody waits for it any more.
    this.#known.set(id, { id, identity, lastWrite: 0 });
    this.discard(id);
  }

  /** The connection is gone. */
  lose(reason: string): void {
    const was = this.#state;
    this.#state = 'lost';
    this.#receipts.drop();
    this.#closed.resolve();
    const error = new PilotlightError('keeper_lost', `The keeper is gone: ${reason}`);
    for (const starting of this.#starting.values()) starting.reject(error);
    if (was !== 'open') return;
    this.#reaping = this.#options.reap().catch(() => undefined);
    for (const act of this.#onLost) act(reason, this.#reaping);
    void this.#reaping.then(() => {
      const listeners = [...this.#listeners.values()];
      this.#listeners.clear();
      for (const listener of listeners) listener.lost(reason);
    });
  }

  async #leave(order: Order, ms: number): Promise<void> {
    if (this.#state !== 'open') return;
    this.#state = 'leaving';
    this.#receipts.flush();
    this.#order(order);
    this.#socket.end();
    await within(
      this.#closed.promise,
      ms,
      () => new PilotlightError('timeout', 'The socket did not close'),
    ).catch(() => undefined);
    this.#socket.destroy();
  }

  #handle(state: KeptState): Child {
    const { id, identity, lastWrite } = state;
    return {
      id,
      identity,
      lastWrite,
      write: (n, bytes) => this.#order({ t: 'write', id, n }, bytes),
      received: (offset) => {
        this.#receipts.received(id, offset);
      },
      acknowledge: (offset) => {
        this.#receipts.acknowledge(id, offset);
      },
      markTurn: (open) => this.#order({ t: 'turn', id, open }),
      end: () => this.#order({ t: 'end', id }),
      forget: () => {
        this.#receipts.forget(id);
        this.#order({ t: 'forget', id });
      },
    };
  }

  #order(order: Order, body?: Uint8Array): void {
    send(this.#socket, order, body);
  }
}
