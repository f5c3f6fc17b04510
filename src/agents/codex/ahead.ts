/**
 * What a Codex that several sessions share reads at its start, before any of them is there. Pure.
 *
 * Its configuration is read again for every thread, but what is the process's own (its log-in, telemetry, where it keeps its state) stays as it was. A log-in
 * that Codex renews by itself is another file too: the spare is then started anew, unused. Hooks belong to threads, so nothing acts on the world at its start.
 */
import { join } from 'node:path';
import type { Ahead } from '../dialect.ts';
import { conversations } from './plan.ts';

export const ahead: Ahead = {
  reads: ({ env }) => {
    const own = ['config.toml', 'managed_config.toml', 'auth.json', '.env'];
    return [...own.map((name) => join(conversations.at(env), name)), ...MACHINES];
  },
  refusal: () => undefined,
};

const MACHINES = ['/etc/codex/config.toml', '/etc/codex/managed_config.toml', '/etc/codex/requirements.toml'];
