/** A process per message, as anybody would run it: from spawn to the first sign of the answer. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Actor, Stage } from './stage.ts';

const PROMPT = 'say hello there';
const RUN_MS = 30_000;

/** ms of each run. */
export async function measureCold(stage: Stage, actor: Actor, runs: number): Promise<number[]> {
  const times: number[] = [];
  for (let run = 0; run < runs; run += 1) times.push(await once_(stage, actor));
  return times;
}

async function once_(stage: Stage, actor: Actor): Promise<number> {
  const { args, marker } = COMMANDS[actor.name];
  const began = performance.now();
  const child = spawn(actor.binary, [...args, PROMPT], {
    cwd: stage.cwd,
    env: { ...actor.env },
    stdio: ['ignore', 'pipe', 'ignore'],
    timeout: RUN_MS,
    signal: stage.cleared,
  });
  const exited = once(child, 'exit');
  let text = '';
  let first: number | undefined;
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1');
    if (first === undefined && text.includes(marker)) first = performance.now();
  });
  await exited;
  if (first === undefined) throw new Error(`${actor.title} gave no answer on its own: ${text.slice(-300)}`);
  return first - began;
}

const COMMANDS = {
  claude: {
    args: [
      '-p',
      '--output-format',
      'stream-json',
      '--include-partial-messages',
      '--verbose',
      '--dangerously-skip-permissions',
    ],
    marker: '"text_delta"',
  },
  // It prints no deltas: its answer comes whole.
  codex: {
    args: ['exec', '--json', '--skip-git-repo-check', '--dangerously-bypass-approvals-and-sandbox'],
    marker: '"agent_message"',
  },
} as const;
