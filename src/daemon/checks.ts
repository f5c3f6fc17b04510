/** What `doctor` tries of that which agents are given. Every try is bounded; no value is in an answer. Owns nothing. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { tmpdir } from 'node:os';
import { registeredClaudes } from '../agents/index.ts';
import { createSecretStore } from '../host/index.ts';
import { createDirectHost, isAlive } from '../process/index.ts';
import { messageOf, newId, type McpServer } from '../protocol/index.ts';
import type { Config } from './config.ts';
import { runCredentialCommand } from './credential-command.ts';
import type { Probed } from './mcp-probe.ts';

type Env = Readonly<Record<string, string | undefined>>;

const LADDER = { termAfterMs: 300, killAfterMs: 1000, stuckAfterMs: 1000 };

/** Each command of `credentials`, run once. */
export async function tryCredentials(
  { credentials }: Pick<Config, 'credentials'>,
  env: Env,
): Promise<readonly (Probed & { readonly name: string })[]> {
  await using children = createDirectHost({ homeId: newId('home'), ladder: LADDER });
  return await Promise.all(
    Object.entries(credentials).map(async ([name, command]) => {
      try {
        const { expiresAt } = await runCredentialCommand(name, command, { children, cwd: tmpdir(), env });
        const until = expiresAt === undefined ? '' : `, good until ${new Date(expiresAt).toISOString()}`;
        return {
          name,
          ok: expiresAt === undefined || expiresAt > Date.now(),
          says: `its command prints a value${until}`,
        };
      } catch (error) {
        return { name, ok: false, says: messageOf(error) };
      }
    }),
  );
}

export interface SessionServer {
  readonly session: string;
  readonly name: string;
  readonly server: McpServer;
}

/** MCP servers that open sessions of this home brought along. Not those that nobody but the daemon can read: sealed, or in its memory. */
export function serversOfSessions(home: string): readonly SessionServer[] {
  const directory = join(home, 'secrets');
  let names: string[];
  try {
    names = readdirSync(directory);
  } catch {
    return [];
  }
  const store = createSecretStore({ directory, persist: true });
  return names
    .filter((name) => name.endsWith('.json'))
    .flatMap((file) => {
      const session = file.slice(0, -'.json'.length);
      try {
        return Object.entries(store.get(session).mcpServers).map(([name, server]) => ({
          session,
          name,
          server,
        }));
      } catch {
        return [];
      }
    });
}

/** Live processes of Claude that share this configuration directory, whoever started them. */
export function claudesSharing(configDir: string): number {
  return registeredClaudes(configDir).filter(({ process }) => isAlive(process)).length;
}
