/** What the CLI uses of the daemon besides its entry. */
import { createAgents } from '../agents/index.ts';
import type { AgentView } from '../protocol/index.ts';
import { pathsOf, type Config } from './config.ts';

export { isAlive } from '../process/index.ts';
export { homeOf, processEnvironment, readConfig, type Config } from './config.ts';
export { claudesSharing, serversOfSessions, tryCredentials } from './checks.ts';
export { openHome } from './home.ts';
export { tryKeyring } from './keyring.ts';
export { probeMcpServer, type Probed } from './mcp-probe.ts';
export { portHolder } from './port-holder.ts';

/** The agents that sessions of this configuration would get, with their versions. */
export function findAgents(
  config: Config,
  env: Readonly<Record<string, string | undefined>>,
): Promise<readonly AgentView[]> {
  return createAgents({ env, paths: pathsOf(config), limits: config.runtime }).list();
}
