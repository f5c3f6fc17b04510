/** A disk of its own that can be filled and freed: a tmpfs, mounted by root or by `sudo -n`. */
import { execFileSync } from 'node:child_process';
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';

export class SmallDisk implements Disposable {
  readonly path: string;
  readonly #ballast: string;

  /** Mounts one over an empty folder. */
  constructor(path: string, megabytes: number) {
    this.path = path;
    this.#ballast = join(path, 'ballast');
    const { uid, gid } =
      process.getuid === undefined
        ? { uid: 0, gid: 0 }
        : { uid: process.getuid(), gid: process.getgid?.() ?? 0 };
    const options = `size=${String(megabytes)}m,mode=700,uid=${String(uid)},gid=${String(gid)}`;
    asRoot('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', path]);
  }

  /** Takes all the room that is left, to the last byte. */
  fill(): void {
    const file = openSync(this.#ballast, 'a');
    try {
      for (let size = 1024 * 1024; size >= 1;) {
        try {
          writeSync(file, Buffer.alloc(size));
        } catch {
          size = Math.floor(size / 4);
        }
      }
    } finally {
      closeSync(file);
    }
  }

  /** There is room again. */
  free(): void {
    rmSync(this.#ballast, { force: true });
  }

  /** Whether anybody may write to it. */
  writable(may: boolean): void {
    asRoot('mount', ['-o', `remount,${may ? 'rw' : 'ro'}`, this.path]);
  }

  [Symbol.dispose](): void {
    asRoot('umount', ['-l', this.path]);
  }
}

function asRoot(command: string, args: readonly string[]): void {
  if (process.getuid?.() === 0) execFileSync(command, [...args]);
  else execFileSync('sudo', ['-n', command, ...args]);
}
