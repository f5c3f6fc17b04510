/** The home's token: made once, 0600, compared by the API. */
import { randomBytes } from 'node:crypto';
import { chmodSync, linkSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { PilotlightError } from '../protocol/index.ts';

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
  let text: string;
  try {
    if ((statSync(file).mode & 0o077) !== 0)
      throw new PilotlightError('bad_request', `The token file ${file} can be read by others`, {
        fix: `Run: chmod 600 ${file}`,
      });
    text = readFileSync(file, 'utf8').trim();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
  if (text === '')
    throw new PilotlightError('bad_request', `The token file ${file} is empty`, {
      fix: 'Delete it; a new one is made.',
    });
  return text;
}
