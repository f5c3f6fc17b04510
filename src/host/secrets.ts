/**
 * Values of `env` and `credentials` and the definitions of MCP servers, a file a session, 0600: what was given as a secret is here and nowhere else.
 * Beside it lie the files that a session's agent reads at its start. Without a directory, or when they are not to persist, values live in memory only.
 */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { McpServers, PilotlightError } from '../protocol/index.ts';
import { isSealed, type Seal } from './seal.ts';

const Credential = z.union([
  z.object({ value: z.string(), expiresAt: z.string().exactOptional() }),
  // As it was written before there were expiries.
  z.string().transform((value) => ({ value })),
]);
export interface Credential {
  readonly value: string;
  /** ISO 8601. */
  readonly expiresAt?: string;
}

const SessionSecrets = z.object({
  /** Variable → value, for the agent's environment. */
  env: z.record(z.string(), z.string()).default({}),
  /** Name (`anthropicApiKey`, …) → value. */
  credentials: z.record(z.string(), Credential).default({}),
  mcpServers: McpServers.default({}),
});
export interface SessionSecrets {
  readonly env: Readonly<Record<string, string>>;
  readonly credentials: Readonly<Record<string, Credential>>;
  readonly mcpServers: McpServers;
}

export interface SecretStore {
  put(session: string, secrets: SessionSecrets): void;
  get(session: string): SessionSecrets;
  /** What a process must not be heard to say, for the daemon that follows it next; in place of what was kept for it. Removed with it. */
  keep(runtime: string, values: readonly string[]): void;
  kept(runtime: string): readonly string[];
  /** Values and files. */
  remove(owner: string): void;
  /** The directory of files that a session's agent reads at its start; made when one is written. */
  filesAt(session: string): string;
  /** Writes such a file, whole or not at all. */
  place(path: string, text: string): void;
  /** Removes what belongs to no such session (leftovers of a daemon that died), and values of before they were not to persist. */
  sweep(isOpen: (session: string) => boolean): void;
  /** Removes a directory that was made for a store without one. */
  dispose(): void;
}

export interface SecretStoreOptions {
  /** Absent: one is made under the temporary directory when it is needed. */
  readonly directory?: string;
  /** Whether values are written. */
  readonly persist: boolean;
  /** With it values lie sealed; those that lie there as they are become so. */
  readonly seal?: Seal;
}

export function createSecretStore(options: SecretStoreOptions): SecretStore {
  const { directory } = options;
  if (directory !== undefined) {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    chmodSync(directory, 0o700);
  }
  const values = directory !== undefined && options.persist ? onDisk(directory, options.seal) : inMemory();
  let made: string | undefined;
  const base = (): string => directory ?? (made ??= mkdtempSync(join(tmpdir(), 'pilotlight-')));
  return {
    put: (session, secrets) => values.put(session, secrets),
    get: (session) => values.get(session),
    keep: (runtime, kept) => {
      values.put(keptName(runtime), { ...none(), env: Object.fromEntries(kept.entries()) });
    },
    kept: (runtime) => Object.values(values.get(keptName(runtime)).env),
    remove(session) {
      values.forget(session);
      values.forget(keptName(session));
      const where = directory ?? made;
      if (where !== undefined) rmSync(startFilesOf(where, session), { recursive: true, force: true });
    },
    filesAt: (session) => startFilesOf(base(), session),
    place(path, text) {
      guarded(dirname(path), () => {
        mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
        writeWhole(path, text);
      });
    },
    sweep(isOpen) {
      if (directory === undefined) return;
      for (const name of readdirSync(directory))
        if (name.endsWith('.new') || !isOpen(ownerOf(name)) || (!options.persist && name.endsWith('.json')))
          rmSync(join(directory, name), { recursive: true, force: true });
    },
    dispose() {
      if (made !== undefined) rmSync(made, { recursive: true, force: true });
    },
  };
}

function startFilesOf(directory: string, session: string): string {
  return join(directory, `${session}.files`);
}

function keptName(runtime: string): string {
  return `${runtime}.kept`;
}

/** What belongs to a session is named `<session>.<rest>`. */
function ownerOf(name: string): string {
  return name.slice(0, name.indexOf('.'));
}

interface Values {
  put(session: string, secrets: SessionSecrets): void;
  get(session: string): SessionSecrets;
  forget(session: string): void;
}

const none = (): SessionSecrets => ({ env: {}, credentials: {}, mcpServers: {} });

function inMemory(): Values {
  const memory = new Map<string, SessionSecrets>();
  return {
    put: (session, secrets) => void memory.set(session, secrets),
    get: (session) => memory.get(session) ?? none(),
    forget: (session) => void memory.delete(session),
  };
}

function onDisk(directory: string, seal: Seal | undefined): Values {
  const fileOf = (session: string): string => join(directory, `${session}.json`);
  const closed = (session: string, text: string): string => seal?.close(session, text) ?? text;
  if (seal !== undefined)
    for (const { session, text, sealed } of valuesIn(directory))
      if (!sealed) writeWhole(fileOf(session), seal.close(session, text));
  return {
    put(session, secrets) {
      guarded(directory, () => {
        if (Object.values(secrets).every((part) => Object.keys(part).length === 0))
          rmSync(fileOf(session), { force: true });
        else writeWhole(fileOf(session), closed(session, JSON.stringify(secrets)));
      });
    },
    get: (session) => read(fileOf(session), session, seal),
    forget: (session) => rmSync(fileOf(session), { force: true }),
  };
}

/** Synchronous, so two writers of one process never mix; other processes have no business here (the journal's lock). */
function writeWhole(file: string, text: string): void {
  try {
    writeFileSync(`${file}.new`, text, { mode: 0o600 });
    renameSync(`${file}.new`, file);
  } catch (error) {
    rmSync(`${file}.new`, { force: true });
    throw error;
  }
}

function guarded(directory: string, act: () => void): void {
  try {
    act();
  } catch (error) {
    throw noRoom(error, directory);
  }
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

/** Whether values lie in this directory that only their key opens. */
export function hasSealed(directory: string): boolean {
  for (const { sealed } of valuesIn(directory)) if (sealed) return true;
  return false;
}

/** Sessions that have values in this directory. */
export function sessionsIn(directory: string): readonly string[] {
  const owners = filesIn(directory).map((name) => nameOf(name));
  return owners.filter((owner) => !owner.endsWith(keptName('')));
}

interface ValuesFile {
  readonly session: string;
  readonly text: string;
  readonly sealed: boolean;
}

function* valuesIn(directory: string): Generator<ValuesFile> {
  for (const name of filesIn(directory)) {
    const text = readFileSync(join(directory, name), 'utf8');
    yield { session: nameOf(name), text, sealed: isSealed(parsed(text)) };
  }
}

function nameOf(file: string): string {
  return file.slice(0, -'.json'.length);
}

function filesIn(directory: string): string[] {
  return existsSync(directory) ? readdirSync(directory).filter((name) => name.endsWith('.json')) : [];
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function read(file: string, session: string, seal: Seal | undefined): SessionSecrets {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return none();
  }
  const json = parsed(text);
  if (isSealed(json) && seal === undefined)
    throw unreadable(file, 'Set secrets.store = "keyring" again: it was sealed with a key that lies there.');
  try {
    return SessionSecrets.parse(isSealed(json) ? JSON.parse(seal?.open(session, json) ?? '') : json);
  } catch {
    // The cause would quote what is in it.
    throw unreadable(file, 'Create the session again, or put its credentials in anew.');
  }
}

function unreadable(file: string, fix: string): PilotlightError {
  return new PilotlightError('internal', `The secrets file ${file} cannot be read`, { fix });
}
