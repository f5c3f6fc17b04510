/** MCP servers that a session brings along. Values of `env` and `headers` are secrets; so is whatever else is in a definition: only names are shown. */
import { z } from 'zod';

/** Both agents make tool names of it (`mcp__NAME__TOOL`): other characters would be refused by one and rewritten by the other. */
export const McpName = z
  .string()
  .max(64)
  .regex(
    /^[A-Za-z0-9](?:[A-Za-z0-9-]|_(?!_))*$/,
    'the name of an MCP server: letters, digits, "-" and single "_"',
  );

const NoNul = z.string().refine((text) => !text.includes('\0'), 'no NUL character');
/** Any but our own: whoever names the command may name its variables, and the mark is how what is left of it is found (P6). */
const EnvName = z
  .string()
  .regex(
    /^(?!PILOTLIGHT_)[A-Za-z_][A-Za-z0-9_]*$/,
    'a variable name: letters, digits, underscore; not PILOTLIGHT_*',
  );
const HeaderName = z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, 'the name of an HTTP header');
const HeaderValue = z.string().regex(/^[^\0\r\n]*$/, 'no line break in the value of a header');

const StdioServer = z.strictObject({
  type: z.literal('stdio').optional(),
  command: NoNul.min(1),
  args: z.array(NoNul).max(200).optional(),
  env: z.record(EnvName, NoNul).optional(),
});
const HttpServer = z.strictObject({
  type: z.literal('http'),
  url: z.url({ protocol: /^https?$/, message: 'an address that begins with http:// or https://' }),
  headers: z.record(HeaderName, HeaderValue).optional(),
});

export const McpServer = z.union([StdioServer, HttpServer]);
export type McpServer = z.infer<typeof McpServer>;
export const McpServers = z.record(McpName, McpServer);
export type McpServers = z.infer<typeof McpServers>;
