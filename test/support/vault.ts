/** The MCP server of test/mcp/vault.mjs: over stdio by its definition, over http as a process of its own. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

export const VAULT = new URL('../mcp/vault.mjs', import.meta.url).pathname;

/** What the vault's tool says when it was given this secret. */
export function openedBy(secret: string): string {
  return `opened by ${createHash('sha256').update(secret).digest('hex').slice(0, 16)}`;
}

export async function httpVault(): Promise<AsyncDisposable & { readonly url: string }> {
  const child = spawn(process.execPath, [VAULT, '--http'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [url] = await once(createInterface({ input: child.stdout }), 'line');
  return {
    url: String(url),
    async [Symbol.asyncDispose]() {
      const exited = once(child, 'exit');
      child.kill();
      await exited;
    },
  };
}
