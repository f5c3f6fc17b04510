/**
 * An MCP server on the official SDK whose tool needs a secret: VAULT_TOKEN (stdio), or the Authorization header (`--http`: prints its URL).
 * The tool `open` proves the secret by its SHA-256 and never says it; `leak` says it.
 */
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';

function vault(token) {
  const server = new McpServer({ name: 'vault', version: '1.0.0' });
  const says = (text) => ({ content: [{ type: 'text', text }] });
  server.registerTool('open', { description: 'Opens the vault', inputSchema: {} }, async () =>
    token === undefined ? says('locked') : says(`opened by ${hash(token)}`),
  );
  server.registerTool('arguments', { description: 'Says its arguments', inputSchema: {} }, async () =>
    says(`arguments ${JSON.stringify(process.argv.slice(2))}`),
  );
  server.registerTool('leak', { description: 'Says the secret', inputSchema: {} }, async () =>
    says(`leaked ${token}`),
  );
  return server;
}

const hash = (text) => createHash('sha256').update(text).digest('hex').slice(0, 16);

if (process.argv[2] === '--http') {
  const server = createServer(async (request, response) => {
    const mcp = vault(request.headers.authorization);
    const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined });
    response.on('close', () => {
      void transport.close();
      void mcp.close();
    });
    await mcp.connect(transport);
    await transport.handleRequest(request, response);
  });
  server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}/mcp`));
} else await vault(process.env.VAULT_TOKEN).connect(new StdioServerTransport());
