/**
 * A child process that speaks one JSON object a line, for tests: send one, wait for one, and be sure that it ends.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Environment } from './real-agents.ts';

// oxlint-disable-next-line typescript/no-explicit-any -- what a real CLI says; tests look at the fields that they prove
export type Line = Record<string, any>;

export interface Launch {
  readonly binary: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Environment;
}

export class JsonLinesChild implements AsyncDisposable {
  readonly lines: Line[] = [];
  readonly #child: ChildProcess;
  readonly #closed: Promise<unknown>;
  readonly #waiting = new Set<() => void>();
  #stderr = '';

  constructor({ binary, args, cwd, env }: Launch) {
    this.#child = spawn(binary, args, { cwd, env, stdio: ['pipe', 'pipe', 'pipe'], detached: true });
    this.#closed = once(this.#child, 'close').then(() => this.#wake());
    this.#child.stdin?.on('error', () => undefined);
    this.#child.stderr?.on(
      'data',
      (chunk: Buffer) => (this.#stderr = `${this.#stderr}${chunk.toString()}`.slice(-4000)),
    );
    if (this.#child.stdout === null) throw new Error('no stdout');
    createInterface({ input: this.#child.stdout, crlfDelay: Infinity }).on('line', (line) => {
      this.lines.push(JSON.parse(line));
      this.#wake();
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  send(message: object): void {
    this.#child.stdin?.write(`${JSON.stringify(message)}\n`);
  }

  endInput(): void {
    this.#child.stdin?.end();
  }

  /** The first line from number `from` on that fits; fails when the child ends without it. */
  async line(fits: (line: Line) => boolean, { from = 0, timeoutMs = 60_000 } = {}): Promise<Line> {
    const deadline = AbortSignal.timeout(timeoutMs);
    for (let at = from; ;) {
      for (; at < this.lines.length; at += 1) {
        const line = this.lines[at];
        if (line !== undefined && fits(line)) return line;
      }
      if (this.#child.exitCode !== null || this.#child.signalCode !== null) await this.#closed;
      if (at < this.lines.length) continue;
      if (deadline.aborted || this.#child.stdout?.readableEnded === true) throw new Error(this.#story());
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting.add(resolve);
      deadline.addEventListener('abort', () => resolve(), { once: true });
      await promise;
      this.#waiting.delete(resolve);
    }
  }

  /** Everything up to the end of the child. */
  async finished(): Promise<{ readonly code: number | null; readonly lines: readonly Line[] }> {
    await this.#closed;
    return { code: this.#child.exitCode, lines: this.lines };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { pid } = this.#child;
    if (this.#child.exitCode === null && this.#child.signalCode === null && pid !== undefined) {
      try {
        process.kill(-pid, 'SIGKILL');
      } catch {
        // It has ended meanwhile.
      }
    }
    await this.#closed;
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
  }

  #story(): string {
    const last = this.lines.slice(-5).map((line) => JSON.stringify(line).slice(0, 400));
    return `The line did not come. Last lines:\n${last.join('\n')}\nstderr: ${this.#stderr}`;
  }
}
