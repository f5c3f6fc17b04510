import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { mcpServersOf } from './mcp-config.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'pl-mcp-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function file(text: string): string {
  const path = join(folder, 'mcp.json');
  writeFileSync(path, text);
  return path;
}

test("an agent's own file, with the caller's variables", () => {
  const written = {
    mcpServers: {
      one: { command: '${BIN:-node}', args: ['${A}'], env: { T: '${T}' } },
      two: { type: 'http', url: 'https://x.test', headers: { Authorization: 'Bearer ${T}' } },
    },
  };
  expect(mcpServersOf(file(JSON.stringify(written)), { A: '', T: 'made-up' })).toEqual({
    one: { command: 'node', args: [''], env: { T: 'made-up' } },
    two: { type: 'http', url: 'https://x.test', headers: { Authorization: 'Bearer made-up' } },
  });
});

test('the servers alone will do', () => {
  expect(mcpServersOf(file('{"one": {"command": "node"}}'), {})).toEqual({ one: { command: 'node' } });
});

test.each([
  ['{"one": {"command": "${GONE}"}}', /wants the variable GONE/],
  ['{"one": "made-up', /is not JSON$/],
  ['{"one": {"command": "node", "env": {"A B": "x"}}}', /one/],
  ['[]', /not|expected/i],
])('%s is told as what it is', (text, words) => {
  expect(() => mcpServersOf(file(text), {})).toThrow(words);
});

test('no file', () => {
  expect(() => mcpServersOf(join(folder, 'none.json'), {})).toThrow(/cannot be read/);
});
