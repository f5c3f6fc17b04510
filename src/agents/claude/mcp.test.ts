import { expect, test } from 'vitest';
import { mcpConfig } from './mcp.ts';

const filesAt = '/home/secrets/ses_1.files';

test('without servers there is no flag, no variable and no file', () => {
  expect(mcpConfig(undefined)).toEqual({ args: [], env: {}, files: [] });
});

test('values of env and headers are references, and nothing of them is in file or argv', () => {
  const { args, env, files } = mcpConfig({
    filesAt,
    servers: {
      one: { command: 'node', args: ['x.js'], env: { TOKEN: 'made-up-1', OTHER: 'made-up-2' } },
      two: { type: 'http', url: 'https://example.test/mcp', headers: { Authorization: 'Bearer made-up-3' } },
    },
  });
  expect(args).toEqual(['--mcp-config', `${filesAt}/mcp.json`]);
  const [file] = files;
  expect(file?.path).toBe(`${filesAt}/mcp.json`);
  expect(file?.text).not.toContain('made-up');
  expect(Object.values(env)).toEqual(['made-up-1', 'made-up-2', 'Bearer made-up-3']);
  expect(JSON.parse(file?.text ?? '')).toMatchObject({
    mcpServers: {
      one: { type: 'stdio', command: 'node', args: ['x.js'], env: { TOKEN: '${PILOTLIGHT_MCP_1}' } },
      two: { type: 'http', headers: { Authorization: '${PILOTLIGHT_MCP_3}' } },
    },
  });
});

test('what Claude would take for a reference goes by one', () => {
  const { env, files } = mcpConfig({
    filesAt,
    servers: {
      one: { command: 'node', args: ['${HOME}'] },
      two: { type: 'http', url: 'https://example.test/${x}', headers: { A: '${B}' } },
    },
  });
  expect(env).toEqual({
    PILOTLIGHT_MCP_1: '${HOME}',
    PILOTLIGHT_MCP_2: '${B}',
    PILOTLIGHT_MCP_3: '${PILOTLIGHT_MCP_2}',
  });
  expect(files[0]?.text).toContain('https://example.test/$%7Bx}');
});
