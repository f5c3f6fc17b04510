/**
 * `logs/audit.jsonl`: who did what, a JSON line each, 0600, rotated and bounded. Knows nothing of what a line means.
 * Refusals of those who are nobody are counted beyond some a minute, so that nobody can push the rest out of the log.
 */
import { closeSync, existsSync, fstatSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { AuditEntry } from '../api/index.ts';

export interface AuditOptions {
  readonly directory: string;
  /** All of its files together are no larger. */
  readonly maxMb: number;
  /** Hears of the first line of a row that could not be written. */
  readonly report: (error: unknown) => void;
  readonly now?: () => number;
}

export interface Audit extends Disposable {
  write(entry: AuditEntry): void;
}

const FILES = 4;
const MINUTE_MS = 60_000;
/** Lines a minute for those without a valid token. */
const MOST_NOBODY = 60;

export function openAudit(options: AuditOptions): Audit {
  return new AuditLog(options);
}

class AuditLog implements Audit {
  readonly #options: AuditOptions;
  readonly #file: string;
  readonly #mostBytes: number;
  #fd: number | undefined;
  #bytes = 0;
  #failing = false;
  #minute = { since: 0, lines: 0, left: 0 };

  constructor(options: AuditOptions) {
    this.#options = options;
    this.#file = join(options.directory, 'audit.jsonl');
    this.#mostBytes = Math.floor((options.maxMb * 1024 * 1024) / FILES);
  }

  write(entry: AuditEntry): void {
    const now = (this.#options.now ?? Date.now)();
    if (!this.#mayStand(entry, now)) return;
    this.#append({ time: new Date(now).toISOString(), ...entry });
  }

  [Symbol.dispose](): void {
    this.#tellLeftOut(Date.now());
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  #mayStand(entry: AuditEntry, now: number): boolean {
    if (Math.abs(now - this.#minute.since) >= MINUTE_MS) {
      this.#tellLeftOut(now);
      this.#minute = { since: now, lines: 0, left: 0 };
    }
    if (entry.by.id !== 'nobody') return true;
    this.#minute.lines += 1;
    if (this.#minute.lines <= MOST_NOBODY) return true;
    this.#minute.left += 1;
    return false;
  }

  #tellLeftOut(now: number): void {
    const { left } = this.#minute;
    if (left === 0) return;
    this.#minute.left = 0;
    this.#append({ time: new Date(now).toISOString(), by: { id: 'nobody', name: 'nobody' }, leftOut: left });
  }

  /** A log that cannot be written stops no work: it is said once. */
  #append(line: object): void {
    try {
      const bytes = Buffer.from(`${JSON.stringify(line)}\n`);
      const fd = this.#open(bytes.length);
      writeSync(fd, bytes);
      this.#bytes += bytes.length;
      this.#failing = false;
    } catch (error) {
      if (!this.#failing) this.#options.report(error);
      this.#failing = true;
    }
  }

  #open(more: number): number {
    if (this.#fd !== undefined && this.#bytes + more > this.#mostBytes) {
      closeSync(this.#fd);
      this.#fd = undefined;
      this.#rotate();
    }
    if (this.#fd === undefined) {
      this.#fd = openSync(this.#file, 'a', 0o600);
      this.#bytes = fstatSync(this.#fd).size;
    }
    return this.#fd;
  }

  /** audit.jsonl → .1 → .2 → .3, and the oldest goes. */
  #rotate(): void {
    const at = (n: number): string => (n === 0 ? this.#file : `${this.#file}.${String(n)}`);
    rmSync(at(FILES - 1), { force: true });
    for (let n = FILES - 2; n >= 0; n -= 1) if (existsSync(at(n))) renameSync(at(n), at(n + 1));
  }
}
