/** Starts a daemon that vanished again: same home, same port; 5 times in 10 minutes. Not one that left on purpose. */
import { spawn, type ChildProcess } from 'node:child_process';
import { openSync, closeSync } from 'node:fs';
import { join } from 'node:path';
import { after } from '../async/after.ts';
import type { RestartCommand } from './frames.ts';

const TIMES = 5;
const WITHIN_MS = 10 * 60_000;
/** Before one that failed at its start is tried again: meanwhile somebody else's may have come. */
const AGAIN_MS = 1000;

export class DaemonStarter {
  readonly #home: string;
  readonly #log: (message: string) => void;
  #command: RestartCommand | undefined;
  #starts: number[] = [];
  /** Daemons started here that live. */
  readonly #starting = new Set<ChildProcess>();

  readonly #wanted: () => boolean;

  /** `wanted`: whether there is no daemon and one is to be had. */
  constructor(home: string, log: (message: string) => void, wanted: () => boolean) {
    this.#home = home;
    this.#log = log;
    this.#wanted = wanted;
  }

  /** How to start it; undefined when it leaves on purpose. */
  use(command: RestartCommand | undefined): void {
    this.#command = command;
  }

  /** A daemon is there (or none is wanted any more): one that was started here and is another must not come up behind it. */
  settle(pid?: number): void {
    for (const starting of this.#starting) if (starting.pid !== pid) starting.kill('SIGTERM');
  }

  daemonLeft(): void {
    const command = this.#command;
    if (command === undefined) return;
    const now = performance.now();
    this.#starts = this.#starts.filter((at) => now - at < WITHIN_MS);
    if (this.#starts.length >= TIMES) {
      this.#log('the daemon vanished too often: it is not started again');
      return;
    }
    this.#starts.push(now);
    this.#log('the daemon vanished: starting it again');
    this.#start(command);
  }

  #start(command: RestartCommand): void {
    let log: number | 'ignore' = 'ignore';
    try {
      log = openSync(join(this.#home, 'logs', 'daemon.err'), 'a', 0o600);
    } catch {
      // A log that cannot be written is no reason to leave agents without a daemon.
    }
    try {
      const daemon = spawn(command.file, [...command.args], {
        cwd: command.cwd,
        env: { ...command.env },
        detached: true,
        stdio: ['ignore', log, log],
      });
      daemon.on('error', (error) => {
        this.#log(`the daemon could not be started: ${error.message}`);
      });
      this.#starting.add(daemon);
      daemon.once('exit', (code) => {
        this.#starting.delete(daemon);
        if (code === 0) return;
        const wait = AGAIN_MS * 2 ** (this.#starts.length - 1);
        after(wait, () => {
          if (this.#wanted() && this.#command === command) this.daemonLeft();
        });
      });
      daemon.unref();
    } catch (error) {
      this.#log(`the daemon could not be started: ${error instanceof Error ? error.message : String(error)}`);
    } finally {
      if (log !== 'ignore') closeSync(log);
    }
  }
}
