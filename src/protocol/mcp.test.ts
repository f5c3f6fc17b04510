import { describe, expect, test } from 'vitest';
import { McpServers } from './mcp.ts';

const stdio = { command: 'node' };

describe('names', () => {
  test.each(['vault', 'a', 'a-b_c', '7up', 'a'.repeat(64)])('%s is one', (name) => {
    expect(McpServers.safeParse({ [name]: stdio }).success).toBe(true);
  });

  test.each([
    '',
    'a.b',
    'a"b',
    "a'b",
    'a b',
    '\u{1f511}',
    'a__b',
    '_a',
    '-a',
    'a/b',
    'a\nb',
    '${A}',
    'a'.repeat(65),
  ])('%j is refused: an agent would refuse or rewrite it', (name) => {
    expect(McpServers.safeParse(Object.fromEntries([[name, stdio]])).success).toBe(false);
  });
});

describe('definitions', () => {
  test.each([
    {},
    { command: '' },
    { command: 'a\0b' },
    { command: 'node', url: 'https://x.test' },
    { command: 'node', env: { 'A-B': 'x' } },
    { type: 'http' },
    { type: 'http', url: 'file:///etc/passwd' },
    { type: 'http', url: 'https://x.test', headers: { A: 'x\r\nB: y' } },
    { type: 'http', url: 'https://x.test', headers: { 'A:': 'x' } },
    { type: 'sse', url: 'https://x.test' },
  ])('%j is refused', (server) => {
    expect(McpServers.safeParse({ one: server }).success).toBe(false);
  });
});
