/** The fake agents as kits: words of test/agents/README.md, faults to switch on. */
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { claude } from '../../src/agents/claude/index.ts';
import { codex } from '../../src/agents/codex/index.ts';
import { sharedCodex } from '../../src/agents/codex/shared/index.ts';
import type { Dialect } from '../../src/agents/dialect.ts';
import type { Installed } from './agent.ts';
import type { Kit, Words } from './kit.ts';
import { oneSeatOf } from './one-seat.ts';

const AGENTS = path.resolve(import.meta.dirname, '../agents');

const WORDS: Omit<Words, 'refusals' | 'silence'> = {
  say: (text) => `say ${text}`,
  stream: 'stream 30 words 0 ms',
  longStream: 'stream 900 words 20 ms',
  think: 'think then say thought',
  tool: (after) => `tool Bash then say ${after}`,
  toolUntil: (file) => `tool-until ${file}`,
  longTool: 'tool-hang',
  ask: () => 'ask',
  cuts: [{ input: 'retry-stream\nsay one two three four', last: 'four' }],
  remember: (word) => `say I will keep the ${word}`,
  recall: 'recall',
  fault: (name) => `${name}\nthink then tool Bash then tool Edit then say a few words behind it`,
};

interface Fake {
  readonly file: string;
  readonly refusals: Words['refusals'];
  /** Silence from a line on that comes behind the receipt and before the first token. */
  readonly silence: string;
  readonly lostConversation: Kit['lostConversation'];
  readonly bypass: Kit['bypass'];
  readonly wakes: boolean;
}

/** `faults`: of every process of this kit, from its start on. */
function fake<S>(dialect: Dialect<S>, of: Fake, faults = ''): Kit<S> {
  const root = realpathSync(mkdtempSync(path.join(tmpdir(), 'conform-')));
  const [cwd, home] = [path.join(root, 'work'), path.join(root, 'home')];
  for (const folder of [cwd, home]) mkdirSync(folder);
  const env = {
    PATH: `${path.dirname(process.execPath)}:${process.env['PATH'] ?? ''}`,
    HOME: home,
    CLAUDE_CONFIG_DIR: path.join(home, 'claude'),
    CODEX_HOME: path.join(home, 'codex'),
    FAKE_LIFE_MS: '120000',
  };
  const installed = (list: string): Installed<S> => ({
    dialect,
    binary: { path: path.join(AGENTS, of.file) },
    settings: { cwd, env: { ...env, FAKE_FAULT: list } },
    maxLine: 1 << 20,
  });
  return {
    ...installed(faults),
    words: {
      ...WORDS,
      silence: of.silence,
      refusals: of.refusals,
      ...(of.wakes ? { wake: 'woke\nsay asleep' } : {}),
    },
    acts: false,
    bypass: of.bypass,
    lostConversation: of.lostConversation,
    faulty: (more) => installed([faults, more].filter(Boolean).join(',')),
    async [Symbol.asyncDispose]() {
      rmSync(root, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
    },
  };
}

const refusals = (codes: Readonly<Record<string, Words['refusals'][number]['code']>>): Words['refusals'] =>
  Object.entries(codes).map(([status, code]) => ({ input: `error-result:${status}`, code }));

export const fakeClaude = async (faults = ''): Promise<Kit> =>
  fake(
    claude,
    {
      file: 'fake-claude.mjs',
      refusals: refusals({ 401: 'auth_failed', 429: 'rate_limited', 500: 'model_error' }),
      silence: faults === 'old' ? 'hang-soft@3' : 'hang-soft@5',
      bypass: 'at the start',
      lostConversation: 'refused',
      wakes: true,
    },
    faults,
  );

const CODEX: Fake = {
  file: 'fake-codex.mjs',
  refusals: refusals({ 401: 'auth_failed', 429: 'rate_limited', 500: 'model_error' }),
  silence: 'hang-soft@5',
  bypass: 'any time',
  lostConversation: 'new',
  wakes: false,
};

export const fakeCodex = async (): Promise<Kit> => fake(codex, CODEX);

/** A seat in a process whose other seat streams. */
export const fakeSharedCodex = async (): Promise<Kit> =>
  fake(oneSeatOf(sharedCodex, 'stream 20000 words 5 ms'), CODEX);
