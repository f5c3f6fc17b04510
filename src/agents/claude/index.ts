/** Claude Code as a runtime: `claude -p` with stream-json both ways, one process for one conversation. */
import { join } from 'node:path';
import type { Dialect } from '../dialect.ts';
import { accept } from './accept.ts';
import { ahead } from './ahead.ts';
import { greet } from './channel.ts';
import { claudeOptions } from './options.ts';
import { planClaude } from './plan.ts';
import { registered } from './registry.ts';
import { render } from './render.ts';
import { revive, type ClaudeState } from './state.ts';
import { translate } from './translate.ts';

export type { ClaudeState } from './state.ts';

export const claude: Dialect<ClaudeState> = {
  agent: 'claude',
  conversations: {
    at: ({ CLAUDE_CONFIG_DIR, HOME = '' }) => CLAUDE_CONFIG_DIR ?? join(HOME, '.claude'),
    workedOn: registered,
  },
  checkOptions: claudeOptions,
  ahead,
  ofRepository: ['.claude', '.mcp.json', 'CLAUDE.md', 'CLAUDE.local.md'],
  plan: planClaude,
  greet,
  translate,
  accept,
  render,
  revive,
};
