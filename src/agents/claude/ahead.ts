/**
 * What a Claude reads at its start, and when none may be started before its session is there. Pure.
 *
 * Hooks of SessionStart act on the world (they make work trees, log in, tell people) when a process starts: for a session that nobody has opened
 * they must not. Plugins bring hooks of their own. A file that cannot be understood may hold either.
 */
import { dirname, join } from 'node:path';
import type { Ahead, AgentSettings } from '../dialect.ts';
import { isRecord } from './messages.ts';

export const ahead: Ahead = { reads, refusal };

const MANAGED = [
  '/etc/claude-code/managed-settings.json',
  '/Library/Application Support/ClaudeCode/managed-settings.json',
];
const SETTINGS = ['settings.json', 'settings.local.json'];
/** The rest is read at the start as well, and what stood there when a spare was started is what its session would work with. */
const OTHERS = ['CLAUDE.md', 'CLAUDE.local.md', '.claude/CLAUDE.md', '.mcp.json'];

function reads({ cwd, env }: AgentSettings): readonly string[] {
  const home = env['HOME'] ?? '/';
  const config = env['CLAUDE_CONFIG_DIR'] ?? join(home, '.claude');
  const own = [...SETTINGS, 'CLAUDE.md'].map((name) => join(config, name));
  const project = upwards(cwd).flatMap((folder) => [
    ...SETTINGS.map((name) => join(folder, '.claude', name)),
    ...OTHERS.map((name) => join(folder, name)),
  ]);
  return [...new Set([...MANAGED, ...own, ...project])];
}

function refusal(texts: ReadonlyMap<string, string>): string | undefined {
  for (const [path, text] of texts) {
    const why = path.endsWith('.json') && !path.endsWith('.mcp.json') ? refusalOf(text) : undefined;
    if (why !== undefined) return `${path} ${why}`;
  }
  return undefined;
}

function refusalOf(text: string): string | undefined {
  const settings = parsed(text);
  if (!isRecord(settings)) return 'cannot be understood';
  const { hooks, enabledPlugins } = settings;
  if (hooks !== undefined && !isRecord(hooks)) return 'has hooks that cannot be understood';
  if (isRecord(hooks) && filled(hooks['SessionStart'])) return 'has hooks for SessionStart';
  return filled(enabledPlugins) ? 'has plugins, which may have hooks for SessionStart' : undefined;
}

/** Anything in it, whatever its shape. */
function filled(value: unknown): boolean {
  if (value === undefined || value === null || value === false) return false;
  if (Array.isArray(value)) return value.length > 0;
  return isRecord(value) ? Object.values(value).some(filled) : true;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function upwards(folder: string): string[] {
  const above = dirname(folder);
  return above === folder ? [folder] : [folder, ...upwards(above)];
}
