/**
 * `tokens.json`: the scoped tokens of a home, hashed, 0600. Written whole and synced, so that a revocation holds after a power cut.
 * A file that cannot be trusted is refused, never guessed at.
 */
import {
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';
import { messageOf, PilotlightError, TokenView } from '../protocol/index.ts';

const KeptToken = TokenView.extend({ sha256: z.string().regex(/^[0-9a-f]{64}$/) });
export type KeptToken = z.infer<typeof KeptToken>;

const TokenFile = z.object({ version: z.literal(1), tokens: z.array(KeptToken) });

export function readTokens(file: string): readonly KeptToken[] {
  const text = readPrivate(file);
  if (text === undefined) return [];
  try {
    return TokenFile.parse(JSON.parse(text)).tokens;
  } catch (cause) {
    throw new PilotlightError('bad_request', `The file of scoped tokens ${file} cannot be read`, {
      fix: 'Mend it, or delete it: then every scoped token is revoked.',
      cause,
    });
  }
}

export function writeTokens(file: string, tokens: readonly KeptToken[]): void {
  writePrivate(file, { version: 1, tokens });
}

/** Writes JSON for its owner alone, whole or not at all; it is on the disk when this returns. */
export function writePrivate(file: string, value: unknown): void {
  const made = `${file}.new`;
  try {
    rmSync(made, { force: true });
    synced(openSync(made, 'wx', 0o600), (fd) => {
      writeSync(fd, `${JSON.stringify(value, undefined, 2)}\n`);
    });
    renameSync(made, file);
    synced(openSync(dirname(file), 'r'), () => undefined);
  } catch (cause) {
    rmSync(made, { force: true });
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
    if (code !== 'ENOSPC' && code !== 'EDQUOT') throw cause;
    throw new PilotlightError('journal_full', `There is no room for ${file}: ${messageOf(cause)}`, {
      fix: `Free space on the disk of ${file}.`,
      cause,
    });
  }
}

function synced(fd: number, act: (fd: number) => void): void {
  try {
    act(fd);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** The text of a file that only its owner may read, or undefined when there is none. Refuses one that others may read or write, with the fix. */
export function readPrivate(file: string, what = 'token file'): string | undefined {
  try {
    if ((statSync(file).mode & 0o077) !== 0)
      throw new PilotlightError('bad_request', `The ${what} ${file} can be read by others`, {
        fix: `Run: chmod 600 ${file}`,
      });
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
