/**
 * Standard input and output of a fake agent: lines in, lines out, backpressure honoured, nothing lost before an exit.
 * Knows nothing of protocols or faults.
 */
import { closeSync, fstatSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** Standard output. Writes to a pipe never block the process: a fake whose host does not read still hears signals and its host. */
export class Out {
  #stream = openStdout();
  #muted = false;
  #gone = false;
  #waiting = [];
  /** The line that is between its two halves. */
  #torn;

  constructor() {
    // A host that has closed the pipe: both real agents live on and end at the end of their stdin.
    this.#stream.on('error', () => (this.#gone = true));
    this.#stream.on('close', () => this.#goOn());
    this.#stream.on('drain', () => this.#goOn());
  }

  get muted() {
    return this.#muted;
  }

  /** Nothing more is printed. */
  mute() {
    this.#muted = true;
  }

  /** Resolves at once, or when the pipe has room again. */
  async write(bytes) {
    while (this.#torn !== undefined) await this.#torn;
    await this.#put(bytes);
  }

  /** In two halves, MS apart. What else is written meanwhile comes behind both. */
  async torn(bytes, ms) {
    while (this.#torn !== undefined) await this.#torn;
    this.#torn = this.#halves(bytes, ms);
    await this.#torn;
    this.#torn = undefined;
  }

  /** One line in many pieces: `act` is given what writes one. What else is written meanwhile comes behind them. */
  async alone(act) {
    while (this.#torn !== undefined) await this.#torn;
    const { promise, resolve } = Promise.withResolvers();
    this.#torn = promise;
    try {
      await act((bytes) => this.#put(bytes));
    } finally {
      this.#torn = undefined;
      resolve();
    }
  }

  async #halves(bytes, ms) {
    const half = Math.ceil(bytes.length / 2);
    await this.#put(bytes.subarray(0, half));
    await sleep(ms);
    await this.#put(bytes.subarray(half));
  }

  async #put(bytes) {
    if (this.#muted || this.#gone || this.#stream.write(bytes)) return;
    await new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** The pipe is closed, and the process lives on. */
  close() {
    this.#muted = true;
    this.#stream.destroy();
    // A stream leaves the standard descriptors open.
    closeSync(1);
  }

  #goOn() {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  line(text) {
    return this.write(`${text}\n`);
  }

  json(value) {
    return this.line(JSON.stringify(value));
  }

  /** Resolves when all that was written has left the process. */
  async flush() {
    if (this.#gone) return;
    await new Promise((resolve) => this.#stream.write('', resolve));
  }
}

/** `process.stdout` writes to pipes synchronously, which would make a full pipe freeze the whole process. */
function openStdout() {
  const kind = fstatSync(1);
  if (!kind.isFIFO() && !kind.isSocket()) return process.stdout;
  return new Socket({ fd: 1, readable: false, writable: true });
}

/** Calls `heard` with each line, `ended` at the end of stdin. The returned `stop` never reads again. */
export function readLines(heard, ended) {
  let parts = [];
  let deaf = false;
  process.stdin.on('data', (chunk) => {
    let from = 0;
    for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, from)) {
      if (deaf) return;
      parts.push(chunk.subarray(from, at));
      from = at + 1;
      const line = Buffer.concat(parts).toString();
      parts = [];
      heard(line);
    }
    if (from < chunk.length) parts.push(chunk.subarray(from));
  });
  process.stdin.on('end', () => deaf || ended());
  process.stdin.on('error', () => deaf || ended());
  return {
    stop() {
      deaf = true;
      process.stdin.pause();
    },
  };
}

/** Synchronously: it must be out before an exit in the same tick. */
export function complain(text) {
  try {
    writeSync(2, `${text}\n`);
  } catch {
    // Nobody listens.
  }
}

export const never = () => new Promise(() => undefined);
