/**
 * MCP servers in Claude's own form: a file for `--mcp-config` in which every value that may be secret is a reference to a variable.
 * Owns the names of those variables. Pure.
 *
 * Claude replaces `${NAME}` once and does not look at what it put in, so a text that has a `${` of its own goes by reference too. Headers it
 * reads a second time when it connects (2.1.330).
 * Servers of the user's own configuration stay: there is no `--strict-mcp-config`.
 */
import { join } from 'node:path';
import type { AgentSettings, PlannedFile } from '../dialect.ts';

export interface McpConfig {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly files: readonly PlannedFile[];
}

export function mcpConfig(mcp: AgentSettings['mcp']): McpConfig {
  if (mcp === undefined) return { args: [], env: {}, files: [] };
  const references = new References();
  const written = Object.entries(mcp.servers).map(([name, server]): [string, unknown] => {
    if (server.type === 'http') {
      const { type, url, headers } = server;
      return [name, { type, url: url.replaceAll('${', '$%7B'), headers: references.headers(headers ?? {}) }];
    }
    const { command, args, env } = server;
    return [
      name,
      {
        type: 'stdio',
        command: references.plain(command),
        args: (args ?? []).map((one) => references.plain(one)),
        env: references.all(env ?? {}),
      },
    ];
  });
  const path = join(mcp.filesAt, 'mcp.json');
  const text = JSON.stringify({ mcpServers: Object.fromEntries(written) });
  return { args: ['--mcp-config', path], env: references.env, files: [{ path, text }] };
}

class References {
  readonly env: Record<string, string> = {};
  #made = 0;

  /** The values are secrets. */
  all(values: Readonly<Record<string, string>>): Record<string, string> {
    return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, this.#reference(value)]));
  }

  /** A value that has a reference of its own needs one reference for each time that it is read. */
  headers(values: Readonly<Record<string, string>>): Record<string, string> {
    return Object.fromEntries(
      Object.entries(values).map(([key, value]) => [key, this.#reference(this.plain(value))]),
    );
  }

  /** What stands in the file as it is, unless Claude would read a reference in it. */
  plain(text: string): string {
    return text.includes('${') ? this.#reference(text) : text;
  }

  #reference(value: string): string {
    this.#made += 1;
    const name = `PILOTLIGHT_MCP_${String(this.#made)}`;
    this.env[name] = value;
    return `\${${name}}`;
  }
}
