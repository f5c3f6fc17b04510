/** The real CLIs as kits, on a fake model of their own: words of docs/fake-model.md, no faults. */
import { claude, type ClaudeState } from '../../src/agents/claude/index.ts';
import { codex, type CodexState } from '../../src/agents/codex/index.ts';
import { sharedCodex, type SharedState } from '../../src/agents/codex/shared/index.ts';
import type { Dialect } from '../../src/agents/dialect.ts';
import { type FakeModel, startFakeModel } from '../../src/testing/index.ts';
import { type RealAgents, realAgents } from '../support/real-agents.ts';
import { oneSeatOf } from './one-seat.ts';
import type { Kit, Words } from './kit.ts';

/** With what the tests of one agent alone need besides. */
export interface RealKit<S> extends Kit<S> {
  readonly model: FakeModel;
  readonly agents: RealAgents;
}

const WORDS: Omit<Words, 'refusals'> = {
  say: (text) => `say ${text}`,
  stream: 'stream 30 words',
  longStream: 'stream 900 words every 20ms',
  silence: 'silence without headers',
  think: 'think about tools then say thought',
  tool: (after) => `run: echo hi\nsay ${after}`,
  toolUntil: (file) => `run: until test -e ${file}; do sleep 0.2; done`,
  // A plain `sleep 30` is refused by Claude at once.
  longTool: 'run: tail -f /dev/null',
  ask: (file) => `run: touch ${file}`,
  // The CLI either says it all again (a retry) or keeps what was said and asks for the rest, as it happens to be cut.
  cuts: ['stream 5 words', 'stream 5 words 50ms'].map((input) => ({
    input: `${input}\ncut once`,
    last: 'word00005',
  })),
  remember: (word) => `remember: the word is ${word}`,
  recall: 'recall',
};

export async function realClaude(): Promise<RealKit<ClaudeState>> {
  return real({
    ...(await place()),
    of: (agents) => ({
      dialect: claude,
      binary: { path: agents.claude.binary },
      // Retries are tested, not how patiently.
      settings: { cwd: agents.cwd, env: { ...agents.claude.env, CLAUDE_CODE_MAX_RETRIES: '1' } },
      acts: true,
      bypass: 'at the start',
      lostConversation: 'refused',
      words: {
        ...WORDS,
        refusals: [
          { input: 'fail 401', code: 'auth_failed' },
          { input: 'fail 403', code: 'auth_failed' },
          { input: 'fail 429', code: 'rate_limited' },
          { input: 'fail 500', code: 'model_error' },
          { input: 'fail 529', code: 'model_error' },
          { input: 'fail 400', code: 'model_error' },
          { input: 'context-error', code: 'context_exceeded' },
        ],
        wake: 'tool: Bash {"command":"sleep 1; echo late","run_in_background":true}',
      },
    }),
  });
}

/** No waiting between retries of requests: what is retried is tested, not how patiently. */
const IMPATIENT = {
  'model_providers.mock.request_max_retries': 0,
  'model_providers.mock.stream_max_retries': 2,
};

export async function realCodex(): Promise<RealKit<CodexState>> {
  return codexWith(codex);
}

/** A seat in a process whose other seat has a turn that goes on. */
export async function realSharedCodex(): Promise<RealKit<SharedState>> {
  return codexWith(oneSeatOf(sharedCodex, 'say not yet\nhold never'));
}

async function codexWith<S>(dialect: Dialect<S>): Promise<RealKit<S>> {
  return real({
    ...(await place()),
    of: (agents) => ({
      dialect,
      binary: { path: agents.codex.binary },
      settings: { cwd: agents.cwd, env: agents.codex.env, agentOptions: { config: IMPATIENT } },
      acts: true,
      bypass: 'any time',
      lostConversation: 'new',
      words: {
        ...WORDS,
        refusals: [
          { input: 'fail 401', code: 'auth_failed' },
          { input: 'fail 500', code: 'model_error' },
          { input: 'fail 400', code: 'agent_error' },
          { input: 'cut', code: 'model_error' },
          { input: 'context-error', code: 'context_exceeded' },
        ],
      },
    }),
  });
}

interface Place {
  readonly model: FakeModel;
  readonly agents: RealAgents;
}

async function place(): Promise<Place> {
  const model = await startFakeModel();
  return { model, agents: realAgents(model.url) };
}

function real<S>({
  model,
  agents,
  of,
}: Place & {
  readonly of: (agents: RealAgents) => Omit<Kit<S>, typeof Symbol.asyncDispose>;
}): RealKit<S> {
  return {
    ...of(agents),
    model,
    agents,
    async [Symbol.asyncDispose]() {
      await model.close();
      await agents.dispose();
    },
  };
}
