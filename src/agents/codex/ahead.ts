/**
 * What a Codex that several sessions share reads at its start, before any of them is there, and what a conversation reads when it is opened. Pure.
 *
 * Its configuration is read again for every thread, but what is the process's own (its log-in, telemetry, where it keeps its state) stays as it was. A log-in
 * that Codex renews by itself is another file too: the spare is then started anew, unused. Hooks belong to turns, so nothing acts on the world before.
 */
import { dirname, join } from 'node:path';
import type { Ahead } from '../dialect.ts';
import { conversations } from './plan.ts';

export const ahead: Ahead = {
  reads: ({ env }) => {
    const own = ['config.toml', 'managed_config.toml', 'auth.json', '.env'];
    return [...own.map((name) => join(conversations.at(env), name)), ...MACHINES];
  },
  refusal: () => undefined,
  conversation: ({ env, cwd, trust }) => {
    const home = conversations.at(env);
    const own = [...INSTRUCTIONS, 'hooks.json'].map((name) => join(home, name));
    // Of a repository that is not trusted it reads nothing.
    if (trust?.trusted === false) return own;
    const repository = [...INSTRUCTIONS, '.codex/config.toml', '.codex/hooks.json'];
    return [...own, ...upwards(cwd).flatMap((dir) => repository.map((name) => join(dir, name)))];
  },
};

const INSTRUCTIONS = ['AGENTS.md', 'AGENTS.override.md'];

/** The directory and those above it. */
function upwards(dir: string): string[] {
  const above = dirname(dir);
  return above === dir ? [dir] : [dir, ...upwards(above)];
}

const MACHINES = ['/etc/codex/config.toml', '/etc/codex/managed_config.toml', '/etc/codex/requirements.toml'];
