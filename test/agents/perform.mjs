/**
 * Does what the steps of a prompt say, through the voice of an agent.
 * Owns what a step means. Knows no protocol: a voice has inText, delta, flood, think, tool, ask, question, cut, strange, broken and fail.
 */
import { spawn } from 'node:child_process';
import { existsSync, watch } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { complain, never } from './stdio.mjs';

/** `turn`: {steps, faults, lines, earlier}. Steps may be added while it runs (a message that is folded into the turn). */
export async function perform(turn, voice) {
  if (turn.faults.has('error-result')) return voice.fail(Number(turn.faults.argument('error-result', '500')));
  if (turn.faults.has('empty-result'))
    return complain('Error: the model gave nothing (the fake agent was told so)');
  for (let step = turn.steps.shift(); step !== undefined; step = turn.steps.shift()) {
    await STEPS[step.kind](step, turn, voice);
  }
  if (!voice.spoke) await speak(turn, voice, ['done']);
}

const STEPS = {
  say: (step, turn, voice) => speak(turn, voice, wordsOf(step.text)),
  stream: (step, turn, voice) =>
    speak(
      turn,
      voice,
      Array.from({ length: step.words }, (_, index) => `w${index} `),
      step.ms,
    ),
  flood,
  line: (step, turn, voice) => speak(turn, voice, ['x'.repeat(step.bytes)]),
  tool: (step, _, voice) =>
    voice.tool({ name: step.name, command: step.name, output: () => `${step.name} done` }),
  'tool-hang': (_, turn, voice) =>
    voice.tool({ name: 'Bash', command: 'sleep infinity', output: () => turn.lines.wait(never()) }),
  'tool-until': (step, turn, voice) =>
    voice.tool({
      name: 'Bash',
      command: `until ${step.file}`,
      output: async () => {
        await appears(path.resolve(turn.cwd, step.file), turn.lines);
        return 'it is there';
      },
    }),
  ask: async (_, turn, voice) => speak(turn, voice, wordsOf(`permission: ${await voice.ask()}`)),
  question: async (_, turn, voice) => speak(turn, voice, wordsOf(`answer: ${await voice.question()}`)),
  hold,
  background: async (step, turn, voice) => {
    await turn.background?.(path.resolve(turn.cwd, step.file));
    await speak(turn, voice, ['it runs in the background']);
  },
  recall: (_, turn, voice) =>
    speak(turn, voice, wordsOf(`I remember: ${turn.earlier().join(' | ') || 'nothing'}`)),
  think: (_, __, voice) => voice.think(['let ', 'me ', 'think ', 'about ', 'it']),
  child: (_, turn, voice) => speak(turn, voice, [`child ${spawnSleep('ignore', turn.commandEnv)}`]),
  'grandchild-holds-stdout': (_, turn, voice) =>
    speak(turn, voice, [`grandchild ${spawnSleep('inherit', turn.commandEnv)}`]),
  memory: async (step, turn, voice) => {
    hoard.push(Buffer.alloc(step.bytes, 1));
    await speak(turn, voice, [`holding ${step.bytes} bytes more`]);
  },
};

/** Never freed: the point of the `memory` step. */
const hoard = [];

/** What several steps say stands on lines of their own. */
async function speak(turn, voice, words, ms = 0) {
  const chunks = voice.inText ? [`\n${words[0]}`, ...words.slice(1)] : words;
  if (turn.faults.takes('unknown-types')) await voice.strange();
  if (turn.faults.takes('invalid-utf8')) await voice.broken();
  if (turn.faults.takes('retry-stream')) {
    for (const chunk of chunks.slice(0, Math.ceil(chunks.length / 2))) await voice.delta(chunk);
    await voice.cut();
  }
  for (const [index, chunk] of chunks.entries()) {
    if (ms > 0 && index > 0) await turn.lines.wait(sleep(ms, undefined, { ref: false }));
    await voice.delta(chunk);
  }
}

function wordsOf(text) {
  return text.split(/(?<=\s)(?=\S)/);
}

/** Each text begins with its own number: a receiver can prove that no line is lost. A batch is one write. */
async function flood(step, turn, voice) {
  const room = Math.max(0, step.bytes - voice.deltaOverhead() - 13);
  const batch = Math.max(1, Math.floor(65_536 / step.bytes));
  for (let from = 0; from < step.lines; from += batch) {
    const size = Math.min(batch, step.lines - from);
    const padding = 'x'.repeat(room);
    await voice.flood(
      Array.from({ length: size }, (_, index) => `${String(from + index).padStart(12, '0')} ${padding}`),
    );
    // Lets signals and interrupts in between two writes that the pipe took at once.
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function hold(step, turn, voice) {
  await speak(turn, voice, ['holding ', 'on ']);
  await appears(path.resolve(turn.cwd, step.file), turn.lines);
  await speak(turn, voice, ['and ', 'going ', 'on']);
}

/** Calls back once when the file is there. */
export function onceThere(file, act) {
  const watcher = watch(path.dirname(file), () => {
    if (!existsSync(file)) return;
    watcher.close();
    act();
  });
}

async function appears(file, lines) {
  const { promise, resolve } = withResolvers();
  const watcher = watch(path.dirname(file), () => existsSync(file) && resolve());
  try {
    if (!existsSync(file)) await lines.wait(promise);
    // What was sent before the file was made is heard before anything goes on: a whole round of the loop, however this one came here.
    for (let rounds = 2; rounds > 0; rounds -= 1) await new Promise((resolve) => setImmediate(resolve));
  } finally {
    watcher.close();
  }
}

/** In a session of its own: no signal to the agent's group reaches it. */
function spawnSleep(stdout, env = {}) {
  const child = spawn('sleep', ['600'], {
    detached: true,
    stdio: ['ignore', stdout, 'ignore'],
    env: { ...process.env, ...env },
  });
  child.unref();
  return child.pid;
}

/** `Promise.withResolvers` is newer than the oldest Node that may run this. */
export function withResolvers() {
  let resolve;
  let reject;
  const promise = new Promise((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}
