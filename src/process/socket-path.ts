/** Where a Unix socket can be: the system allows about 100 bytes, so one with a longer path is made elsewhere, by a name that follows from it. */
import { createHash } from 'node:crypto';
import { lstatSync, mkdirSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { PilotlightError } from '../protocol/errors.ts';

const LONGEST = 100;

/** `runtimeDir`: $XDG_RUNTIME_DIR where there is one. */
export function socketPath(path: string, runtimeDir?: string): string {
  if (Buffer.byteLength(path) <= LONGEST) return path;
  const name = `${createHash('sha256').update(path).digest('hex').slice(0, 16)}.sock`;
  if (runtimeDir !== undefined && runtimeDir !== '' && Buffer.byteLength(join(runtimeDir, name)) <= LONGEST)
    return join(runtimeDir, name);
  return join(privateFolder(), name);
}

function privateFolder(): string {
  const { uid } = userInfo();
  const folder = join(tmpdir(), `pilotlight-${String(uid)}`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const stat = lstatSync(folder);
  if (!stat.isDirectory() || stat.uid !== uid || (stat.mode & 0o077) !== 0)
    throw new PilotlightError('journal_unusable', `${folder} is not a private directory of this user`, {
      fix: 'Remove it, set XDG_RUNTIME_DIR, or use a home with a shorter path.',
    });
  return folder;
}
