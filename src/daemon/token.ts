/** The home's token: made once, 0600, compared by the API. */
import { randomBytes } from 'node:crypto';
import { chmodSync, linkSync, rmSync, writeFileSync } from 'node:fs';
import { PilotlightError } from '../protocol/index.ts';
import { readPrivate } from './token-file.ts';

/** Reads the token of a home or makes it (256 bits, base64url). Refuses one that others may read, with the fix. */
export function homeToken(file: string): string {
  const known = read(file);
  if (known !== undefined) return known;
  const token = randomBytes(32).toString('base64url');
  const made = `${file}.${String(process.pid)}`;
  try {
    // Whole or not at all: another daemon that starts at the same moment never reads half of it.
    writeFileSync(made, `${token}\n`, { mode: 0o600, flag: 'wx' });
    chmodSync(made, 0o600);
    linkSync(made, file);
    return token;
  } catch (error) {
    const other = read(file);
    if (other !== undefined) return other;
    throw error;
  } finally {
    rmSync(made, { force: true });
  }
}

function read(file: string): string | undefined {
  const text = readPrivate(file)?.trim();
  if (text === '')
    throw new PilotlightError('bad_request', `The token file ${file} is empty`, {
      fix: 'Delete it; a new one is made.',
    });
  return text;
}
