/**
 * Values of `env` and `credentials`, a file a session, 0600: what was given as a secret is here and nowhere else.
 * Without a directory (library in memory) they live in memory only.
 */
import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PilotlightError } from '../protocol/index.ts';

export interface SessionSecrets {
  /** Variable → value, for the agent's environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Name (`anthropicApiKey`, …) → value. */
  readonly credentials: Readonly<Record<string, string>>;
}

export interface SecretStore {
  put(session: string, secrets: SessionSecrets): void;
  get(session: string): SessionSecrets;
  remove(session: string): void;
}

const NONE: SessionSecrets = { env: {}, credentials: {} };

export function createSecretStore(directory: string | undefined): SecretStore {
  const memory = new Map<string, SessionSecrets>();
  if (directory === undefined)
    return {
      put: (session, secrets) => void memory.set(session, secrets),
      get: (session) => memory.get(session) ?? NONE,
      remove: (session) => void memory.delete(session),
    };
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  chmodSync(directory, 0o700);
  const fileOf = (session: string): string => join(directory, `${session}.json`);
  return {
    put(session, secrets) {
      if (Object.keys(secrets.env).length + Object.keys(secrets.credentials).length === 0) return;
      const file = fileOf(session);
      try {
        writeFileSync(`${file}.new`, JSON.stringify(secrets), { mode: 0o600 });
        renameSync(`${file}.new`, file);
      } catch (error) {
        rmSync(`${file}.new`, { force: true });
        throw noRoom(error, directory);
      }
    },
    get: (session) => read(fileOf(session)),
    remove(session) {
      rmSync(fileOf(session), { force: true });
    },
  };
}

/** A full disk is told as what it is. */
function noRoom(error: unknown, directory: string): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code !== 'ENOSPC' && code !== 'EDQUOT') return error;
  return new PilotlightError('journal_full', `There is no room for secrets (${directory})`, {
    fix: `Free space on the disk of ${directory}.`,
    detail: { path: directory },
    cause: error,
  });
}

function read(file: string): SessionSecrets {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return NONE;
  }
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed !== 'object' || parsed === null) return NONE;
    return { env: strings(parsed, 'env'), credentials: strings(parsed, 'credentials') };
  } catch (cause) {
    throw new PilotlightError('internal', `The secrets file ${file} cannot be read`, {
      fix: 'Create the session again, or put its credentials in anew.',
      cause,
    });
  }
}

function strings(parsed: object, key: string): Record<string, string> {
  const value: unknown = Reflect.get(parsed, key);
  if (typeof value !== 'object' || value === null) return {};
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}
