/**
 * Fake agents under the names of the real ones, in a folder that can be put first on PATH or named in a configuration.
 * The executables and their faults: test/agents/README.md.
 */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';

export interface FakeAgents {
  /** The folder with the two executables. */
  readonly dir: string;
  readonly claudePath: string;
  readonly codexPath: string;
}

/** Puts `claude` and `codex` into `dir` (made if need be). They run on this very Node, whatever PATH the child has. */
export function installFakeAgents(dir: string): FakeAgents {
  mkdirSync(dir, { recursive: true });
  return {
    dir,
    claudePath: install(path.join(dir, 'claude'), 'fake-claude.mjs'),
    codexPath: install(path.join(dir, 'codex'), 'fake-codex.mjs'),
  };
}

function install(file: string, script: string): string {
  const target = path.resolve(import.meta.dirname, '../agents', script);
  writeFileSync(file, `#!/bin/sh\nexec ${quoted(process.execPath)} ${quoted(target)} "$@"\n`);
  chmodSync(file, 0o755);
  return file;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
