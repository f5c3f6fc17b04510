/** Codex as a runtime: `codex app-server`, JSON-RPC lines on stdio. */
import type { Dialect } from '../dialect.ts';
import { accept } from './accept.ts';
import { greet } from './channel.ts';
import { codexOptions, conversations, planCodex } from './plan.ts';
import { render } from './render.ts';
import { revive, type CodexState } from './state.ts';
import { translate } from './translate.ts';

export type { CodexState } from './state.ts';

export const codex: Dialect<CodexState> = {
  agent: 'codex',
  conversations,
  checkOptions: codexOptions,
  ofRepository: ['.codex', 'AGENTS.md', 'AGENTS.override.md'],
  plan: planCodex,
  greet,
  translate,
  accept,
  render,
  revive,
};
