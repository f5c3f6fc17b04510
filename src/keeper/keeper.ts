/**
 * The keeper: holds agents' pipes while daemons come and go. Owns the children and the one connection. Knows bytes, no protocol of agents.
 *
 *   no daemon (grace runs) ⇄ attached          a higher generation closes the older connection
 */
import { timingSafeEqual } from 'node:crypto';
import type { Socket } from 'node:net';
import { after, every } from '../async/after.ts';
import { processIdentity } from '../process/identity.ts';
import type { LadderTimes, SpawnSpec } from '../process/ports.ts';
import { removeRecord, writeRecord } from '../process/records.ts';
import { PilotlightError } from '../protocol/errors.ts';
import { FrameReader, PROTOCOL, send, type Frame, type Order } from './frames.ts';
import { readOrder } from './headers.ts';
import { KeptChild, type Tell } from './kept.ts';
import { DaemonStarter } from './restart.ts';
import { spool } from './spool.ts';

/** What a pipe holds: less would only slow a child down. */
const SMALLEST_WINDOW = 64 * 1024;

export interface KeeperOptions {
  readonly home: string;
  readonly secret: string;
  readonly version: string;
  readonly ladder: LadderTimes;
  readonly graceMs: number;
  /** The longest grace, open turns or not. */
  readonly longestGraceMs: number;
  /** How long a keeper without a child and without a daemon stays. */
  readonly idleMs: number;
  readonly attachedBytes: number;
  readonly allAttachedBytes: number;
  readonly aloneBytes: number;
  readonly allAloneBytes: number;
  readonly log: (message: string) => void;
  /** The keeper has nothing to keep any more. */
  readonly onDone: () => void;
}

const HELLO_MS = 5000;
const GRACE_STEP_MS = 1000;

export class Keeper {
  readonly #options: KeeperOptions;
  readonly #children = new Map<string, KeptChild>();
  readonly #starter: DaemonStarter;
  #daemon: { readonly socket: Socket; readonly generation: number } | undefined;
  #grace: Disposable | undefined;
  /** The highest generation that was ever here: an older daemon stays out when the newer one is gone, too. */
  #newest = 0;
  readonly #spawning = new Set<Promise<void>>();
  #stopping = false;
  #givingUp = false;

  constructor(options: KeeperOptions) {
    this.#options = options;
    this.#starter = new DaemonStarter(
      options.home,
      options.log,
      () => this.#daemon === undefined && !this.#stopping,
    );
    this.#alone();
  }

  /** A connection that has said nothing yet. */
  accept(socket: Socket): void {
    const frames = new FrameReader();
    let generation: number | undefined;
    const silent = after(HELLO_MS, () => {
      if (generation === undefined) socket.destroy();
    });
    socket.on('error', () => undefined);
    socket.on('drain', () => {
      if (this.#daemon?.socket === socket) for (const child of this.#children.values()) child.flow();
    });
    socket.on('close', () => {
      silent[Symbol.dispose]();
      if (this.#daemon?.socket === socket) this.#left();
    });
    socket.on('data', (bytes) => {
      try {
        for (const frame of frames.push(bytes)) {
          // What an older connection had still to say when a newer one came is dropped.
          if (socket.destroyed) return;
          const order = readOrder(frame.header);
          if (generation === undefined) generation = this.#greet(socket, order);
          else this.#obey(order, frame);
        }
      } catch (error) {
        this.#options.log(
          `a connection broke the protocol: ${error instanceof Error ? error.message : String(error)}`,
        );
        socket.destroy();
      }
    });
  }

  /** Ends every child, then itself. */
  async stop(): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    this.#starter.use(undefined);
    this.#grace?.[Symbol.dispose]();
    for (const child of this.#children.values()) {
      child.end();
      child.drain();
    }
    await this.#allGone();
    this.#tell({ t: 'stopped' });
    this.#options.onDone();
  }

  /** The system wants it gone: a daemon that is attached hears of the ends itself; for the next one what nobody has heard is kept. */
  async terminate(): Promise<void> {
    if (this.#daemon === undefined) await this.#giveUp('asked to end');
    else await this.stop();
  }

  #greet(socket: Socket, order: Order): number {
    if (order.t !== 'hello') throw new Error('no hello');
    if (!sameSecret(order.secret, this.#options.secret)) throw new Error('wrong secret');
    if (order.v !== PROTOCOL) throw new Error(`protocol ${String(order.v)}`);
    if (order.generation < this.#newest) throw new Error('an older generation');
    this.#newest = order.generation;
    const older = this.#daemon;
    this.#daemon = { socket, generation: order.generation };
    older?.socket.destroy();
    this.#grace?.[Symbol.dispose]();
    this.#grace = undefined;
    this.#starter.use(order.restart);
    this.#starter.settle(order.pid);
    for (const child of this.#children.values()) child.detach();
    void this.#welcome(socket);
    return order.generation;
  }

  /** A child that is being started is named, too: the daemon that asked for it may be gone. */
  async #welcome(socket: Socket): Promise<void> {
    await Promise.allSettled(this.#spawning);
    const me = processIdentity(process.pid) ?? { pid: process.pid, startTime: '' };
    const children = [...this.#children.values()].flatMap((child) => child.state ?? []);
    if (this.#daemon?.socket === socket)
      send(socket, { t: 'welcome', v: PROTOCOL, version: this.#options.version, ...me, children });
  }

  #obey(order: Order, frame: Frame): void {
    switch (order.t) {
      case 'hello':
        throw new Error('hello twice');
      case 'spawn': {
        const spawning = this.#spawn(order, frame.body);
        this.#spawning.add(spawning);
        void spawning.finally(() => this.#spawning.delete(spawning));
        return;
      }
      case 'attach':
        this.#children.get(order.id)?.attach(this.#tell, order.from);
        return;
      case 'write':
        this.#write(order, frame.body);
        return;
      case 'received':
        this.#children.get(order.id)?.received(order.offset);
        return;
      case 'ack':
        this.#children.get(order.id)?.acknowledge(order.offset);
        return;
      case 'turn': {
        const child = this.#children.get(order.id);
        if (child !== undefined) child.openTurn = order.open;
        return;
      }
      case 'end':
        this.#children.get(order.id)?.end();
        return;
      case 'forget':
        this.#forget(order.id);
        return;
      case 'restart':
        this.#starter.use(order.restart);
        return;
      case 'detach':
        this.#starter.use(undefined);
        return;
      case 'stop':
        void this.stop();
    }
  }

  #write(order: Extract<Order, { t: 'write' }>, bytes: Buffer): void {
    const child = this.#children.get(order.id);
    if (child === undefined)
      this.#tell({ t: 'refused', id: order.id, n: order.n, last: 0, reason: 'there is no such child' });
    else child.write(order.n, bytes);
  }

  /** How far a child may be ahead of its reader. */
  #window(): number {
    const { attachedBytes, allAttachedBytes } = this.#options;
    return Math.min(attachedBytes, Math.max(SMALLEST_WINDOW, allAttachedBytes / this.#children.size));
  }

  async #spawn(order: Extract<Order, { t: 'spawn' }>, goodbye: Buffer): Promise<void> {
    const { id, mark, file, args, cwd, env } = order;
    const records = `${this.#options.home}/processes`;
    const about = { id, mark, command: file };
    const child = new KeptChild(id, {
      attached: () => this.#window(),
      alone: this.#options.aloneBytes,
      allAlone: () =>
        [...this.#children.values()].reduce((sum, one) => sum + one.kept, 0) >= this.#options.allAloneBytes,
    });
    try {
      if (this.#stopping || this.#children.has(id))
        throw new PilotlightError('spawn_failed', `${id} cannot be started now`);
      this.#children.set(id, child);
      quietly(() => writeRecord(records, about));
      // Copied: the frame's memory is shared with what came with it.
      const spec: SpawnSpec = { id, file, args, cwd, env, goodbye: Buffer.from(goodbye) };
      const held = await child.start({
        spec,
        mark,
        ladder: this.#options.ladder,
        tell: this.#tell,
        onExit: (stuck) => {
          if (!stuck) quietly(() => removeRecord(records, id));
        },
      });
      quietly(() => writeRecord(records, { ...about, identity: held.identity }));
      this.#tell({ t: 'spawned', id, identity: held.identity });
      if (this.#stopping) held.end();
    } catch (error) {
      if (this.#children.get(id) === child) this.#children.delete(id);
      quietly(() => removeRecord(records, id));
      const message = error instanceof Error ? error.message : String(error);
      const fix = error instanceof PilotlightError ? error.fix : undefined;
      this.#tell({ t: 'spawn_failed', id, message, ...(fix === undefined ? {} : { fix }) });
    }
  }

  #forget(id: string): void {
    if (this.#children.get(id)?.exited !== undefined) this.#children.delete(id);
  }

  readonly #tell: Tell = (report, body) => {
    const socket = this.#daemon?.socket;
    if (socket === undefined) return false;
    // stderr is for debugging: a daemon that is behind does without.
    if (report.t === 'err' && socket.writableNeedDrain) return false;
    return send(socket, report, body);
  };

  #left(): void {
    this.#daemon = undefined;
    for (const child of this.#children.values()) child.detach();
    if (this.#stopping) return;
    this.#starter.daemonLeft();
    this.#alone();
  }

  /** No daemon: the grace runs while no child has an open turn; a keeper with nothing to keep ends soon. */
  #alone(): void {
    let quiet = 0;
    let all = 0;
    this.#grace?.[Symbol.dispose]();
    this.#grace = every(
      Math.min(GRACE_STEP_MS, this.#options.idleMs),
      () => {
        const step = Math.min(GRACE_STEP_MS, this.#options.idleMs);
        const children = [...this.#children.values()];
        const busy = children.some((child) => child.openTurn && child.exited === undefined);
        all += step;
        quiet = busy ? quiet : quiet + step;
        const bound = children.length === 0 ? this.#options.idleMs : this.#options.graceMs;
        if (quiet >= bound || all >= this.#options.longestGraceMs) void this.#giveUp('no daemon came back');
      },
      { ref: true },
    );
  }

  async #giveUp(why: string): Promise<void> {
    if (this.#stopping || this.#givingUp) return;
    this.#givingUp = true;
    this.#options.log(`${why}: ending`);
    const children = [...this.#children.values()];
    for (const child of children) {
      child.end();
      child.drain();
    }
    await this.#allGone();
    this.#givingUp = false;
    // One that came back meanwhile hears of the ends itself.
    if (this.#daemon !== undefined) return;
    for (const child of children) quietly(() => spool(this.#options.home, child));
    await this.stop();
  }

  async #allGone(): Promise<void> {
    const bound =
      this.#options.ladder.termAfterMs +
      this.#options.ladder.killAfterMs +
      this.#options.ladder.stuckAfterMs +
      2000;
    const deadline = performance.now() + bound;
    while (
      [...this.#children.values()].some((child) => child.exited === undefined) &&
      performance.now() < deadline
    ) {
      const { promise, resolve } = Promise.withResolvers<void>();
      after(20, resolve, { ref: true });
      await promise;
    }
  }
}

function sameSecret(given: string, ours: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(ours)];
  return a.length === b.length && timingSafeEqual(a, b);
}

/** A full disk must not cost the keeper its children. */
function quietly(act: () => void): void {
  try {
    act();
  } catch {
    // Records and spool only help; the mark finds processes without them.
  }
}
