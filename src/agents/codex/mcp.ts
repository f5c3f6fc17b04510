/**
 * MCP servers in the words of a thread's `config`. Pure.
 *
 * Values go by protocol, on stdin: neither argv nor a file nor the environment of Codex has them (docs/decisions/0005), and threads of one process may
 * have servers of the same name with other secrets. Codex keeps nothing of it on disk and is told again on resume (0.169.0).
 */
import type { McpServers } from '../../protocol/index.ts';
import type { Json } from '../dialect.ts';

export function mcpTables(servers: McpServers): Record<string, Json> {
  return Object.fromEntries(
    Object.entries(servers).map(([name, server]): [string, Json] => {
      const key = `mcp_servers.${name}`;
      if (server.type === 'http') return [key, { url: server.url, http_headers: { ...server.headers } }];
      const { command, args, env } = server;
      return [key, { command, args: [...(args ?? [])], env: { ...env } }];
    }),
  );
}
