/**
 * The lines of one turn, counted, with the faults that strike at a line.
 * Knows nothing of what the lines say.
 */
import { complain, never } from './stdio.mjs';

/** Thrown out of a turn whose signal was aborted. */
export class Interrupted extends Error {}

const GARBAGE = [
  'npm warn something that does not belong here',
  '{"type":"assist',
  '[1, 2, 3]',
  '\u0007\u001B[2K',
];

export class TurnOut {
  #out;
  #faults;
  #number = 0;
  /** Aborted: what still comes is the ending, which nothing holds up. */
  signal;

  constructor({ out, faults, signal }) {
    this.#out = out;
    this.#faults = faults;
    this.signal = signal;
  }

  /** One line of the turn. `delta` marks where faults without `@N` strike. Throws {@link Interrupted}. */
  async put(value, { delta = false, ending = false } = {}) {
    if (!ending && this.signal.aborted) throw new Interrupted();
    this.#number += 1;
    const line = { number: this.#number, delta };
    const bytes = this.#bytesOf(value);
    if (this.#faults.has('garbage') && this.#number % 3 === 0)
      await this.#write(`${this.#garbage()}\n`, ending);
    if (delta) await this.#huge(ending);
    if (delta && this.#faults.has('stderr-flood')) this.#complainMuch();
    if (this.#faults.strikes('half', line)) {
      await this.#out.write(bytes.subarray(0, Math.ceil(bytes.length / 2)));
      await this.#leave(() => process.exit(3));
    }
    await this.#write(bytes, ending);
    if (this.#faults.strikes('exit-clean', line)) await this.#leave(() => process.exit(0));
    if (this.#faults.strikes('close-stdout', line)) {
      await this.#out.flush();
      this.#out.close();
      await never();
    }
    if (this.#faults.strikes('die', line)) await this.#leave(() => process.exit(3));
    if (this.#faults.strikes('kill-self', line))
      await this.#leave(() => process.kill(process.pid, 'SIGKILL'));
    if (this.#faults.strikes('hang', line)) {
      this.#out.mute();
      await never();
    }
    if (this.#faults.strikes('hang-soft', line)) {
      const interrupted = this.wait(never());
      // In the last lines of a turn there is nothing left to interrupt: they go on.
      await (ending ? interrupted.catch(() => undefined) : interrupted);
    }
  }

  /** Many deltas, in few writes when no fault counts lines. */
  async putAll(values) {
    if (!this.#faults.empty) {
      for (const value of values) await this.put(value, { delta: true });
      return;
    }
    if (this.signal.aborted) throw new Interrupted();
    this.#number += values.length;
    await this.#write(values.map((value) => `${JSON.stringify(value)}\n`).join(''), false);
  }

  /** Whatever is waited for, an interrupt ends the waiting. */
  async wait(promise) {
    if (this.signal.aborted) throw new Interrupted();
    let leave;
    const aborted = new Promise((_, reject) => {
      leave = () => reject(new Interrupted());
      this.signal.addEventListener('abort', leave, { once: true });
    });
    try {
      return await Promise.race([promise, aborted]);
    } finally {
      this.signal.removeEventListener('abort', leave);
    }
  }

  #bytesOf(value) {
    const bytes = Buffer.isBuffer(value) ? value : Buffer.from(`${JSON.stringify(value)}\n`);
    if (!this.#faults.has('crlf')) return bytes;
    return Buffer.concat([bytes.subarray(0, -1), Buffer.from('\r\n')]);
  }

  /** Synchronously: a host that does not read stderr would stop the agent here. */
  #complainMuch() {
    const megabytes = Number(this.#faults.argument('stderr-flood', '1'));
    if (!this.#faults.takes('stderr-flood')) return;
    const line = '\u001B[31mERROR\u001B[0m something is wrong '.padEnd(1023, '.');
    for (let left = megabytes * 1024; left > 0; left -= 1) complain(line);
  }

  async #write(bytes, ending) {
    if (this.#faults.has('torn-lines'))
      return this.#out.torn(bytes, Number(this.#faults.argument('torn-lines', '5')));
    const written = this.#out.write(bytes);
    await (ending ? written : this.wait(written));
  }

  /** Megabytes on one line: `huge-line` ends it at last, `huge-no-newline` does so only when it is interrupted. */
  async #huge(ending) {
    for (const name of ['huge-line', 'huge-no-newline']) {
      const megabytes = Number(this.#faults.argument(name, '1'));
      if (!this.#faults.takes(name)) continue;
      const piece = Buffer.alloc(64 * 1024, 'x');
      const open = name === 'huge-no-newline';
      try {
        await this.#out.alone(async (put) => {
          for (let left = megabytes * 16; left > 0; left -= 1) {
            const written = put(piece);
            await (ending ? written : this.wait(written));
          }
          if (!open) await put('\n');
        });
        if (open) await this.wait(never());
      } finally {
        if (open) await this.#out.write('\n');
      }
    }
  }

  #garbage() {
    return GARBAGE[(this.#number / 3) % GARBAGE.length];
  }

  async #leave(end) {
    await this.#out.flush();
    end();
    await never();
  }
}

/** The line with bytes that are not UTF-8 where it says `@@`. */
export function notUtf8(line) {
  const [before, after] = JSON.stringify(line).split('@@');
  return Buffer.concat([Buffer.from(before), Buffer.from([0xc3, 0x28, 0xff]), Buffer.from(`${after}\n`)]);
}
