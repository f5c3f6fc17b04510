/** What `doctor` tries of that which agents are given. Every try is bounded; no value is in an answer. Owns nothing. */
import { join } from 'node:path';
import { tmpdir } from 'node:os';
import { workedOn } from '../agents/index.ts';
import { createSecretStore, sessionsIn } from '../host/index.ts';
import { isAlive } from '../process/index.ts';
import { messageOf, type McpServer } from '../protocol/index.ts';
import type { Config } from './config.ts';
import { runCredentialCommand } from './credential-command.ts';
import type { Probed } from './mcp-probe.ts';
import { passingHost } from './passing.ts';

type Env = Readonly<Record<string, string | undefined>>;

/** Each command of `credentials`, run once. */
export async function tryCredentials(
  { credentials }: Pick<Config, 'credentials'>,
  env: Env,
): Promise<readonly (Probed & { readonly name: string })[]> {
  await using children = passingHost();
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

export interface ServersOfSessions {
  readonly servers: readonly SessionServer[];
  /** Sessions whose servers nobody but the daemon can read: what they brought is sealed. */
  readonly unread: number;
}

/** MCP servers that open sessions of this home brought along. Not those that are in the daemon's memory only. */
export function serversOfSessions(home: string): ServersOfSessions {
  const directory = join(home, 'secrets');
  const sessions = sessionsIn(directory);
  if (sessions.length === 0) return { servers: [], unread: 0 };
  const store = createSecretStore({ directory, persist: true });
  const servers: SessionServer[] = [];
  let unread = 0;
  for (const session of sessions)
    try {
      for (const [name, server] of Object.entries(store.get(session).mcpServers))
        servers.push({ session, name, server });
    } catch {
      unread += 1;
    }
  return { servers, unread };
}

/** Live processes of Claude that share this configuration directory, whoever started them. */
export function claudesSharing(configDir: string): number {
  return workedOn('claude', configDir).filter(({ process }) => isAlive(process)).length;
}
