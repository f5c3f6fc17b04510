/**
 * How a fake agent starts and ends: start faults, signals, the end of stdin, and a guard against being left over.
 * Knows nothing of protocols.
 */
import { appendFileSync, closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Faults, parseFaults } from './script.mjs';
import { complain } from './stdio.mjs';

/** No fake outlives this, whatever happens to the test that started it. */
const LONGEST_LIFE_MS = Number(process.env.FAKE_LIFE_MS ?? 300_000);

/** The faults of FAKE_FAULT; none when an earlier process has taken FAKE_FAULT_ONCE. */
export function faultsOfEnvironment() {
  const { FAKE_FAULT: list = '', FAKE_FAULT_ONCE: marker } = process.env;
  try {
    const faults = parseFaults(list);
    return new Faults(faults.length === 0 || takes(marker) ? faults : []);
  } catch (error) {
    complain(`FAKE_FAULT: ${error.message}`);
    process.exit(2);
  }
}

function takes(marker) {
  if (marker === undefined) return true;
  try {
    closeSync(openSync(marker, 'wx'));
    return true;
  } catch {
    return false;
  }
}

/** What goes wrong before the first line is read. Returns when the agent may go on. */
export async function start(faults, out) {
  setInterval(() => undefined, 2 ** 30);
  setTimeout(() => process.exit(9), LONGEST_LIFE_MS);
  if (faults.has('exit-at-start')) process.exit(Number(faults.argument('exit-at-start', '1')));
  if (faults.has('stderr-then-exit')) {
    complain('Error: the fake agent cannot start: no credentials found');
    process.exit(1);
  }
  if (faults.has('slow-start')) await sleep(Number(faults.argument('slow-start', '1000')));
  if (faults.has('startup-garbage')) {
    await out.line('(node:1) Warning: an experimental feature is used');
    await out.line('\u001B[33mA new version is available!\u001B[0m {"not": "finished"');
    await out.line('');
  }
}

/** `actions`: signal name → what the real agent does on it. A name that is left out keeps its default action. */
export function onSignals(faults, actions) {
  const { SIGTERM: terminate = () => process.exit(143), ...others } = actions;
  for (const [signal, action] of Object.entries(others)) process.on(signal, action);
  process.on('SIGTERM', () => (faults.has('ignore-sigterm') ? complain('SIGTERM is ignored') : terminate()));
}

/** What stderr says when the end of stdin is not heeded: a test can wait for it. */
export const END_IGNORED = 'the end of stdin is ignored';

/** The end of stdin, with the faults that hide or delay it. */
export function atEnd(faults, end) {
  if (faults.has('ignore-eof')) return complain(END_IGNORED);
  if (!faults.has('eof-late')) return end();
  setTimeout(() => end(), Number(faults.argument('eof-late', '1500')));
}

/** One line for every user message that reached the agent, before anything is printed: what an oracle reads. */
export function logReceived(session, { uuid, text }) {
  const file = process.env.FAKE_AGENT_LOG;
  if (file === undefined) return;
  const entry = { pid: process.pid, session, uuid: uuid ?? null, text, at: Date.now() };
  appendFileSync(file, `${JSON.stringify(entry)}\n`);
}

/** The prompts of one conversation, in a file that outlives the process. */
export class Memory {
  #file;

  constructor(folder, id) {
    this.#file = path.join(folder, `${id}.jsonl`);
  }

  /** The earlier prompts, oldest first; undefined when there is no such conversation. */
  read() {
    try {
      return readFileSync(this.#file, 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line));
    } catch {
      return undefined;
    }
  }

  append(entry) {
    mkdirSync(path.dirname(this.#file), { recursive: true });
    appendFileSync(this.#file, `${JSON.stringify(entry)}\n`);
  }

  /** Makes the conversation exist before its first prompt. */
  create() {
    mkdirSync(path.dirname(this.#file), { recursive: true });
    appendFileSync(this.#file, '');
  }
}
